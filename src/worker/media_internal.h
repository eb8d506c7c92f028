/* media_internal.h: the media thread's own structures, for src/worker/media_*.c alone.
 *
 * One `struct media` per worker. Everything in it belongs to the media thread, but for what stands under "shared". One turn
 * of the thread: wait for the next slice (or, with no leg active, for a bell), take completions, the broker's records, commands,
 * what helpers finished; then run the slices that are due:
 *
 *     leg_read    each leg that somebody listens to: jitter buffer → decoder → in[]
 *     room_mix    sums of in[]
 *     leg_write   play | partner | room | echo | silence → payload → one send each
 *     leg_taps    recordings and detectors take in[] and out[]
 *     submit      one system call; then the lateness of everything sent
 *
 * A leg that nobody listens to and that plays a prompt costs a header, a copy of 160 bytes and its send. */
#ifndef WORKER_MEDIA_INTERNAL_H
#define WORKER_MEDIA_INTERNAL_H

#include <liburing.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/counter.h"
#include "bus/histogram.h"
#include "bus/link.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "core/clock.h"
#include "core/loop.h"
#include "media/amd.h"
#include "media/codec.h"
#include "media/detect.h"
#include "media/dtmf.h"
#include "media/jitter.h"
#include "media/mixer.h"
#include "media/playlist.h"
#include "media/progress.h"
#include "media/recorder.h"
#include "media/resample.h"
#include "media/rtp.h"
#include "media/rtp_event.h"
#include "media/rtp_stats.h"
#include "media/secure.h"
#include "worker/media_port.h"
#include "worker/media_spsc.h"

#define SLICES             10u
#define SLICE_NS           (2 * NS_PER_MS)
#define FRAME_NS           (20 * NS_PER_MS)
#define SKIP_NS            (200 * NS_PER_MS) /* later than this a slice is not made up for but skipped and counted */
#define LATE_NS            (5 * NS_PER_MS)
#define VIRTUAL_LEGS_MAX   16384u
#define COMMANDS_MAX       16384u
#define EVENTS_MAX         16384u
#define OPERATION_BUCKETS  4096u
#define ROOMS_MAX          4096u
#define PROMPT_CACHE_BYTES (256u << 20)
#define LOADERS            2u
#define RECEIVE_BYTES      2048u /* one provided buffer: header, source address, packet */
#define ARENA_BYTES        (1u << 20)
#define BATCH_MAX          4000u /* sends prepared before a submit; fewer than the ring's entries */

struct media;
struct leg;
struct leg_link; /* media_link.c: the end of a link to another worker */

/* --- operations --------------------------------------------------------------------------------------------------- */

enum operation_kind { OPERATION_PLAY, OPERATION_RECORD, OPERATION_DIGITS, OPERATION_DETECT };

struct operation {
    uint64_t number;
    enum operation_kind kind;
    struct leg *leg;         /* NULL: a recording that is being closed */
    struct media_leg id;     /* of its leg, for its events */
    struct operation *chain; /* in the table by number */
};

struct load; /* media_helpers.c: a playlist being loaded */

struct play {
    struct operation operation;
    struct playlist *list;   /* NULL while loading */
    struct playlist *linear; /* for codecs that are not bytewise, once linear audio was wanted */
    struct load *load;       /* under way */
    char *source;
    uint64_t start;   /* at the file's rate */
    int64_t ahead_ms; /* seeks that came while loading: from there, or from the file's begin */
    bool ahead_of_begin;
    uint32_t flags;
    uint32_t item; /* where we are: item, sample in it, times it is still to be played */
    uint64_t at;
    int loops_left;
    uint32_t fraction; /* of a sample, 1/65536: at speeds other than 0 */
    int16_t last;      /* the sample before, for interpolating */
    uint32_t noise;    /* state of silence_stream's noise */
    int speed, volume;
    bool paused;
    uint64_t played; /* samples of the source that went out */
    uint32_t ticks;  /* frames sent, pauses too */
};

struct record {
    struct operation operation;
    struct record *next; /* on its leg */
    struct recorder *recorder;
    uint32_t limit_ms, silence_threshold, silence_frames, silence_left;
    bool stereo, read, write, comfort_noise;
    bool paused, masked, finishing;
    enum media_reason reason; /* once finishing */
    uint64_t frames;
    struct leg_end *end; /* the leg ended: the last of its recordings to close tells */
};

