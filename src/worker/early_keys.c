/* early_keys.c: keys of calls that this thread does not know yet.
 *
 * The media thread begins with a call when the broker rings; the script thread hears of it by the lane, on a busy machine a second later.
 * What the far end presses meanwhile waits here. */
#include <string.h>

#include "worker/host_private.h"

void early_key_keep(struct host *host, const struct media_event *event)
{
    struct early_keys *early = &host->early_keys;
    if (early->count == EARLY_KEYS_MAX) /* the oldest was of a call that never came */
        memmove(early->keys, early->keys + 1, --early->count * sizeof(early->keys[0]));
    early->keys[early->count++] = (struct early_key) { .leg = event->leg, .digit = event->digit, .duration = event->duration };
}

/* Of other generations of its slot nothing will be asked any more. */
void early_keys_take(struct channel *channel)
{
    struct early_keys *early = &channel->host->early_keys;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < early->count; i++) {
        const struct early_key *key = &early->keys[i];
        if (key->leg.number != channel->leg.number)
            early->keys[kept++] = *key;
        else if (key->leg.generation == channel->leg.generation)
            channel_digit_queue(channel, key->digit, key->duration);
    }
    early->count = kept;
}
