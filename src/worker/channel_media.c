/* channel_media.c: a call's audio: operations of the media thread, and the legs they run on. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bus/slot.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/host_private.h"

#define RTP_OVERHEAD_BYTES 12u

void channel_leg_set(struct channel *channel, uint32_t leg, uint32_t generation)
{
    struct host *host = channel->host;
    if (leg >= host->legs) {
        size_t legs = host->legs;
        while (legs <= leg) legs = legs ? legs * 2 : 64;
        struct channel **by_leg = realloc(host->by_leg, legs * sizeof(*by_leg));
        if (!by_leg) return;
        memset(by_leg + host->legs, 0, (legs - host->legs) * sizeof(*by_leg));
        host->by_leg = by_leg;
        host->legs = legs;
    }
    channel->leg = (struct media_leg) { .number = leg, .generation = generation };
    host->by_leg[leg] = channel;
    early_keys_take(channel);
    channel_media_timeouts(channel);
}

void channel_leg_clear(struct channel *channel)
{
    struct host *host = channel->host;
    if (channel->leg.number == LEG_NONE) return;
    if (host->by_leg[channel->leg.number] == channel) host->by_leg[channel->leg.number] = NULL;
    if (channel->facts.kind != CHANNEL_SIP) media_leg_close(host->media, channel->leg);
    channel->leg.number = LEG_NONE;
    /* What the media thread has not yet reported ends here: nobody would take the report. */
    while (channel->operations) {
        struct operation *operation = channel->operations;
        channel->operations = operation->next;
        fiber_post(operation->fiber,
                   &(struct happening) { .kind = HAPPENING_DONE, .channel = channel, .token = operation->token, .reason = MEDIA_GONE });
        fiber_unref(operation->fiber);
        free(operation);
    }
}

__attribute__((format(printf, 3, 4))) static void figure_set(struct channel *channel, const char *name, const char *format, ...)
{
    char variable[64], text[32];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(variable, sizeof(variable), "rtp_audio_%s", name);
    channel_variable_set(channel, variable, text);
}

/* FreeSWITCH's names, for what we count as FreeSWITCH does; bytes are whole packets there. in_jitter_ms (RFC 3550) and rtt_ms are our own.
 */
void channel_media_variables(struct channel *channel)
{
    struct slot_totals totals;
    if (channel->facts.kind != CHANNEL_SIP || channel->leg.number == LEG_NONE || !media_totals(channel->host->media, channel->leg, &totals))
        return;
    unsigned long long received = totals.packets_received, sent = totals.packets_sent, lost = totals.packets_lost;
    unsigned long long bytes_in = totals.bytes_received, bytes_out = totals.bytes_sent + RTP_OVERHEAD_BYTES * totals.packets_sent;
    figure_set(channel, "in_raw_bytes", "%llu", bytes_in);
    figure_set(channel, "in_media_bytes", "%llu", bytes_in);
    figure_set(channel, "in_packet_count", "%llu", received);
    figure_set(channel, "in_media_packet_count", "%llu", received);
    figure_set(channel, "in_skip_packet_count", "%llu", lost);
    figure_set(channel, "in_jitter_loss_rate", "%.2f", received + lost ? 100.0 * (double)lost / (double)(received + lost) : 0.0);
    figure_set(channel, "in_jitter_ms", "%.2f", totals.jitter_us / 1000.0);
    figure_set(channel, "in_mos", "%.2f", totals.mos_x100 / 100.0);
    figure_set(channel, "out_raw_bytes", "%llu", bytes_out);
    figure_set(channel, "out_media_bytes", "%llu", bytes_out);
    figure_set(channel, "out_packet_count", "%llu", sent);
    figure_set(channel, "out_media_packet_count", "%llu", sent);
    figure_set(channel, "rtt_ms", "%.2f", totals.rtt_us / 1000.0);
}

/* FreeSWITCH's newer names are in milliseconds, its older ones in seconds; a hold lasts ten times as long unless it is named, too. */
static const char *const timeout_names[2][2] = { { "media_timeout", "rtp_timeout_sec" }, { "media_hold_timeout", "rtp_hold_timeout_sec" } };

bool channel_is_timeout(const char *name)
{
    for (int i = 0; i < 4; i++)
        if (!strcasecmp(name, timeout_names[i / 2][i % 2])) return true;
    return false;
}