struct digits {
    struct operation operation;
    char *text;
    uint32_t at, duration_ms;
    uint32_t wait_ticks; /* silence before the next digit */
    bool sending;
    struct rtp_event_out event;
    uint32_t event_timestamp;
    struct dtmf_out *inband;
    struct digits *next; /* queued behind it on the same leg */
};

struct detector {
    struct operation operation;
    struct detector *next;
    struct detect_params params;
    struct tone_detect tone;
    struct dtmf_in *dtmf;
    struct resampler *to_8k; /* in-band digits are heard at 8 kHz */
    struct progress *progress;
    const struct amd_classifier *classifier;
    struct amd_state *answer; /* NULL once it has judged */
    uint32_t frames;
    bool reported;
};

/* --- legs --------------------------------------------------------------------------------------------------------- */

/* What a leg needs only when its audio is decoded or mixed: made when first wanted. */
struct leg_audio {
    struct jitter *jitter;
    struct codec_state *decoder;
    struct resampler *resampler; /* from whoever we hear, to our rate */
    uint32_t resampler_from;
    struct resampler *to_room; /* our rate → the room's */
    uint32_t fifo_count;
    uint32_t packet_samples; /* of the last packet, what a lost one stood for */
    uint32_t conceal_run;
    int32_t noise_peak; /* the far end said comfort noise: what silence is filled with until it talks again; 0 = true silence */
    uint32_t noise_seed;
    int16_t in[CODEC_FRAME_MAX], out[CODEC_FRAME_MAX]; /* this frame: heard, and sent */
    int16_t room_in[CODEC_FRAME_MAX];
    int16_t fifo[CODEC_PACKET_MAX + CODEC_FRAME_MAX];
};

struct echo {
    uint32_t delay_frames, at;
    int16_t *ring;
};

/* A member of a room: whether it talks, and who is heard. */
struct room_state {
    bool talking, added;
    uint32_t score, slow_mean, loud_frames, quiet_frames;
};

struct leg {
    /* Hot: what a tick of a playing leg touches. */
    uint32_t number, generation;
    bool on, is_virtual, sending, hears, linear_out, muted_read, muted_write;
    uint8_t slice, payload_type;
    uint16_t sequence;
    uint32_t timestamp, ssrc;
    bool marker, first_sent;
    uint8_t packet_ms;
    const struct codec *codec;
    struct play *play, *beside; /* beside: displaces what is sent, or is mixed into it */
    struct digits *digits;
    int64_t due_ns;       /* of the next packet */
    uint32_t quiet_ticks; /* how long our silence has been described instead of sent */
    uint64_t ticks;
    uint32_t slice_index;
    uint32_t socket_bytes;                   /* of `remote` */
    struct sockaddr_in6 remote, remote_rtcp; /* sockaddr_in or _in6 */
    uint64_t packets_sent, bytes_sent, packets_late;

    /* Receiving. */
    struct rtp_stats stats;
    struct rtp_event_in key;
    uint64_t bytes_received, packets_dropped;
    int64_t last_packet_ns, started_ns;
    uint32_t timeout_ms, hold_timeout_ms; /* 0 = never */
    uint32_t rtt_us;
    uint32_t sr_middle; /* of the last SR received, and when */
    int64_t sr_ns;
    bool latched, silent_reported, event_seen;
    struct sockaddr_in6 previous; /* source of the slot's previous call */
    struct leg *relay_to;
    uint32_t relay_offset;
    bool relay_fresh, relay_uneven; /* uneven: it sends other packet lengths than its partner wants */

    struct secure *secure_out, *secure_in; /* SRTP, each direction with its own key; NULL = plain */
    bool secure_broken;                    /* keys were agreed that we cannot use: nothing is sent or taken */
    uint64_t packets_refused;              /* forged or replayed */

    struct slot_media media;
    struct codec_state *encoder;
    struct leg_audio *audio;
    uint8_t *pending; /* ptime other than 20 ms: bytes not yet sent */
    uint32_t pending_bytes;
    int16_t *pending_pcm; /* the same for codecs whose frames cannot be joined */
    uint32_t pending_samples;

