/* media_port.h: the script thread's door to the media thread of its worker.
 *
 * The media thread owns every socket, codec, recording and mix, and its io_uring. It takes the broker's ring records by
 * itself (MEDIA_START, UPDATE, STOP) and answers RELEASED; what scripts want comes through here: commands down, events up, over
 * two in-process rings (single producer, single consumer). Both threads only ever take what the other has published.
 *
 * A *leg* is one audio end: legs 0 … slots-1 are the worker's slots (leg = slot − first slot of the worker), higher numbers
 * are virtual legs (null/, loopback/) opened by the script thread. `generation` guards against a slot's next call: a command
 * of an old generation completes at once with MEDIA_GONE. A command for a slot whose MEDIA_START has not been taken
 * yet makes the media thread drain its ring first.
 *
 * An *operation* (play, record, send digits) is named by a number that the script thread chose (never reused while open) and
 * ends with exactly one MEDIA_DONE event, whatever happened. At most one play and any number of recordings run per leg; a new
 * play ends the old one with MEDIA_REPLACED. */
#ifndef WORKER_MEDIA_PORT_H
#define WORKER_MEDIA_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/media_address.h"
#include "bus/segment.h"
#include "lua/media_words.h"

struct media_port;
struct loop;

struct media_leg {
    uint32_t number;
    uint32_t generation;
};

struct media_params {
    struct segment *segment;
    uint32_t worker;
    const char *sounds_dir;         /* where relative file names begin */
    const char *const *addresses;   /* media addresses to bind, NULL-terminated; slot → (address, port) by bus/media_address.h */
    uint16_t port_first, port_last; /* even..odd, inclusive */
    int cpu;                        /* to pin to, -1 = not */
    bool realtime;                  /* raise itself to SCHED_FIFO where allowed */
    uint32_t rtp_timeout_ms;        /* of a leg that has no own; 0 = never */
    uint32_t rtp_hold_timeout_ms;
    uint32_t budget_percent; /* of a core, beyond which no new calls are taken (COUNTER_media_over_budget); 0 = 100 */
};

/* Binds all slots' sockets and starts the thread. On failure -errno and one clear line in the log (a refused io_uring names the sysctl
 * kernel.io_uring_disabled or the container's seccomp profile; a port in use names address and port). Events are handed
 * to `event` on the thread of `loop`. */
struct media_event;
int media_port_start(struct media_port **out, const struct media_params *params, struct loop *loop,
                     void (*event)(void *context, const struct media_event *event), void *context);
void media_port_stop(struct media_port *port);

/* --- commands: 0, or -EAGAIN when the ring is full (the caller reports "busy"). Strings are copied. ---------------- */

/* Virtual legs. A null leg swallows audio and sends silence; two loopback legs hear each other's written audio. */
int media_leg_open(struct media_port *port, uint32_t *number);                       /* generation is 1 */
int media_leg_open_rate(struct media_port *port, uint32_t *number, uint32_t rate);   /* a null leg at 8000, 16000, 32000 or 48000 */
int media_leg_join(struct media_port *port, struct media_leg a, struct media_leg b); /* the two ends of a loopback call */
/* This worker's end of an audio link (bus/link.h) as a virtual leg, at `rate`; home = the call on it is ours. */
struct link;
int media_leg_open_link(struct media_port *port, uint32_t *number, struct link *link, bool home, uint32_t generation, uint32_t rate);
int media_leg_close(struct media_port *port, struct media_leg leg);

/* `source`: an absolute file name (WAV and what libsndfile reads; .PCMU/.PCMA raw), or tone_stream://TGML, silence_stream://ms
 * (0 or -1 = for ever; ",n" comfort noise), file_string://a!b, local_stream://name. `start` in samples at the file's rate. */
int media_play(struct media_port *port, struct media_leg leg, uint64_t operation, const char *source, uint64_t start, uint32_t flags);