/* In ms; -1 = nothing was said. */
static int64_t timeout_of(struct channel *channel, const char *const names[2])
{
    for (int i = 0; i < 2; i++) {
        const char *text = channel_variable(channel, names[i]);
        long long value = text ? atoll(text) : -1;
        if (value >= 0) return value > 86400000 ? 86400000 : i ? value * 1000 : value;
    }
    return -1;
}

void channel_media_timeouts(struct channel *channel)
{
    int64_t ms = timeout_of(channel, timeout_names[0]), hold_ms = timeout_of(channel, timeout_names[1]);
    if (channel->leg.number == LEG_NONE || channel->facts.kind != CHANNEL_SIP || (ms < 0 && hold_ms < 0)) return;
    const struct config_node *config = channel->host->config;
    if (hold_ms < 0) hold_ms = ms * 10;
    if (ms < 0) ms = config_int(config, "media.rtp_timeout_s", 0) * 1000;
    media_timeouts(channel->host->media, channel->leg, (uint32_t)ms, (uint32_t)hold_ms);
}

static bool channel_has_audio(const struct channel *channel) { return channel->facts.up && channel->leg.number != LEG_NONE; }

static struct operation *operation_new(struct channel *channel, struct fiber *fiber, uint64_t token)
{
    struct operation *operation = calloc(1, sizeof(*operation));
    if (!operation) return NULL;
    *operation = (struct operation) { .token = token, .fiber = fiber_ref(fiber), .next = channel->operations };
    channel->operations = operation;
    return operation;
}

static void operation_drop(struct channel *channel, struct operation *operation)
{
    struct operation **at = &channel->operations;
    while (*at != operation) at = &(*at)->next;
    *at = operation->next;
    fiber_unref(operation->fiber);
    free(operation);
}

static int operation_began(struct channel *channel, struct operation *operation, int error)
{
    if (error < 0) operation_drop(channel, operation);
    return error;
}

int channel_play(struct channel *channel, struct fiber *fiber, uint64_t token, const char *source, uint64_t start, uint32_t flags)
{
    if (!channel_has_audio(channel)) return -ENOTCONN;
    struct operation *operation = operation_new(channel, fiber, token);
    if (!operation) return -ENOMEM;
    return operation_began(channel, operation, media_play(channel->host->media, channel->leg, token, source, start, flags));
}

int channel_record(struct channel *channel, struct fiber *fiber, uint64_t token, const struct record_params *params)
{
    if (!channel_has_audio(channel)) return -ENOTCONN;
    struct operation *operation = operation_new(channel, fiber, token);
    if (!operation) return -ENOMEM;
    return operation_began(channel, operation, media_record(channel->host->media, channel->leg, token, params));
}

int channel_send_digits(struct channel *channel, struct fiber *fiber, uint64_t token, const char *digits, uint32_t duration_ms)
{
    if (!channel_has_audio(channel)) return -ENOTCONN;
    struct operation *operation = operation_new(channel, fiber, token);
    if (!operation) return -ENOMEM;
    return operation_began(channel, operation, media_send_digits(channel->host->media, channel->leg, token, digits, duration_ms));
}

int channel_operation_control(struct channel *channel, uint64_t token, int control, int64_t value)
{
    return media_control(channel->host->media, token, (enum media_control)control, value);
}

int channel_operation_stop(struct channel *channel, uint64_t token) { return media_stop(channel->host->media, token); }

void channel_bridged_mark(struct channel *channel, bool on)
{
    if (channel->facts.bridged == on) return;
    channel->facts.bridged = on;
    if (on && !channel->facts.bridged_us) channel->facts.bridged_us = clock_utc_us();
    guest_tell_bridged(channel, on);
    channel_changed(channel);
}

int channel_bridge(struct channel *a, struct channel *b)
{
    if (!channel_has_audio(a) || !channel_has_audio(b)) return -ENOTCONN;
    int error = media_bridge(a->host->media, a->leg, b->leg);
    if (error < 0) return error;
    channel_bridged_mark(a, true);
    channel_bridged_mark(b, true);
    return 0;
}

int channel_unbridge(struct channel *channel)
{
    channel_bridged_mark(channel, false);
    return channel->leg.number == LEG_NONE ? -ENOTCONN : media_unbridge(channel->host->media, channel->leg);
}

int channel_echo(struct channel *channel, bool on, uint32_t delay_ms)
{
    return channel->leg.number == LEG_NONE ? -ENOTCONN : media_echo(channel->host->media, channel->leg, on, delay_ms);
}

