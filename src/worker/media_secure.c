/* media_secure.c: SRTP of a leg: keys taken over and changed, packets sealed and opened. */
#include <errno.h>

#include "core/log.h"
#include "worker/media_internal.h"

/* A direction whose text stays the same keeps its state: its packet index counts on over a re-INVITE (RFC 4568 §7.1.4). */
static int direction_set(struct secure **at, const char *before, const char *now, bool outbound)
{
    if (*at && !strcmp(before, now)) return 0;
    secure_free(*at);
    *at = NULL;
    return *now ? secure_new(at, now, outbound) : 0;
}

/* Keys that cannot be used never mean plain RTP: the leg falls silent and says so. */
void leg_secure_set(struct media *m, struct leg *leg, const struct slot_media *media)
{
    int out = direction_set(&leg->secure_out, leg->media.crypto_local, media->crypto_local, true);
    int in = direction_set(&leg->secure_in, leg->media.crypto_remote, media->crypto_remote, false);
    leg->secure_broken = out || in || !*media->crypto_local != !*media->crypto_remote;
    if (leg->secure_broken)
        log_err(NULL, "media: slot %u: SRTP was agreed with keys that cannot be used (%s): no audio", m->first_slot + leg->number,
                strerror(out  ? -out
                         : in ? -in
                              : EINVAL));
}

void leg_secure_clear(struct leg *leg)
{
    secure_free(leg->secure_out);
    secure_free(leg->secure_in);
    leg->secure_out = leg->secure_in = NULL;
}

bool leg_secure_open(struct media *m, struct leg *leg, uint8_t *bytes, size_t *length, bool rtcp)
{
    uint32_t size = (uint32_t)*length;
    if (leg->secure_broken) return false;
    if (!leg->secure_in) return true;
    if (secure_unprotect(leg->secure_in, bytes, &size, rtcp)) {
        leg->packets_refused++;
        return false;
    }
    *length = size;
    return true;
}

uint32_t leg_secure_room(const struct leg *leg, uint32_t bytes) { return leg->secure_out ? bytes + SECURE_TRAILER_MAX : bytes; }

bool leg_secure_seal(struct leg *leg, uint8_t *packet, uint32_t *bytes, bool rtcp)
{
    if (leg->secure_broken) return false;
    return !leg->secure_out || !secure_protect(leg->secure_out, packet, bytes, rtcp);
}
