/* event.c: see event.h. */
#include "broker/event.h"

#include <time.h>

#include "bus/eventlog.h"
#include "core/clock.h"
#include "core/local_address.h"
#include "core/log.h"

static void add_global(struct kv *out, struct broker *broker, const char *header, const char *name, const char *otherwise)
{
    kv_add(out, header, kv_get_or(kv_view(&broker->globals), name, otherwise));
}

static void add_dates(struct kv *out)
{
    char text[64];
    int64_t us = clock_utc_us();
    time_t seconds = (time_t)(us / 1000000);
    struct tm local, gmt;
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &local));
    kv_add(out, "Event-Date-Local", text);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &gmt));
    kv_add(out, "Event-Date-GMT", text);
    kv_add_int(out, "Event-Date-Timestamp", us);
}

static void add_standard(struct kv *out, struct broker *broker, const char *name, const char *subclass)
{
    static uint64_t sequence;
    kv_add(out, "Event-Name", name);
    add_global(out, broker, "Core-UUID", "core_uuid", NULL);
    add_global(out, broker, "FreeSWITCH-Hostname", "hostname", "localhost");
    add_global(out, broker, "FreeSWITCH-Switchname", "switchname", kv_get_or(kv_view(&broker->globals), "hostname", "localhost"));
    static char ipv4[LOCAL_ADDRESS_SIZE], ipv6[LOCAL_ADDRESS_SIZE];
    if (!ipv4[0]) local_address_v4(ipv4);
    if (!ipv6[0]) local_address_v6(ipv6);
    add_global(out, broker, "FreeSWITCH-IPv4", "local_ip_v4", ipv4);
    add_global(out, broker, "FreeSWITCH-IPv6", "local_ip_v6", ipv6);
    add_dates(out);
    kv_add(out, "Event-Calling-File", "sofia_reg.c");
    kv_add(out, "Event-Calling-Function", "sofia_reg_handle_register");
    kv_add(out, "Event-Calling-Line-Number", "1");
    kv_add_int(out, "Event-Sequence", (int64_t)++sequence);
    kv_add(out, "Event-Subclass", subclass);
}

void event_fire(struct broker *broker, enum event_type type, const char *name, const char *subclass, const struct kv *pairs)
{
    struct event_head head = { .type = (uint16_t)type, .utc_us = clock_utc_us() };
    struct kv all = KV_INIT;
    struct kv_pair pair;
    size_t at = 0;
    if (!event_wanted(broker->segment, head.type)) return;
    add_standard(&all, broker, name, subclass);
    while (kv_next(kv_view(pairs), &at, &pair)) kv_add_bytes(&all, pair.name, pair.value, pair.value_length);
    if (eventlog_publish(segment_eventlog(broker->segment, broker->args->process), &head, kv_view(&all)) < 0)
        log_warning(NULL, "an event %s is too long and was not published", subclass ? subclass : name);
    else
        COUNT(broker, events_published, 1);
    kv_free(&all);
}
