/* codec.h: what a codec is to the rest: 20 ms of linear audio in, payload bytes out, and back.
 *
 * Two sorts. *Bytewise* codecs (G.711, L16) have no memory: a payload may be cut and joined at any sample, so prompts are played
 * from any position and any ptime is a matter of counting bytes. The others keep state per direction and are opened for each leg. */
#ifndef MEDIA_CODEC_H
#define MEDIA_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CODEC_RATE_MAX      48000u
#define CODEC_FRAME_MS      20u
#define CODEC_FRAME_MAX     (CODEC_RATE_MAX / 50) /* samples of 20 ms, one channel */
#define CODEC_PACKET_MS_MAX 120u
#define CODEC_PACKET_MAX    (CODEC_RATE_MAX * CODEC_PACKET_MS_MAX / 1000)

struct codec_state; /* a codec's own; NULL for bytewise ones */

struct codec_wish {
    uint32_t clock_rate; /* of RTP; 0 = the usual one */
    uint16_t channels;   /* 0 = 1 */
    const char *fmtp;    /* as the far end wants it; NULL = nothing said */
    uint8_t ptime_ms;    /* of what we send */
};

struct codec {
    const char *name;         /* as in SDP: "PCMU" */
    int payload_type;         /* RFC 3551's static one, -1 = dynamic */
    uint32_t rate;            /* of the linear audio: G.722 16000, Opus 16000 (it resamples inside) */
    uint32_t clock_rate;      /* of RTP timestamps: G.722 8000 (RFC 3551 §4.5.2), Opus 48000 (RFC 7587) */
    uint8_t bytes_per_sample; /* bytewise codecs; 0 for the others */
    uint8_t concatenates;     /* payloads of successive frames may be joined into one packet (bytewise ones and G.722) */
    int (*open)(struct codec_state **out, const struct codec *codec, const struct codec_wish *wish, bool encoder);
    void (*close)(struct codec_state *state);
    /* Bytes written or -errno. `samples` is a whole number of 10 ms frames. */
    int (*encode)(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size);
    /* Samples written or -errno (-EBADMSG: not a payload of this codec). */
    int (*decode)(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max);
    /* Fills in for a lost packet: `samples` of them; NULL = the caller conceals by itself. */
    int (*conceal)(struct codec_state *state, int16_t *pcm, size_t samples);
    /* The same from the packet after it, which brings some of it along (in-band FEC); NULL = the codec has no such thing. */
    int (*recover)(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples);
    /* The packet length that it makes instead of the wanted one (10 to 60 ms); NULL = each multiple of 10. */
    uint8_t (*ptime)(uint8_t wanted_ms);
    uint8_t silence; /* bytewise codecs: the byte that is silence (L16: 0) */
};

/* By SDP name (any case) and RTP clock (0 = any); NULL = we do not have it. The result is constant and never freed. */
const struct codec *codec_find(const char *name, uint32_t clock_rate);
/* By static payload type; NULL if none. */
const struct codec *codec_static(int payload_type);
/* The linear codec of this process (host byte order, no packetisation): what virtual legs and decoded prompts use. */
const struct codec *codec_linear(uint32_t rate);

/* The packet length that comes nearest to the far end's wish (any value; 0 = it has none), not longer where there is one. */
static inline uint8_t codec_ptime(const struct codec *codec, uint8_t wanted_ms)
{
    uint8_t ms = !wanted_ms ? CODEC_FRAME_MS : wanted_ms < 10 ? 10 : wanted_ms > 60 ? 60 : (uint8_t)(wanted_ms / 10 * 10);
    return codec->ptime ? codec->ptime(ms) : ms;
}

static inline uint32_t codec_frame_samples(const struct codec *codec) { return codec->rate / 50; }

/* RTP timestamp steps for so many samples of linear audio. */
static inline uint32_t codec_clock(const struct codec *codec, uint32_t samples)
{
    return codec->clock_rate == codec->rate ? samples : (uint32_t)((uint64_t)samples * codec->clock_rate / codec->rate);
}

#endif
