/* guard.c: see guard.h. */
#include "broker/guard.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/state.h"
#include "core/clock.h"
#include "core/log.h"

#define LINES_PER_S (1.0 / 20)
#define LINES_BURST 3
#define OVERLOAD_NS (300 * NS_PER_MS)
#define EVERYBODY   1 /* the key of `all` */

void guard_open(struct broker *broker)
{
    struct guard *guard = broker->guard = calloc(1, sizeof *guard);
    if (!guard) return;
    double source_cps = config_num(broker->config, "sip.source_cps", 20), all_cps = config_num(broker->config, "limits.inbound_cps", 0);
    guard->lines.per_s = LINES_PER_S;
    guard->lines.burst = LINES_BURST;
    guard->sources_limited = source_cps > 0;
    guard->sources.per_s = source_cps;
    guard->sources.burst = source_cps < 1 ? 1 : source_cps;
    guard->all_limited = all_cps > 0;
    guard->all.per_s = all_cps;
    guard->all.burst = all_cps < 1 ? 1 : all_cps;
}

void guard_close(struct broker *broker)
{
    free(broker->guard);
    broker->guard = NULL;
}

/* The word up to the first blank, if it is one. */
static void method_clean(const char *from, char *out, size_t size)
{
    size_t n = 0;
    for (; from && n + 1 < size && isupper((unsigned char)from[n]); n++) out[n] = from[n];
    out[n] = 0;
    if (!n) snprintf(out, size, "request");
}

static void name_source(struct broker *broker, const struct sockaddr *source, const char *method, const char *why)
{
    char ip[64] = "", word[16];
    const su_sockaddr_t *address = (const su_sockaddr_t *)(const void *)source;
    if (!rate_take(&broker->guard->lines, rate_key(source, ""), clock_mono_ns())) return;
    su_inet_ntop(address->su_family, SU_ADDR(address), ip, sizeof ip);
    method_clean(method, word, sizeof word);
    log_warning(NULL, "SIP %s from %s refused: %s", word, ip, why);
}

void guard_dropped(struct broker *broker, const struct sockaddr *source, const char *method)
{
    COUNT(broker, sip_dropped, 1);
    if (broker->guard && source) name_source(broker, source, method, "unknown source");
}

const char *guard_refuses(struct broker *broker, const struct sockaddr *source, bool trunk)
{
    struct guard *guard = broker->guard;
    int64_t now = clock_mono_ns();
    const char *why = NULL;
    if (!guard) return NULL;
    if (guard->late_ns > OVERLOAD_NS)
        why = "overload";
    else if (guard->sources_limited && !trunk && source && !rate_take(&guard->sources, rate_key(source, ""), now))
        why = "too many calls from this source";
    else if (guard->all_limited && !rate_take(&guard->all, EVERYBODY, now))
        why = "too many calls per second";
    if (!why) return NULL;
    COUNT(broker, sip_refused, 1);
    if (source) name_source(broker, source, "INVITE", why);
    return why;
}

/* An eighth of the way to each new figure: a single hiccup refuses nobody, a second of trouble does. */
void guard_lateness(struct broker *broker, int64_t late_ns)
{
    if (broker->guard) broker->guard->late_ns += (late_ns - broker->guard->late_ns) / 8;
}
