/* esl_event.c: one event, serialised once for each format; and events of control's own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "bus/counter.h"
#include "control/esl_own.h"
#include "core/local_address.h"

#define HEARTBEAT_NS       (20 * NS_PER_S)
#define OWN_LOG_READ_BYTES (128u << 10)

const char *esl_event_get(struct esl_event *event, const char *name)
{
    for (unsigned i = 0; i < event->lookup_count; i++)
        if (strcasecmp(event->lookups[i].name, name) == 0) return event->lookups[i].value;
    const char *value = esl_header(event->pairs, name);
    if (event->lookup_count < ESL_LOOKUPS) {
        event->lookups[event->lookup_count].name = name;
        event->lookups[event->lookup_count++].value = value;
    }
    return value;
}

/* Content-Length first, then Content-Type: as FreeSWITCH writes them. */
struct esl_text *esl_event_text(struct esl_event *event, enum esl_format format)
{
    if (event->text[format] != NULL) return event->text[format];
    struct buf body = BUF_INIT, whole = BUF_INIT;
    char position[48];
    snprintf(position, sizeof position, "%u:%llu", event->head.producer, (unsigned long long)event->head.sequence);
    int rc = esl_form(&body, format, event->pairs, event->head.sequence > 0 ? position : NULL);
    if (rc == 0) rc = buf_printf(&whole, "Content-Length: %zu\nContent-Type: text/event-%s\n\n", body.length, esl_format_name(format));
    if (rc == 0) rc = buf_put(&whole, body.data, body.length);
    if (rc == 0) event->text[format] = esl_text_new(whole.data, whole.length);
    if (event->text[format] != NULL) event->text[format]->event = true;
    buf_free(&body);
    buf_free(&whole);
    return event->text[format];
}

void esl_event_release(struct esl_event *event)
{
    for (int i = 0; i < ESL_FORMATS; i++) esl_text_release(event->text[i]);
}

/* --- events of our own ------------------------------------------------------------------------------------------ */

static int add(struct kv *pairs, const char *name, const char *value) { return *value != 0 ? kv_add(pairs, name, value) : 0; }

static int add_dates(struct kv *pairs, int64_t utc_us)
{
    time_t seconds = (time_t)(utc_us / 1000000);
    struct tm local, gmt;
    char text[64];
    localtime_r(&seconds, &local);
    gmtime_r(&seconds, &gmt);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    int rc = kv_add(pairs, "Event-Date-Local", text);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &gmt);
    if (rc == 0) rc = kv_add(pairs, "Event-Date-GMT", text);
    return rc == 0 ? kv_add_int(pairs, "Event-Date-Timestamp", utc_us) : rc;
}

int esl_event_make(struct esl *esl, struct kv *pairs, const char *name, const char *subclass, const char *function)
{
    int rc = kv_add(pairs, "Event-Name", name);
    if (rc == 0) rc = add(pairs, "Core-UUID", esl->core_uuid);
    if (rc == 0) rc = add(pairs, "FreeSWITCH-Hostname", esl->hostname);
    if (rc == 0) rc = add(pairs, "FreeSWITCH-Switchname", esl->switchname);
    if (rc == 0) rc = add(pairs, "FreeSWITCH-IPv4", esl->ipv4);
    if (rc == 0) rc = add(pairs, "FreeSWITCH-IPv6", esl->ipv6);
    if (rc == 0) rc = add_dates(pairs, clock_utc_us());
    if (rc == 0) rc = kv_add(pairs, "Event-Calling-File", "event_socket.c");
    if (rc == 0) rc = kv_add(pairs, "Event-Calling-Function", function);
    if (rc == 0) rc = kv_add(pairs, "Event-Calling-Line-Number", "1");
    if (rc == 0) rc = kv_add_int(pairs, "Event-Sequence", (int64_t)++esl->event_sequence);
    return rc == 0 && subclass != NULL ? kv_add(pairs, "Event-Subclass", subclass) : rc;
}

/* Control's own log is small and its events (outputs of jobs) may be big: it must not lap its reader before the next look. */
static void own_log_read(struct esl *esl, size_t bytes)
{
    esl->own_bytes += bytes;
    if (esl->own_bytes < OWN_LOG_READ_BYTES) return;
    esl->own_bytes = 0;
    esl_reader_read(esl);
}

void esl_event_fire(struct esl *esl, uint16_t type, const struct kv *pairs)
{
    struct event_head head = { .producer = BUS_CONTROL, .type = type, .utc_us = clock_utc_us() };
    struct uuid call;
    const char *unique = esl_header(kv_view(pairs), "Unique-ID");
    if (unique != NULL && uuid_parse(&call, unique) == 0) memcpy(head.call, call.bytes, sizeof head.call);
    if (!event_wanted(esl->segment, type)) return;
    if (eventlog_publish(segment_eventlog(esl->segment, BUS_CONTROL), &head, kv_view(pairs)) == 0) {
        counter_add(counter_at(esl->segment, BUS_CONTROL, COUNTER_events_published), 1);
        own_log_read(esl, kv_view(pairs).length);
        return;
    }
    /* A job's output may be 16 MB; scripts do not see it then, and it cannot be resumed. */
    head.sequence = 0;
    esl_distribute(esl, &head, kv_view(pairs));
    for (struct esl_client *client = esl->clients; client != NULL; client = client->next)
        if (client->dirty) esl_client_flush(client);
}

