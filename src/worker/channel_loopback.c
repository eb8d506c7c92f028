/* channel_loopback.c: calls without SIP: null/ legs and loopback pairs. */
#include <stdlib.h>

#include "core/clock.h"
#include "worker/host_private.h"

static struct channel *virtual_new(struct host *host, const char *uuid_or_null, enum channel_kind kind, bool outbound)
{
    uint32_t leg;
    if (media_leg_open(host->media, &leg) < 0) return NULL;
    struct channel *channel = channel_new(host, uuid_or_null, kind, outbound);
    if (!channel) {
        media_leg_close(host->media, (struct media_leg) { leg, 1 });
        return NULL;
    }
    channel_leg_set(channel, leg, 1);
    channel_variable_set(channel, "read_codec", "L16");
    channel_variable_set(channel, "write_codec", "L16");
    channel_variable_set(channel, "read_rate", "8000");
    channel_variable_set(channel, "write_rate", "8000");
    return channel;
}

struct channel *channel_new_null(struct host *host, const char *uuid_or_null, bool answered)
{
    struct channel *channel = virtual_new(host, uuid_or_null, CHANNEL_NULL, true);
    if (!channel) return NULL;
    channel->facts.answered = channel->facts.media_ready = answered;
    channel->facts.answered_us = answered ? clock_utc_us() : 0;
    return channel_ref(channel);
}

struct channel *channel_new_voice(struct host *host, uint32_t rate)
{
    uint32_t leg;
    if (media_leg_open_rate(host->media, &leg, rate) < 0) return NULL;
    struct channel *channel = channel_new_hidden(host, NULL, CHANNEL_NULL, true);
    if (!channel) {
        media_leg_close(host->media, (struct media_leg) { leg, 1 });
        return NULL;
    }
    channel_leg_set(channel, leg, 1);
    channel->facts.answered = channel->facts.media_ready = true;
    return channel_ref(channel);
}

struct channel *channel_new_loopback(struct host *host, const char *uuid_or_null, struct channel **other)
{
    struct channel *a = virtual_new(host, uuid_or_null, CHANNEL_LOOPBACK, true);
    if (!a) return NULL;
    struct channel *b = virtual_new(host, NULL, CHANNEL_LOOPBACK, false);
    if (!b) {
        channel_hangup(a, 34 /* NORMAL_CIRCUIT_CONGESTION */);
        return NULL;
    }
    a->peer = b;
    b->peer = a;
    media_leg_join(host->media, a->leg, b->leg);
    channel_variable_set(a, "other_loopback_leg_uuid", b->facts.uuid_text);
    channel_variable_set(b, "other_loopback_leg_uuid", a->facts.uuid_text);
    *other = channel_ref(b);
    return channel_ref(a);
}

/* One end is over: so is the other, with the same cause. */
void channel_loopback_ended(struct channel *channel)
{
    struct channel *peer = channel->peer;
    if (!peer) return;
    channel->peer = peer->peer = NULL;
    channel_hangup(peer, channel->facts.cause);
}
