/* location.c: see location.h. */
#include "registrar/location.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BUCKETS 8192u

struct locations {
    struct location *by_user[BUCKETS], *by_target[BUCKETS];
    struct location *first, *last;
    uint32_t count, max;
};

#define TEXT(field)                                                                                                                        \
    {                                                                                                                                      \
#field, offsetof(struct location, field), sizeof((struct location *)0)->field                                                      \
    }
#define NUMBER(field)                                                                                                                      \
    {                                                                                                                                      \
#field, offsetof(struct location, field), 0                                                                                        \
    }
const struct location_field location_fields[] = {
    TEXT(user),          TEXT(domain),         TEXT(uri),         TEXT(contact),     TEXT(profile),  TEXT(call_id),
    TEXT(agent),         TEXT(status),         TEXT(auth_user),   TEXT(auth_realm),  TEXT(mwi_user), TEXT(mwi_domain),
    TEXT(network_ip),    TEXT(transport),      TEXT(target_host), TEXT(ping_status), NUMBER(cseq),   NUMBER(network_port),
    NUMBER(target_port), NUMBER(registered_s), NUMBER(expires_s), NUMBER(ping_ms),
};
const size_t location_field_count = sizeof location_fields / sizeof location_fields[0];

static uint32_t hash(uint32_t h, const char *text)
{
    for (; *text; text++) h = (h ^ (unsigned char)tolower((unsigned char)*text)) * 16777619u;
    return h * 16777619u;
}

static uint32_t user_bucket(const char *user, const char *domain) { return hash(hash(2166136261u, user), domain) % BUCKETS; }

static uint32_t target_bucket(const char *host, int64_t port) { return (hash(2166136261u, host) ^ (uint32_t)port * 2654435761u) % BUCKETS; }

int locations_new(struct locations **out, uint32_t max)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return -ENOMEM;
    (*out)->max = max;
    return 0;
}

void locations_free(struct locations *locations)
{
    if (!locations) return;
    for (struct location *location = locations->first, *next; location; location = next) {
        next = location->next;
        free(location);
    }
    free(locations);
}

uint32_t locations_count(const struct locations *locations) { return locations->count; }

static bool is_user(const struct location *location, const char *user, const char *domain)
{
    return !strcasecmp(location->user, user) && !strcasecmp(location->domain, domain);
}

struct location *locations_of_user(const struct locations *locations, const char *user, const char *domain)
{
    struct location *location = locations->by_user[user_bucket(user, domain)];
    while (location && !is_user(location, user, domain)) location = location->next_of_user;
    return location;
}

struct location *location_next_of_user(const struct location *location)
{
    struct location *next = location->next_of_user;
    while (next && !is_user(next, location->user, location->domain)) next = next->next_of_user;
    return next;
}

struct location *locations_find(const struct locations *locations, const char *user, const char *domain, const char *uri)
{
    struct location *location = locations_of_user(locations, user, domain);
    while (location && strcmp(location->uri, uri)) location = location_next_of_user(location);
    return location;
}

struct location *locations_walk(const struct locations *locations, const struct location *after)
{
    return after ? after->next : locations->first;
}

bool locations_have_target(const struct locations *locations, const char *host, uint16_t port)
{
    int64_t wanted = port ? port : 5060;
    for (const struct location *l = locations->by_target[target_bucket(host, wanted)]; l; l = l->next_of_target)
        if (l->target_port == wanted && !strcasecmp(l->target_host, host)) return true;
    return false;
}

/* --- changing ------------------------------------------------------------------------------------------------------- */

static void user_link(struct locations *locations, struct location *location)
{
    struct location **at = &locations->by_user[user_bucket(location->user, location->domain)];
    while (*at) at = &(*at)->next_of_user;
    *at = location;
    location->next_of_user = NULL;
}

static void target_link(struct locations *locations, struct location *location)
{
    struct location **at = &locations->by_target[target_bucket(location->target_host, location->target_port)];
    location->next_of_target = *at;
    *at = location;
}

static void target_unlink(struct locations *locations, struct location *location)
{
    struct location **at = &locations->by_target[target_bucket(location->target_host, location->target_port)];
    while (*at && *at != location) at = &(*at)->next_of_target;
    if (*at) *at = location->next_of_target;
}

static void all_link(struct locations *locations, struct location *location)
{
    location->previous = locations->last;
    location->next = NULL;
    if (locations->last)
        locations->last->next = location;
    else
        locations->first = location;
    locations->last = location;
    locations->count++;
}

static int replace(struct locations *locations, struct location *there, const struct location *value)
{
    struct location links = *there;
    target_unlink(locations, there);
    *there = *value;
    there->next_of_user = links.next_of_user;
    there->previous = links.previous;
    there->next = links.next;
    there->ping_serial = links.ping_serial;
    there->due = links.due;
    target_link(locations, there);
    return 0;
}

int locations_put(struct locations *locations, const struct location *value, struct location **out)
{
    struct location *there = locations_find(locations, value->user, value->domain, value->uri);
    *out = there;
    if (there) return replace(locations, there, value);
    if (locations->count >= locations->max) return -ENOSPC;
    there = malloc(sizeof *there);
    if (!there) return -ENOMEM;
    *there = *value;
    user_link(locations, there);
    target_link(locations, there);
    all_link(locations, there);
    *out = there;
    return 0;
}

void locations_remove(struct locations *locations, struct location *location)
{
    struct location **at = &locations->by_user[user_bucket(location->user, location->domain)];
    while (*at && *at != location) at = &(*at)->next_of_user;
    if (*at) *at = location->next_of_user;
    target_unlink(locations, location);
    if (location->previous)
        location->previous->next = location->next;
    else
        locations->first = location->next;
    if (location->next)
        location->next->previous = location->previous;
    else
        locations->last = location->previous;
    locations->count--;
    free(location);
}
