/* location.h: who can be reached where: the contacts that users registered (RFC 3261 §10), bounded, in memory.
 *
 * A contact belongs to an address of record (user@domain) and is known by the URI that the telephone gave. `contact` is how FreeSWITCH
 * keeps it and sofia_contact shows it: for a telephone behind a NAT with `;fs_nat=yes;fs_path=…`, the address that the registration came
 * from. `target` is where a request to it is really sent: that is what a call may be made to without being in sip.uri_hosts. */
#ifndef REGISTRAR_LOCATION_H
#define REGISTRAR_LOCATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/loop.h"

struct location {
    char user[64], domain[128];
    char uri[256];     /* as the telephone gave it */
    char contact[768]; /* as FreeSWITCH keeps it: "name" <sip:…> */
    char profile[64];  /* the listener's name */
    char call_id[128];
    char agent[128];
    char status[32]; /* "Registered(UDP-NAT)" */
    char auth_user[128], auth_realm[128];
    char mwi_user[64], mwi_domain[128];
    char network_ip[48], transport[8];
    char target_host[64];
    char ping_status[16]; /* "Reachable", "Unreachable" */
    int64_t cseq, network_port, target_port;
    int64_t registered_s, expires_s; /* UTC */
    int64_t ping_ms;                 /* how long the last answer took */
    /* not stored */
    struct loop_timer due; /* the user's of the table: when it expires or is to be asked; cleared before it is removed */
    int64_t ping_due_s, ping_sent_ns;
    uint32_t pings_missed, ping_serial;
    struct location *next_of_user, *next_of_target, *previous, *next;
};

/* Its fields, for the store and for listings. */
struct location_field {
    const char *name;
    size_t offset, size; /* size 0 = an int64_t */
};
extern const struct location_field location_fields[];
extern const size_t location_field_count;

struct locations;

int locations_new(struct locations **out, uint32_t max); /* 0 or -ENOMEM */
void locations_free(struct locations *locations);
uint32_t locations_count(const struct locations *locations);

/* Takes a copy, in place of the contact of the same user and URI; -ENOSPC when the table is full, -ENOMEM. */
int locations_put(struct locations *locations, const struct location *location, struct location **out);
void locations_remove(struct locations *locations, struct location *location);
struct location *locations_find(const struct locations *locations, const char *user, const char *domain, const char *uri);
/* A user's contacts, the oldest registration first. Names in any case. */
struct location *locations_of_user(const struct locations *locations, const char *user, const char *domain);
struct location *location_next_of_user(const struct location *location);
/* All, in order of their first registration; NULL begins. */
struct location *locations_walk(const struct locations *locations, const struct location *after);
/* Does any contact's traffic go to this address? port 0 = 5060. */
bool locations_have_target(const struct locations *locations, const char *host, uint16_t port);

#endif