    struct record *records;
    struct detector *detectors;
    uint32_t comfort_noise; /* recordings that want it */
    int gain_read, gain_write;
    struct echo *echo;
    struct leg *bridge, *joined;
    struct leg_link *link;
    struct room *room;
    struct leg *room_next;
    struct room_member room_member;
    struct room_state room_state;
    struct leg *listens_to, *listeners, *listen_next;
    bool whisper_target, whisper_partner;
};

struct leg_end {
    struct media_leg id;
    uint32_t pending;
};

struct room {
    uint32_t number, members;
    uint32_t rate;
    struct leg *legs, *floor;
    uint8_t slice;
    int32_t sum[CODEC_FRAME_MAX];
    struct room *next;
};

/* --- commands ----------------------------------------------------------------------------------------------------- */

enum command_kind {
    COMMAND_LEG_OPEN = 1,
    COMMAND_LEG_JOIN,
    COMMAND_LEG_CLOSE,
    COMMAND_OPERATION,
    COMMAND_CONTROL,
    COMMAND_STOP,
    COMMAND_BRIDGE,
    COMMAND_UNBRIDGE,
    COMMAND_ECHO,
    COMMAND_MUTE,
    COMMAND_GAIN,
    COMMAND_TIMEOUTS,
    COMMAND_ROOM_JOIN,
    COMMAND_ROOM_LEAVE,
    COMMAND_LISTEN
};

struct command {
    enum command_kind kind;
    struct media_leg leg, other;
    uint64_t operation;
    void *object; /* made by the script thread, the media thread's from here on */
    int64_t value;
    uint32_t a, b;
    struct room_member member;
};

/* --- where the time goes (media_budget.c) ------------------------------------------------------------------------- */

enum stage { STAGE_RECEIVE, STAGE_READ, STAGE_MIX, STAGE_WRITE, STAGE_TAPS, STAGE_SEND, STAGES };

/* --- the thread --------------------------------------------------------------------------------------------------- */

struct sent {
    struct leg *leg;
    int64_t due_ns; /* 0 = the stream's first packet */
};

struct helpers;
struct held;

struct media {
    struct segment *segment;
    uint32_t worker, process, slots, first_slot;
    struct leg *slot_legs;
    struct leg **legs; /* by number: slots, then virtual ones (NULL = closed) */
    uint32_t legs_count, active;
    struct leg **slice_legs[SLICES];
    uint32_t slice_count[SLICES];
    struct operation *operations[OPERATION_BUCKETS];
    struct room *rooms;
    struct ring *down, *up;
    uint32_t rtp_timeout_ms, rtp_hold_timeout_ms;
    uint64_t random;
    char cname[32];
    uint8_t *noise; /* 50 frames of low noise, linear 8 kHz: sent as comfort noise */

    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *buffer_memory;
    uint32_t buffer_count;
    struct msghdr receive_shape;
    uint8_t *arena; /* packets of the batch being prepared */
    uint32_t arena_used;
    struct sent *batch;
    uint32_t batch_count;
    uint32_t rearms; /* sockets to arm again: a bitmap would be searched, so a list */
    uint32_t *rearm_list;

    int64_t now_ns;       /* the one clock read per turn */
    int64_t slice_number; /* the next one due: monotonic time / 2 ms */
    int64_t busy_at_ns, stage_at_ns, window_at_ns;
    uint64_t stage_ns[STAGES], window_busy_us;
    uint32_t budget_percent; /* of a core */
    bool over_budget;
    uint64_t lateness_max_us;
    bool ticking;
    bool record_waits; /* the ring's first record: its slot is being written */
    struct helpers *helpers;
    struct held *held, *held_last; /* commands whose leg is not there yet */

    /* Events that found the ring full wait here. */
    struct media_event *backlog;
    uint32_t backlog_count, backlog_size;
    bool events_pushed;

    /* counters, in the segment */
    uint64_t *count[COUNTER_COUNT];
    struct histogram_counts *lateness, *ring_depth;

    /* --- shared with the script thread --- */
    struct spsc commands, events;
    int command_fd, event_fd;
    _Atomic int sleeping;     /* media thread waits: a command must write command_fd */
    _Atomic int event_signal; /* event_fd was written and not yet read */
    _Atomic bool stop;
    pthread_t thread;
    int cpu;
    bool realtime;
    int start_result;
    pthread_mutex_t start_lock;
    pthread_cond_t start_done;
    bool started;
    int *sockets; /* until they are registered */
};