void esl_event_tell(struct esl_client *client, const struct kv *pairs)
{
    struct esl_event event = { .pairs = kv_view(pairs) };
    struct esl_text *text = esl_event_text(&event, client->format);
    if (text == NULL || esl_queue_put(&client->queue, text) < 0) esl_client_end(client);
    esl_event_release(&event);
}

/* --- who we are, and HEARTBEAT ------------------------------------------------------------------------------------ */

/* The engine's id of this start, which every process makes alike from the segment (a worker's is its global `core_uuid`). */
static void core_uuid_make(struct esl *esl)
{
    uint64_t halves[2] = { segment_boot_id(esl->segment), (uint64_t)segment_started_utc_us(esl->segment) * 0x9e3779b97f4a7c15ULL };
    struct uuid id;
    memcpy(id.bytes, halves, sizeof id.bytes);
    id.bytes[6] = (uint8_t)(0x40 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    uuid_text(&id, esl->core_uuid);
}

static void add_up_time(struct kv *pairs, int64_t up_us)
{
    int64_t ms = up_us / 1000, s = ms / 1000;
    kv_addf(pairs, "Up-Time", "%lld years, %lld days, %lld hours, %lld minutes, %lld seconds, %lld milliseconds, %lld microseconds",
            (long long)(s / 31536000), (long long)(s / 86400 % 365), (long long)(s / 3600 % 24), (long long)(s / 60 % 60),
            (long long)(s % 60), (long long)(ms % 1000), (long long)(up_us % 1000));
}

/* Only what the engine counts; FreeSWITCH's rates over five minutes are not invented. */
static void heartbeat_publish(struct esl *esl)
{
    struct kv pairs = KV_INIT;
    struct proc_view supervisor;
    proc_look(esl->segment, BUS_SUPERVISOR, &supervisor);
    int64_t up_us = supervisor.started_utc_us > 0 ? clock_utc_us() - supervisor.started_utc_us : 0;
    const struct config_node *root = config_root(esl->control->args->config);
    if (esl_event_make(esl, &pairs, "HEARTBEAT", NULL, "heartbeat_publish") == 0) {
        kv_add(&pairs, "Event-Info", segment_draining(esl->segment) ? "System Draining" : "System Ready");
        add_up_time(&pairs, up_us);
        kv_add_int(&pairs, "Uptime-msec", up_us / 1000);
        kv_add_int(&pairs, "Session-Count", (int64_t)counter_sum(esl->segment, COUNTER_calls_active));
        kv_add_int(&pairs, "Max-Sessions", config_int(root, "limits.concurrent", 0));
        kv_addf(&pairs, "Session-Per-Sec", "%.10g", config_num(root, "limits.cps", 0));
        kv_add_int(&pairs, "Session-Since-Startup",
                   (int64_t)(counter_sum(esl->segment, COUNTER_calls_started) + counter_sum(esl->segment, COUNTER_calls_inbound)));
        esl_event_fire(esl, ESL_HEARTBEAT, &pairs);
    }
    kv_free(&pairs);
}

static void heartbeat_fired(struct loop_timer *timer)
{
    struct esl *esl = timer->context;
    if (event_wanted(esl->segment, ESL_HEARTBEAT)) heartbeat_publish(esl);
    esl_calls_check(esl);
    loop_timer_set(esl->loop, timer, clock_mono_ns() + HEARTBEAT_NS);
}

void esl_heartbeat_start(struct esl *esl)
{
    core_uuid_make(esl);
    gethostname(esl->hostname, sizeof esl->hostname - 1);
    const struct config_node *globals = config_get(config_root(esl->control->args->config), "globals");
    snprintf(esl->switchname, sizeof esl->switchname, "%s", config_str(globals, "switchname", esl->hostname));
    char ipv4[LOCAL_ADDRESS_SIZE], ipv6[LOCAL_ADDRESS_SIZE];
    local_address_v4(ipv4);
    local_address_v6(ipv6);
    snprintf(esl->ipv4, sizeof esl->ipv4, "%s", config_str(globals, "local_ip_v4", ipv4));
    snprintf(esl->ipv6, sizeof esl->ipv6, "%s", config_str(globals, "local_ip_v6", ipv6));
    esl->heartbeat = (struct loop_timer) { .fire = heartbeat_fired, .context = esl };
    loop_timer_set(esl->loop, &esl->heartbeat, clock_mono_ns() + HEARTBEAT_NS);
}
