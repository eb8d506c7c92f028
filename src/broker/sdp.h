/* sdp.h: the session descriptions of a call: RFC 3264 offers and answers for one audio stream, RFC 4566 by sofia's parser.
 *
 * A call has one list of codecs (the trunk's or the request's); an offer holds all of them, an answer the first of
 * the offer's that is in it. What was agreed is a struct slot_media, which the media thread reads. Texts from the wire
 * are bounded to SDP_BYTES_MAX before they come here. */
#ifndef BROKER_SDP_H
#define BROKER_SDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/sdp_crypto.h"
#include "bus/slot.h"

#define SDP_BYTES_MAX   8192
#define SDP_TEXT_MAX    2048 /* what we write */
#define SDP_CODECS_MAX  8
#define SDP_STREAMS_MAX 8 /* m= lines of a description that we answer */
#define SDP_EVENT_PT    101
#define SDP_NOISE_PT    13

struct sdp_codec {
    char name[16];
    uint8_t payload_type;
    uint32_t clock_rate;
    uint16_t channels;
    uint8_t ptime_ms; /* from "PCMU@30i"; 0 = nothing said */
};
struct sdp_codecs {
    struct sdp_codec list[SDP_CODECS_MAX];
    unsigned count;
    struct sdp_crypto crypto; /* and whether the audio is encrypted */
    bool comfort_noise;       /* offered, and sent where it is agreed (RFC 3389) */
};
/* "PCMU,PCMA" (FreeSWITCH's "PCMU@30i" too; of what follows @ the ptime alone counts). out->crypto and comfort_noise stay as they are.
 * -EINVAL if no known codec is in it. */
int sdp_codecs_parse(struct sdp_codecs *out, const char *names);

/* Our side of a description. */
struct sdp_local {
    const char *address; /* advertised, IPv4 or IPv6 text */
    uint16_t port;
    uint64_t session, version;
    const char *direction; /* "sendrecv", "sendonly", "recvonly", "inactive" */
};

/* An offer with all codecs, telephone-event and ptime 20. Returns its length, or -EMSGSIZE. */
int sdp_offer_write(char *out, size_t size, const struct sdp_local *local, const struct sdp_codecs *codecs);

/* What an answer must say of an offer's streams: the audio stream is chosen, each other one is refused with port 0. */
struct sdp_streams {
    unsigned count, audio; /* audio = index of the accepted one */
    uint32_t crypto_tag;   /* of its a=crypto line that we take */
    struct {
        char type[16], protocol[24], format[16];
    } stream[SDP_STREAMS_MAX];
};

/* The far end's answer to our offer: fills media (all but nat, early). -EINVAL broken, -ENOTSUP no codec of ours. */
int sdp_answer_read(const char *text, size_t length, const struct sdp_codecs *offered, struct slot_media *media);
/* The far end's offer: the same, and what an answer needs. `codecs` is what we allow; the offer's order decides. */
int sdp_offer_read(const char *text, size_t length, const struct sdp_codecs *codecs, struct slot_media *media, struct sdp_streams *streams);
/* The answer to an offer that was read: the codec and events of media, the direction that mirrors it. Length or -EMSGSIZE. */
int sdp_answer_write(char *out, size_t size, const struct sdp_local *local, const struct slot_media *media,
                     const struct sdp_streams *streams);
/* Our direction for a media that was read: what the far end sends we receive. */
const char *sdp_direction_of(const struct slot_media *media);
/* The remote address as text ("" if none) and its port. */
const char *sdp_remote_text(const struct slot_media *media, char *out, size_t size, uint16_t *port);

#endif
