/* address.h: hosts, ports and sources as text. */
#ifndef BROKER_ADDRESS_H
#define BROKER_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source { /* an address, or a network of that prefix length */
    struct sockaddr_storage address;
    uint8_t bits;
};

bool source_matches(const struct source *source, const struct sockaddr *address);
int source_parse(struct source *out, const char *text);
/* "host", "host:port", "[v6]:port". 0 or -EINVAL. */
int host_port_parse(const char *text, char *host, size_t size, uint16_t *port);

#endif
