/* Credentials and contacts from untrusted text: whatever passes is clean and bounded, and no contact leads anywhere but to its source. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"
#include "registrar/contact.h"
#include "registrar/digest.h"

#define PARTS 12

static void credentials(const char *const *params)
{
    struct digest_credentials c;
    if (digest_read(&c, params) < 0) return;
    CHECK(*c.username && *c.realm && *c.nonce && *c.response);
    for (const char *p = c.username; *p; p++) CHECK((unsigned char)*p >= 0x20);
    CHECK(!digest_matches(&c, "REGISTER", "a password that nobody guesses by chance", NULL));
}

static void contact(char **parts, const char *transport)
{
    struct location l = { 0 };
    char url[800], route[160];
    struct contact_parts from = { parts[0], parts[1], parts[2], parts[3], parts[4] };
    struct contact_source source = { .ip = "192.0.2.7", .port = 5081, .transport = transport, .via_host = parts[5] };
    if (contact_take(&l, &from, &source) < 0) return;
    CHECK(strlen(l.contact) < sizeof l.contact && strlen(l.uri) < sizeof l.uri);
    CHECK(!strpbrk(l.uri, "<>\" \r\n") && !strpbrk(l.contact, "\r\n\t"));
    CHECK(!strcasecmp(l.target_host, "192.0.2.7"));
    if (contact_is_nat(&l)) CHECK(l.target_port == 5081);
    CHECK(!strstr(l.uri, ";fs_"));
    contact_url(&l, url, sizeof url);
    CHECK(!strncmp(url, "sip:", 4));
    contact_route(&l, route, sizeof route);
    CHECK(!strncmp(route, "sip:192.0.2.7:", 14));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), *parts[PARTS + 1] = { 0 }, *rest = text;
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    for (int i = 0; i < PARTS && rest; i++) parts[i] = strsep(&rest, "\n");
    credentials((const char *const *)parts);
    contact(parts, size % 2 ? "udp" : "tcp");
    free(text);
    return 0;
}