struct media_port {
    struct media media;
    struct loop *loop;
    struct loop_watch watch;
    void (*event)(void *context, const struct media_event *event);
    void *context;
    uint32_t *virtual_free; /* numbers, oldest first */
    uint32_t virtual_head, virtual_count;
};

#define COUNT(m, name, by) counter_add((m)->count[COUNTER_##name], (by))

/* media_setup.c */
int media_sockets_open(struct media *m, const struct media_params *params);
int media_uring_open(struct media *m);
void media_uring_close(struct media *m);
/* media_uring.c */
void uring_wait(struct media *m, int64_t until_ns); /* 0 = until something comes */
void uring_reap(struct media *m);
uint8_t *uring_packet(struct media *m, uint32_t bytes); /* room in the batch */
void uring_send(struct media *m, uint32_t file, const uint8_t *bytes, uint32_t length, const struct sockaddr_in6 *to, uint32_t to_bytes);
void uring_sent_mark(struct media *m, struct leg *leg, int64_t due_ns);
void uring_flush(struct media *m);
void uring_arm_all(struct media *m);
/* media_thread.c */
void *media_thread(void *port);
/* media_broker.c */
void broker_take(struct media *m);
void broker_repair(struct media *m);
void broker_timeout(struct media *m, struct leg *leg);
void broker_totals(struct media *m, struct leg *leg, bool released);
/* media_leg.c */
struct leg *leg_find(struct media *m, struct media_leg id); /* NULL = not there (drains the broker's ring first) */
void leg_on(struct media *m, struct leg *leg);
void leg_off(struct media *m, struct leg *leg, enum media_reason reason);
void leg_end_one(struct media *m, struct leg_end *end);
void leg_codec(struct media *m, struct leg *leg, const struct codec *codec);
void leg_move(struct media *m, struct leg *leg, uint8_t slice);
void leg_plan(struct media *m, struct leg *leg); /* after any change of who listens to whom: it, its partner, its target */
struct leg_audio *leg_audio(struct leg *leg);
uint32_t media_random(struct media *m);
struct media_leg leg_id(const struct leg *leg);
/* media_receive.c */
void leg_receive(struct media *m, struct leg *leg, const struct sockaddr_in6 *from, uint8_t *bytes, size_t length);
void leg_read(struct media *m, struct leg *leg);
void leg_digit(struct media *m, struct leg *leg, char digit, uint32_t duration, bool inband);
bool address_equal(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b);
/* media_rtcp.c */
/* On RTCP's own port, still encrypted; and one that was opened. */
void leg_rtcp_receive(struct media *m, struct leg *leg, const struct sockaddr_in6 *from, uint8_t *bytes, size_t length);
void leg_rtcp_read(struct media *m, struct leg *leg, const struct sockaddr_in6 *from, const uint8_t *bytes, size_t length);
void leg_rtcp_send(struct media *m, struct leg *leg, bool bye);
/* media_secure.c */
void leg_secure_set(struct media *m, struct leg *leg, const struct slot_media *media); /* before leg->media takes it */
void leg_secure_clear(struct leg *leg);
bool leg_secure_open(struct media *m, struct leg *leg, uint8_t *bytes, size_t *length, bool rtcp); /* false = drop it */
/* Room to ask of uring_packet for a packet of this leg; then seals it. false = it cannot be sent. */
uint32_t leg_secure_room(const struct leg *leg, uint32_t bytes);
bool leg_secure_seal(struct leg *leg, uint8_t *packet, uint32_t *bytes, bool rtcp);
/* media_write.c */
void leg_write(struct media *m, struct leg *leg);
void leg_skip(struct media *m, struct leg *leg);
void leg_send_payload(struct media *m, struct leg *leg, const uint8_t *payload, uint32_t bytes, uint32_t samples);
void leg_packet(struct media *m, struct leg *leg, uint8_t payload_type, bool marker, uint32_t timestamp, const uint8_t *payload,
                uint32_t bytes);
