/* rate.h: token buckets by key (an address, or an address and a name), in a table of fixed size: how often somebody may do something. */
#ifndef BROKER_RATE_H
#define BROKER_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/socket.h>

#define RATE_PLACES 4096u
#define RATE_WAYS   8u

struct rate_place {
    uint64_t key; /* 0 = free */
    int64_t at_ns;
    double tokens;
};
struct rate_table {
    double per_s, burst;
    struct rate_place places[RATE_PLACES];
};

/* An address without its port (IPv6: its /64), and a name that may be "". */
uint64_t rate_key(const struct sockaddr *address, const char *name);
/* Takes a token; false if there is none. Of keys that fall on the same places the one that was silent longest makes room. */
bool rate_take(struct rate_table *table, uint64_t key, int64_t now_ns);
/* Is there a token? Takes none. */
bool rate_has(struct rate_table *table, uint64_t key, int64_t now_ns);

#endif
