/* channel_variables.c: a call's variables, profile fields and queued digits. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "worker/host_private.h"

const char *channel_variable(struct channel *channel, const char *name) { return names_get(&channel->variables, name); }

void channel_variable_set(struct channel *channel, const char *name, const char *value)
{
    if (!name || !name[0]) return;
    names_set(&channel->variables, name, value && value[0] ? value : NULL);
    guest_tell_variable(channel, name, value);
    if ((name[0] == 'm' || name[0] == 'r') && channel_is_timeout(name)) channel_media_timeouts(channel);
}

bool channel_variable_next(struct channel *channel, size_t *at, const char **name, const char **value)
{
    return names_next(&channel->variables, at, name, value);
}

const char *channel_profile(struct channel *channel, const char *field) { return names_get(&channel->profile, field); }

void channel_profile_set(struct channel *channel, const char *field, const char *value)
{
    names_set(&channel->profile, field, value);
    guest_tell_profile(channel, field, value);
}

size_t channel_digits_waiting(const struct channel *channel) { return channel->digits_count; }

bool channel_digit_take(struct channel *channel, char *digit, uint32_t *duration)
{
    if (channel->digits_count == 0) return false;
    const struct digit *oldest = &channel->digits[channel->digits_first];
    *digit = oldest->digit;
    *duration = oldest->duration;
    channel->digits_first = (channel->digits_first + 1) % DIGITS_MAX;
    channel->digits_count--;
    return true;
}

void channel_digits_flush(struct channel *channel) { channel->digits_count = 0; }

void channel_digit_queue(struct channel *channel, char digit, uint32_t duration)
{
    if (guest_tell_digit(channel, digit, duration)) return;
    if (!channel->digits) channel->digits = calloc(DIGITS_MAX, sizeof(*channel->digits));
    if (!channel->digits) return;
    if (channel->digits_count == DIGITS_MAX) { /* the oldest is dropped */
        channel->digits_first = (channel->digits_first + 1) % DIGITS_MAX;
        channel->digits_count--;
    }
    uint32_t at = (channel->digits_first + channel->digits_count++) % DIGITS_MAX;
    channel->digits[at] = (struct digit) { .digit = digit, .duration = duration };
    channel_tell(channel, &(struct happening) { .kind = HAPPENING_DIGIT, .channel = channel });
}

void channel_digit_heard(struct channel *channel, char digit, uint32_t duration, enum digit_form form)
{
    int64_t now_ns = clock_mono_ns();
    if (form > channel->digit_form) return;
    bool again = form < channel->digit_form && channel->digit_form != DIGIT_NONE && digit == channel->digit_last &&
                 now_ns - channel->digit_last_ns < NS_PER_S;
    channel->digit_form = form;
    channel->digit_last = digit;
    channel->digit_last_ns = now_ns;
    if (!again) channel_digit_queue(channel, digit, duration);
}
