/* channel_end.c: a SIP call's end as the broker tells it (MSG_CALL_ENDED).
 *
 * What the far end said before it hung up comes by another way: keys that were pressed are events of the media thread. So the
 * end waits until the media thread has told all of that leg (MEDIA_ENDED, some milliseconds): a script sees the key first, then the hangup.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/causes.h"
#include "core/clock.h"
#include "worker/host_private.h"

/* A recording that is slow to close, or a leg that never began, must not keep a call. */
#define HOLD_NS (200 * NS_PER_MS)

static void ended_variables(struct channel *channel, struct kv_view pairs, int cause)
{
    const char *status = kv_get(pairs, "sip_status");
    char text[32];
    if (status && atoi(status) > 0) {
        channel_variable_set(channel, "sip_term_status", status);
        snprintf(text, sizeof(text), "sip:%s", status);
        channel_variable_set(channel, "proto_specific_hangup_cause", text);
    }
    snprintf(text, sizeof(text), "%d", cause);
    channel_variable_set(channel, "sip_term_cause", text);
    bool them = strcmp(kv_get_or(pairs, "by", "them"), "them") == 0;
    if (them) channel_variable_set(channel, "sip_hangup_disposition", channel->facts.answered ? "recv_bye" : "recv_cancel");
    channel_sip_headers(channel, pairs, "sip_bye_h_");
}

static void end_now(struct channel *channel, struct kv_view pairs)
{
    int number = (int)kv_get_int(pairs, "q850", 0); /* also of a cause that has no name */
    int cause = number > 0 ? number : cause_number(kv_get(pairs, "cause"));
    ended_variables(channel, pairs, cause);
    channel_mark_over(channel, cause, 0);
    channel_settled(channel);
}

void channel_end_told(struct channel *channel)
{
    channel->media_told = true; /* be it before the broker's word comes */
    if (!channel->end_held) return;
    struct kv pairs = channel->end_pairs;
    channel->end_held = false;
    channel->end_pairs = KV_INIT;
    loop_timer_clear(channel->host->loop, &channel->end_hold);
    end_now(channel, kv_view(&pairs));
    kv_free(&pairs);
}

/* If this thread itself was late, what the media thread said in time still lies there. */
static void hold_fired(struct loop_timer *timer)
{
    struct channel *channel = timer->context;
    channel_ref(channel);
    media_events_take(channel->host->media);
    channel_end_told(channel);
    channel_unref(channel);
}

static void end_hold(struct channel *channel, struct kv_view pairs)
{
    size_t at = 0;
    struct kv_pair pair;
    while (kv_next(pairs, &at, &pair)) kv_add_bytes(&channel->end_pairs, pair.name, pair.value, pair.value_length);
    channel->end_held = true;
    channel->end_hold = (struct loop_timer) { .fire = hold_fired, .context = channel };
    loop_timer_set(channel->host->loop, &channel->end_hold, loop_now_ns(channel->host->loop) + HOLD_NS);
}

void channel_end(struct channel *channel, struct kv_view pairs)
{
    if (channel->end_held) return;
    if (channel->facts.up && channel->facts.media_ready && !channel->media_told && channel->leg.number != LEG_NONE)
        end_hold(channel, pairs);
    else
        end_now(channel, pairs);
}

void channel_end_forget(struct channel *channel)
{
    if (!channel->end_held) return;
    loop_timer_clear(channel->host->loop, &channel->end_hold);
    kv_free(&channel->end_pairs);
    channel->end_held = false;
}
