/* address.c: see address.h. */
#include "broker/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int host_port_parse(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *colon = NULL, *begin = text, *end = text + strlen(text);
    if (*text == '[') {
        const char *close = strchr(text, ']');
        if (!close) return -EINVAL;
        begin = text + 1;
        end = close;
        colon = close[1] == ':' ? close + 1 : NULL;
    } else if ((colon = strrchr(text, ':'))) {
        end = colon;
    }
    if (end == begin || (size_t)(end - begin) >= size) return -EINVAL;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = 0;
    long n = colon ? strtol(colon + 1, NULL, 10) : 0;
    if (n < 0 || n > 65535) return -EINVAL;
    *port = (uint16_t)n;
    return 0;
}

static int address_parse(struct sockaddr_storage *out, const char *text, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return 32;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return 128;
    }
    return -EINVAL;
}

int source_parse(struct source *out, const char *text)
{
    char address[64];
    size_t length = strcspn(text, "/");
    if (length >= sizeof address) return -EINVAL;
    memcpy(address, text, length);
    address[length] = 0;
    int bits = address_parse(&out->address, address, 0);
    if (bits < 0) return bits;
    long prefix = text[length] ? strtol(text + length + 1, NULL, 10) : bits;
    if (prefix < 0 || prefix > bits) return -EINVAL;
    out->bits = (uint8_t)prefix;
    return 0;
}

bool source_matches(const struct source *source, const struct sockaddr *address)
{
    if (source->address.ss_family != address->sa_family) return false;
    const uint8_t *a, *b;
    unsigned bits = source->bits;
    if (address->sa_family == AF_INET) {
        a = (const uint8_t *)&((const struct sockaddr_in *)&source->address)->sin_addr;
        b = (const uint8_t *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    } else if (address->sa_family == AF_INET6) {
        a = (const uint8_t *)&((const struct sockaddr_in6 *)&source->address)->sin6_addr;
        b = (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    } else {
        return false;
    }
    if (memcmp(a, b, bits / 8)) return false;
    return bits % 8 == 0 || !((a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8));
}
