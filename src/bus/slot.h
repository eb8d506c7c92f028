/* slot.h: where the two sides of a call meet.
 *
 *            lease                200/183 negotiated         BYE, CANCEL, failure, hangup        RELEASED(g)
 *   FREE ──────────────▶ DIALLING ───────────────────▶ MEDIA ─────────────────────────▶ ENDING ─────────────▶ FREE
 *                            └──────────────── failed before any media: straight to FREE ─────────────────────▲
 *
 * The broker alone leases, ends and frees a slot; a worker asks. Each half has one writing process and stands under a
 * sequence lock: writers bracket their changes with *_write_begin/_end, readers copy a whole half (slot_*_read) and work on
 * the copy. ENDING sends MEDIA_STOP(g); the worker answers RELEASED(g) with totals in its half; after MEDIA_STOP the
 * broker discards everything of that generation but RELEASED. A slot that never reached MEDIA is freed at once.
 * Slots are leased oldest-first, and not within 5 s of their last packet. */
#ifndef BUS_SLOT_H
#define BUS_SLOT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/limits.h"
#include "core/uuid.h"

enum slot_state { SLOT_FREE, SLOT_DIALLING, SLOT_MEDIA, SLOT_ENDING };
enum slot_role { SLOT_OUT_CAMPAIGN, SLOT_OUT_SCRIPT, SLOT_IN };

/* What the media thread needs, RFC 3264 already settled. */
struct slot_media {
    struct sockaddr_storage remote; /* where our RTP goes; RTCP one port higher unless rtcp_mux */
    uint8_t payload_type;           /* that we send */
    uint8_t receive_payload_type;   /* that the far end sends */
    uint8_t event_payload_type;     /* telephone-event both ways, 0 = none negotiated */
    uint8_t ptime_ms;               /* of what we send: 10..60 */
    char codec[16];                 /* "PCMU", "PCMA", "G722", "opus", "L16", "G729", "GSM" */
    uint32_t clock_rate;            /* RTP clock, 8000 for G.722 */
    uint16_t channels;
    bool send, receive; /* from sendrecv/sendonly/recvonly/inactive, seen from us */
    bool nat;           /* may latch to another source address than the SDP's */
    bool early;         /* before the 200 */
    bool rtcp_mux;
    uint8_t comfort_noise_payload_type;         /* 0 = none */
    bool send_comfort_noise;                    /* our silence is described, not sent */
    char fmtp[96];                              /* of the codec, as the far end wants it */
    char crypto_local[128], crypto_remote[128]; /* SDES "suite inline:key", "" = plain RTP */
};

/* Written by the broker. All that a new broker needs to adopt the call. */
struct slot_call {
    uint32_t generation;
    uint8_t state; /* enum slot_state */
    uint8_t role;  /* enum slot_role */
    uint8_t answered, adopted;
    struct uuid channel;           /* the channel's uuid */
    struct uuid attempt;           /* the ledger's id */
    char call_id[BUS_CALL_ID_MAX]; /* the attempt's text for outgoing calls */
    char local_tag[BUS_TAG_MAX], remote_tag[BUS_TAG_MAX];
    uint32_t local_cseq; /* stored before the request leaves */
    uint32_t remote_cseq;
    uint32_t invite_cseq;                                 /* of our INVITE, which PRACKs may have left behind: CANCEL says it */
    char branch[BUS_TAG_MAX];                             /* of the INVITE, so that it can be cancelled */
    char local_uri[BUS_URI_MAX], remote_uri[BUS_URI_MAX]; /* From/To of the dialog, seen from us */
    char target[BUS_URI_MAX];                             /* remote Contact; the request URI before there is one */
    char contact[BUS_URI_MAX];                            /* local Contact */
    char transport[BUS_ADDRESS_TEXT];
    char route[BUS_ROUTE_MAX]; /* route set as one header value */
    uint64_t sdp_session, sdp_version;
    uint32_t session_expires_s, session_min_se_s;
    uint8_t session_refresher; /* 0 none, 1 we, 2 they */
    uint8_t session_update;    /* they take UPDATE */
    uint8_t held;              /* our last offer was sendonly: a refresh must say the same */
    char trunk[BUS_NAME_MAX];
    char campaign[BUS_NAME_MAX];
    int64_t lead; /* ledger's lead id, 0 = none */
    int64_t invite_utc_us, ring_utc_us, answer_utc_us, end_utc_us;
    uint16_t sip_status; /* final */
    uint16_t cause;      /* Q.850 or FreeSWITCH's number, once ENDING */
    struct slot_media media;
    int64_t free_since_ns;
    /* A campaign's call: what its lead's next state is decided from, and what its script said. */
    int64_t campaign_id; /* ledger's, 0 = none */
    uint32_t lead_tries; /* before this one */
    char lead_history[96];
    char script_result[16]; /* "" = the script has not ended */
    char script_disposition[32], digits[64];
    char via[BUS_VIA_MAX]; /* of an inbound INVITE, so that another broker can refuse it; "" = too long */
    uint32_t worker_epoch; /* the worker's incarnation when it was leased: another one does not know the call */
};

/* Written by the worker's media thread. */
struct slot_totals {
    uint32_t generation; /* whose totals these are */
    uint8_t released;    /* RELEASED was sent for it */
    uint64_t packets_sent, packets_received, packets_lost, packets_late, packets_dropped;
    uint64_t bytes_sent, bytes_received;
    uint32_t jitter_us;     /* RFC 3550 §6.4.1 */
    uint32_t rtt_us;        /* RFC 3550 §6.4.1 from the last RR, 0 = unknown */
    uint16_t mos_x100;      /* E-model, 0 = no audio received */
    int64_t last_packet_ns; /* monotonic */
};

struct slot {
    _Alignas(64) uint32_t call_sequence;
    struct slot_call call;
    _Alignas(64) uint32_t totals_sequence;
    struct slot_totals totals;
};

void slot_call_write_begin(struct slot *slot);
void slot_call_write_end(struct slot *slot);
/* A consistent copy; false if no copy could be had in 1000 tries (its writer died in the middle: see slot_call_repair). */
bool slot_call_read(const struct slot *slot, struct slot_call *out);
void slot_totals_write_begin(struct slot *slot);
void slot_totals_write_end(struct slot *slot);
bool slot_totals_read(const struct slot *slot, struct slot_totals *out);
/* A new incarnation of the writing process makes an odd sequence even again before it does anything else. */
void slot_repair(struct slot *slot, bool broker_side, bool worker_side);

#endif
