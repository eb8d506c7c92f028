/* zones.c: windows and the zones' cache. Reading a zone's file is zone_file.c, which number lives where zone_table.c. */
#include "campaign/zones.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/zone_own.h"
#include "core/config.h"

#define DAY_S 86400

/* All zones read so far, for all threads: entries are added at the front and never change or go (about 600 zones exist, 3 KB each). This
 * is the one thing here that outlives a call, as the tz database is one per machine. */
static _Atomic(struct zone *) zones;

static const struct zone *zone_get(const char *name, size_t length)
{
    for (struct zone *z = atomic_load_explicit(&zones, memory_order_acquire); z; z = z->next)
        if (strncmp(z->name, name, length) == 0 && z->name[length] == 0) return z;
    struct zone *z = zone_read(name, length);
    if (!z) return NULL;
    z->next = atomic_load(&zones);
    while (!atomic_compare_exchange_weak(&zones, &z->next, z)) /* two threads may add the same one: harmless */
        ;
    return z;
}

/* Walks "A+B": the next name's length, 0 at the end. */
static size_t next_name(const char **at)
{
    if (**at == '+') ++*at;
    return strcspn(*at, "+");
}

bool zone_known(const char *zone)
{
    size_t length;
    if (!*zone) return false;
    for (const char *at = zone; (length = next_name(&at)) > 0; at += length)
        if (!zone_get(at, length)) return false;
    return true;
}

static int32_t offset_of(const char *name, size_t length, int64_t utc_s)
{
    const struct zone *z = zone_get(name, length);
    return z ? zone_offset(z, utc_s) : 0;
}

int32_t zone_offset_s(const char *zone, int64_t utc_s) { return offset_of(zone, strcspn(zone, "+"), utc_s); }

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* How many seconds until the window opens in a zone, as its clock stands now; 0 = open. */
static int64_t wait_s(const struct window *w, const char *name, size_t length, int64_t utc_s)
{
    int64_t local = utc_s + offset_of(name, length, utc_s);
    int64_t day = floor_div(local, DAY_S), second = local - day * DAY_S;
    int64_t from = w->from * 60, to = w->to * 60;
    bool over_midnight = w->from > w->to, in = true;
    if (w->from != w->to) in = over_midnight ? second >= from || second < to : second >= from && second < to;
    if (in && over_midnight && second < to) day--; /* the small hours belong to the day on which the window opened */
    bool on_day = !w->weekdays || (w->weekdays >> ((day + 3) % 7 + 7) % 7 & 1); /* 1970-01-01 was a Thursday */
    if (in && on_day) return 0;
    int64_t wait = w->from == w->to ? DAY_S - second : from - second;
    return wait > 0 ? wait : wait + DAY_S;
}

int time_of_day_parse(const char *text, uint16_t *minutes)
{
    unsigned h, m;
    int used = 0;
    if (sscanf(text, "%2u:%2u%n", &h, &m, &used) != 2 || text[used] || m > 59 || h * 60 + m > 1440) return -EINVAL;
    *minutes = (uint16_t)(h * 60 + m);
    return 0;
}

bool window_of_config(const struct config_node *node, struct window *window)
{
    *window = (struct window) { 0 };
    if (!node) return false;
    time_of_day_parse(config_str(node, "from", "08:00"), &window->from);
    time_of_day_parse(config_str(node, "to", "21:00"), &window->to);
    return true;
}

bool window_open(const struct window *window, const char *zone, int64_t utc_us)
{
    size_t length;
    for (const char *at = zone; (length = next_name(&at)) > 0; at += length)
        if (wait_s(window, at, length, utc_us / 1000000) > 0) return false;
    return true;
}

/* Each zone that is closed moves the time to its next opening, until none is closed (clock changes are met on the way). */
int64_t window_next(const struct window *window, const char *zone, int64_t utc_us)
{
    int64_t now = utc_us / 1000000, t = now;
    while (t - now < 9 * DAY_S) {
        int64_t longest = 0;
        size_t length;
        for (const char *at = zone; (length = next_name(&at)) > 0; at += length) {
            int64_t wait = wait_s(window, at, length, t);
            if (wait > longest) longest = wait;
        }
        if (longest == 0) return t == now ? utc_us : t * 1000000;
        t += longest;
    }
    return INT64_MAX;
}
