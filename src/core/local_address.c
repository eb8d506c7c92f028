#include "core/local_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Addresses of documentation (RFC 5737, RFC 3849): a datagram socket connected to one has chosen its route and own address, and sent
 * nothing. */
#define OUTSIDE_V4 "192.0.2.1"
#define OUTSIDE_V6 "2001:db8::1"

static bool own_end(const struct sockaddr *outside, socklen_t length, struct sockaddr *own)
{
    int fd = socket(outside->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    bool found = connect(fd, outside, length) == 0 && getsockname(fd, own, &length) == 0;
    close(fd);
    return found;
}

void local_address_v4(char out[LOCAL_ADDRESS_SIZE])
{
    struct sockaddr_in outside = { .sin_family = AF_INET, .sin_port = htons(9) }, own = { 0 };
    inet_pton(AF_INET, OUTSIDE_V4, &outside.sin_addr);
    if (!own_end((const struct sockaddr *)&outside, sizeof(outside), (struct sockaddr *)&own) ||
        !inet_ntop(AF_INET, &own.sin_addr, out, LOCAL_ADDRESS_SIZE))
        snprintf(out, LOCAL_ADDRESS_SIZE, "127.0.0.1");
}

void local_address_v6(char out[LOCAL_ADDRESS_SIZE])
{
    struct sockaddr_in6 outside = { .sin6_family = AF_INET6, .sin6_port = htons(9) }, own = { 0 };
    inet_pton(AF_INET6, OUTSIDE_V6, &outside.sin6_addr);
    if (!own_end((const struct sockaddr *)&outside, sizeof(outside), (struct sockaddr *)&own) ||
        !inet_ntop(AF_INET6, &own.sin6_addr, out, LOCAL_ADDRESS_SIZE))
        snprintf(out, LOCAL_ADDRESS_SIZE, "::1");
}

void local_address_mask(const char *address, char out[LOCAL_ADDRESS_SIZE])
{
    snprintf(out, LOCAL_ADDRESS_SIZE, "255.255.255.0");
    struct in_addr wanted;
    struct ifaddrs *all = NULL;
    if (inet_pton(AF_INET, address, &wanted) != 1 || getifaddrs(&all) != 0) return;
    for (const struct ifaddrs *one = all; one; one = one->ifa_next) {
        if (!one->ifa_addr || !one->ifa_netmask || one->ifa_addr->sa_family != AF_INET) continue;
        if (((const struct sockaddr_in *)(const void *)one->ifa_addr)->sin_addr.s_addr == wanted.s_addr) {
            inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)one->ifa_netmask)->sin_addr, out, LOCAL_ADDRESS_SIZE);
            break;
        }
    }
    freeifaddrs(all);
}