int channel_room_join(struct channel *channel, uint32_t room, const struct room_member *member)
{
    return channel->leg.number == LEG_NONE ? -ENOTCONN : media_room_join(channel->host->media, room, channel->leg, member);
}

int channel_room_leave(struct channel *channel)
{
    return channel->leg.number == LEG_NONE ? -ENOTCONN : media_room_leave(channel->host->media, channel->leg);
}

int channel_mute(struct channel *channel, bool read, bool write)
{
    return channel->leg.number == LEG_NONE ? -ENOTCONN : media_mute(channel->host->media, channel->leg, read, write);
}

int channel_gain(struct channel *channel, bool read, int level)
{
    return channel->leg.number == LEG_NONE ? -ENOTCONN : media_gain(channel->host->media, channel->leg, read, level);
}

int channel_listen(struct channel *listener, struct channel *target, bool whisper_target, bool whisper_partner)
{
    if (listener->leg.number == LEG_NONE || (target && target->leg.number == LEG_NONE)) return -ENOTCONN;
    struct media_leg nobody = { .number = LEG_NONE };
    return media_listen(listener->host->media, listener->leg, target ? target->leg : nobody, whisper_target, whisper_partner);
}

int channel_detect(struct channel *channel, struct fiber *fiber, uint64_t token, const struct detect_params *params)
{
    if (!channel_has_audio(channel)) return -ENOTCONN;
    struct operation *operation = operation_new(channel, fiber, token);
    if (!operation) return -ENOMEM;
    return operation_began(channel, operation, media_detect(channel->host->media, channel->leg, token, params));
}

static void room_told(struct channel *channel, const struct media_event *event)
{
    static const char *const words[] = { "", "talks", "quiet", "floor" };
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "call-command", "conference");
    kv_add(&pairs, "what", words[event->value & 3]);
    kv_add_int(&pairs, "energy", event->duration);
    channel_tell(channel, &(struct happening) { .kind = HAPPENING_EVENT, .channel = channel, .pairs = kv_view(&pairs) });
    kv_free(&pairs);
}

static struct channel *event_channel(struct host *host, const struct media_event *event)
{
    if (event->leg.number >= host->legs) return NULL;
    struct channel *channel = host->by_leg[event->leg.number];
    return channel && channel->leg.generation == event->leg.generation ? channel : NULL;
}

static void operation_done(struct channel *channel, const struct media_event *event)
{
    for (struct operation *operation = channel->operations; operation; operation = operation->next) {
        if (operation->token != event->operation) continue;
        fiber_post(operation->fiber, &(struct happening) { .kind = HAPPENING_DONE,
                                                           .channel = channel,
                                                           .token = event->operation,
                                                           .reason = (int)event->reason,
                                                           .samples = event->samples,
                                                           .position = event->position,
                                                           .bytes = event->bytes,
                                                           .lost = event->lost,
                                                           .rate = event->rate,
                                                           .ms = event->ms });
        operation_drop(channel, operation);
        return;
    }
}

static void operation_hit(struct channel *channel, const struct media_event *event)
{
    for (struct operation *operation = channel->operations; operation; operation = operation->next)
        if (operation->token == event->operation)
            fiber_post(
                operation->fiber,
                &(struct happening) { .kind = HAPPENING_WAKE, .channel = channel, .token = event->operation, .value = event->value });
}

void host_media_event(void *context, const struct media_event *event)
{
    struct channel *channel = event_channel(context, event);
    if (!channel && event->kind == MEDIA_DIGIT) early_key_keep(context, event);
    if (!channel) return;
    switch (event->kind) {
    case MEDIA_DIGIT:
        channel_digit_heard(channel, event->digit, event->duration, event->value ? DIGIT_INBAND : DIGIT_EVENT);
        break;
    case MEDIA_DONE:
        operation_done(channel, event);
        break;
    case MEDIA_UNBRIDGED:
        channel_bridged_mark(channel, false);
        break;
    case MEDIA_DETECTED:
        operation_hit(channel, event);
        break;
    case MEDIA_SILENT:
        log_info(channel->facts.uuid_text, "nothing was received for longer than its RTP timeout: hanging up");
        channel_hangup(channel, 804 /* MEDIA_TIMEOUT */);
        break;
    case MEDIA_ENDED:
        channel_end_told(channel);
        break;
    case MEDIA_ROOM:
        room_told(channel, event);
        break;
    case MEDIA_STARTED:
        break;
    }
}