/* media_play.c */
void play_begin(struct media *m, struct leg *leg, struct play *play);
void play_loaded(struct media *m, struct play *play, struct playlist *list, int error);
void play_end(struct media *m, struct play *play, enum media_reason reason);
bool play_ready(const struct play *play);
bool play_plain(const struct play *play);                            /* encoded bytes may go out as they are */
bool play_encoded(struct play *play, uint8_t *out, uint32_t *bytes); /* false = over */
bool play_pcm(struct media *m, struct play *play, int16_t *pcm, uint32_t samples);
void play_control(struct media *m, struct play *play, enum media_control control, int64_t value);
/* media_record.c */
void record_begin(struct media *m, struct leg *leg, struct record *record);
void records_skip(struct leg *leg); /* a frame's time passed without one */
void record_frame(struct media *m, struct leg *leg, struct record *record);
void record_finish(struct media *m, struct record *record, enum media_reason reason);
void record_closed(struct media *m, struct record *record);
void record_control(struct media *m, struct record *record, enum media_control control, int64_t value);
/* media_digits.c */
void digits_begin(struct media *m, struct leg *leg, struct digits *digits);
bool digits_tick(struct media *m, struct leg *leg); /* true = this frame's packet was the digit's */
void digits_end(struct media *m, struct digits *digits, enum media_reason reason);
void digits_pass(struct media *m, struct leg *leg, char digit, uint32_t duration);
void digits_free(struct digits *digits);
/* media_detect.c */
void detector_begin(struct media *m, struct leg *leg, struct detector *detector);
void detector_frame(struct media *m, struct leg *leg, struct detector *detector);
void detector_end(struct media *m, struct detector *detector, enum media_reason reason);
void detector_free(struct detector *detector);
/* media_join.c */
int bridge_set(struct media *m, struct leg *a, struct leg *b);
void bridge_clear(struct media *m, struct leg *leg);
void echo_set(struct media *m, struct leg *leg, bool on, uint32_t delay_ms);
void listen_set(struct media *m, struct leg *listener, struct leg *target, bool whisper_target, bool whisper_partner);
void listen_clear(struct media *m, struct leg *listener);
void leg_unlink(struct media *m, struct leg *leg);
/* Adds `from`'s audio (at its rate) to `out` at the leg's rate. */
const int16_t *leg_at_rate(struct leg *leg, const int16_t *pcm, uint32_t rate, int16_t *scratch);
/* media_link.c */
struct leg_link *leg_link_new(struct link *link, enum link_side side, uint32_t generation);
void leg_link_open(struct media *m, struct leg *leg);
void leg_link_close(struct leg *leg, bool detach);
void leg_link_read(struct media *m, struct leg *leg, int16_t *in);
void leg_link_write(struct media *m, struct leg *leg, const int16_t *pcm);
void leg_link_digit(struct media *m, struct leg *leg, char digit, uint32_t duration);
/* media_room.c */
void room_join(struct media *m, struct leg *leg, uint32_t number, const struct room_member *member);
void room_leave(struct media *m, struct leg *leg);
void room_mix(struct media *m, struct room *room);
void room_take(struct leg *leg, int16_t *pcm); /* what a member hears */
/* media_budget.c */
void stage_begin(struct media *m);                 /* the time from here on … */
void stage_end(struct media *m, enum stage stage); /* … to here is this stage's; the next one begins */
void budget_count(struct media *m);
/* media_operation.c */
void operation_add(struct media *m, struct operation *operation);
struct operation *operation_find(struct media *m, uint64_t number);
void operation_remove(struct media *m, struct operation *operation);
void operation_stop(struct media *m, struct operation *operation, enum media_reason reason);
void event_push(struct media *m, const struct media_event *event);
void event_done(struct media *m, const struct operation *operation, enum media_reason reason);
void events_flush(struct media *m);
/* media_held.c: commands whose leg is not there yet */
bool held_keep(struct media *m, const struct command *command);                /* true: kept for later */
bool held_next(struct media *m, struct command *out);                          /* one that need not wait any more */
bool held_operation(struct media *m, uint64_t operation, struct command *out); /* takes back the start of an operation */
/* media_command.c */
void commands_take(struct media *m);
/* media_helpers.c */
int helpers_start(struct media *m, const char *sounds_dir);
void helpers_stop(struct media *m);
int helpers_load(struct media *m, struct play *play, const struct codec *codec); /* play_loaded follows, unless forgotten */
void helpers_forget(struct media *m, struct play *play);
int helpers_record(struct media *m, struct record *record); /* record_closed follows */
void helpers_take(struct media *m);
bool helpers_busy(const struct media *m);

#endif