/* While it plays or records. */
int media_control(struct media_port *port, uint64_t operation, enum media_control control, int64_t value);
/* Ends an operation: MEDIA_DONE with MEDIA_STOPPED. */
int media_stop(struct media_port *port, uint64_t operation);

int media_record(struct media_port *port, struct media_leg leg, uint64_t operation, const struct record_params *params);

/* Sends digits (RFC 4733, or in-band where none was negotiated): 0-9 * # A-D, w = 500 ms pause, W = 1 s. MEDIA_DONE at the end. */
int media_send_digits(struct media_port *port, struct media_leg leg, uint64_t operation, const char *digits, uint32_t duration_ms);

/* Two legs of this worker hear each other until unbridged (or one is gone): MEDIA_UNBRIDGED for both. Keys are events of their leg alone.
 */
int media_bridge(struct media_port *port, struct media_leg a, struct media_leg b);
int media_unbridge(struct media_port *port, struct media_leg leg);
int media_echo(struct media_port *port, struct media_leg leg, bool on, uint32_t delay_ms);
/* Stops sending/hearing: audio of the far end is dropped, or our side sends silence. */
int media_mute(struct media_port *port, struct media_leg leg, bool read, bool write);
int media_gain(struct media_port *port, struct media_leg leg, bool read, int level); /* -4..4 */

/* How long a leg may hear nothing: usually, and on hold. 0 = never. */
int media_timeouts(struct media_port *port, struct media_leg leg, uint32_t ms, uint32_t hold_ms);

/* Each hit is a MEDIA_DETECTED event, until media_stop. */
int media_detect(struct media_port *port, struct media_leg leg, uint64_t operation, const struct detect_params *params);

/* Rooms: N legs mixed, at the rate that the first member names. A leg is in at most one room and not bridged meanwhile. Joining the same
 * room again changes the member. */
int media_room_join(struct media_port *port, uint32_t room, struct media_leg leg, const struct room_member *member);
int media_room_leave(struct media_port *port, struct media_leg leg);
/* One hears the other (eavesdrop): listener hears both sides of `target`; whisper: target / its partner hear the listener. */
/* A target that is no leg (number UINT32_MAX): no more. */
int media_listen(struct media_port *port, struct media_leg listener, struct media_leg target, bool whisper_target, bool whisper_partner);

/* --- events ------------------------------------------------------------------------------------------------------- */

enum media_event_kind {
    MEDIA_STARTED = 1, /* leg: RTP runs */
    MEDIA_ENDED,       /* leg: its slot was stopped; all its operations have had their MEDIA_DONE (MEDIA_GONE) before */
    MEDIA_DIGIT,       /* leg, digit, duration in samples at 8 kHz (as FreeSWITCH counts), from: RFC 4733 or in-band */
    MEDIA_DONE,        /* operation, reason, samples, ms, position */
    MEDIA_UNBRIDGED,   /* leg */
    MEDIA_DETECTED,    /* operation, leg, value */
    MEDIA_SILENT,      /* leg: RTP timeout */
    MEDIA_ROOM         /* leg, value: enum room_news; duration: its energy */
};
struct media_event {
    enum media_event_kind kind;
    struct media_leg leg;
    uint64_t operation;
    enum media_reason reason;
    char digit;
    uint32_t duration; /* digits: samples at 8 kHz */
    uint64_t samples;  /* played or recorded, at `rate` */
    uint32_t rate;
    uint32_t ms;
    uint64_t position;    /* last offset in the file, samples */
    uint64_t bytes, lost; /* recordings: file size; frames lost because the disk was too slow */
    int64_t value;
};

/* Per-leg figures at any time (rtp_audio_* variables): a copy made by the media thread once a second and at the end. */
struct slot_totals;
bool media_totals(struct media_port *port, struct media_leg leg, struct slot_totals *out);
/* Hands on what the media thread has said so far, without waiting for the loop to see it. */
void media_events_take(struct media_port *port);

#endif
