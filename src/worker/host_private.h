/* host_private.h: the worker's side of lua/host.h: what the files host*.c and channel*.c share. All on the script thread. */
#ifndef WORKER_HOST_PRIVATE_H
#define WORKER_HOST_PRIVATE_H

#include "bus/eventlog.h"
#include "bus/post.h"
#include "bus/segment.h"
#include "core/config.h"
#include "core/jobs.h"
#include "lua/engine.h"
#include "lua/fiber.h"
#include "lua/host.h"
#include "worker/media_port.h"
#include "worker/names.h"

#define LEG_NONE      UINT32_MAX
#define DIGITS_MAX    1000u /* FreeSWITCH's queue */
#define BUCKETS       4096u /* channels by uuid; a power of two */
#define JOB_THREADS   8u
#define EVENT_POLL_NS (20 * NS_PER_MS)

struct subscription {
    uint32_t id;
    uint64_t types[2];
    host_event_each *each;
    void *context;
    struct subscription *next;
};

/* early_keys.c */
#define EARLY_KEYS_MAX 256
struct early_key {
    struct media_leg leg;
    char digit;
    uint32_t duration;
};
struct early_keys {
    struct early_key keys[EARLY_KEYS_MAX];
    uint32_t count;
};

struct host {
    const struct config_node *config;
    struct segment *segment;
    uint32_t process, worker;
    struct loop *loop;
    struct jobs *jobs;
    struct post *post;
    struct media_port *media;
    struct engine *engine;

    struct channel *buckets[BUCKETS];    /* by the name that a call goes by */
    struct channel *id_buckets[BUCKETS]; /* by its own uuid; most often the same */
    struct channel *first, *last;        /* all channels in order of creation */
    struct channel **by_leg;             /* leg number → channel */
    size_t legs;
    struct early_keys early_keys;
    size_t channels;
    struct channel *guests; /* calls of other workers that are lent to us (channel_guest.c) */
    uint32_t next_link;
    uint64_t loans;

    struct names globals;

    struct eventlog_cursor cursors[BUS_PROCESSES_MAX];
    struct subscription *subscriptions;
    uint32_t next_subscription;
    struct loop_timer event_timer;
    bool polling_events;
    uint64_t call_sequence;

    struct loop_timer beat;
    bool ending;
};

/* An operation of the media thread that a fiber waits for. */
struct operation {
    uint64_t token;
    struct fiber *fiber;
    struct operation *next;
};

struct watcher {
    struct fiber *fiber;
    struct watcher *next;
};

/* A call of ours that is lent, or of a guest: whose call it is. */
struct loan {
    char id[64];
    uint32_t process; /* of the other side */
    bool active, applying;
    struct link *link; /* ours: what we leased */
    uint32_t link_index, link_generation;
    struct media_leg leg; /* ours: our end of the link */
};

struct digit {
    char digit;
    uint32_t duration;
};

/* How a key came to us, the best way first. */
enum digit_form { DIGIT_EVENT, DIGIT_INFO, DIGIT_INBAND, DIGIT_NONE };

struct channel {
    struct host *host;
    struct channel_facts facts;
    uint32_t references;
    uint32_t slot, generation; /* of its SIP dialog, once there is one */
    bool has_slot;
    struct media_leg leg; /* number LEG_NONE until there is audio */
    struct channel *peer; /* the other end of a loopback call */
    struct names variables, profile;
    struct fiber *owner, *dialler;
    uint32_t dial_request; /* id of the pending DIAL, 0 = none */
    struct watcher *watchers;
    struct operation *operations;
    struct digit *digits; /* a ring, allocated with the first digit */
    uint32_t digits_first, digits_count;
    enum digit_form digit_form; /* the best way in which keys have come so far */
    char digit_last;
    int64_t digit_last_ns;
    uint64_t events;
    bool over_told; /* the engine knows that it is over */
    bool ended;     /* the broker said CALL_ENDED, or there is no broker's side */
    struct loop_timer end_guard;
    struct kv end_pairs; /* of a CALL_ENDED that waits for the media thread (channel_end.c) */
    struct loop_timer end_hold;
    bool end_held, media_told;
    bool hidden;       /* a guest or a voice: not found, not listed */
    struct loan *loan; /* NULL if it never was lent */
    struct channel *bucket_next, *id_next, *next, *previous, *next_guest;
};

/* host.c */
int host_new(struct host **out, const struct config_node *config, struct segment *segment, uint32_t process, struct loop *loop);
void host_free(struct host *host);
/* host_events.c */
void host_events_start(struct host *host);
void host_events_poll(void *context);
/* host_post.c: what other processes say */
void host_message(void *context, const struct post_message *message);
/* channel_media.c: what the media thread says */
void host_media_event(void *context, const struct media_event *event);

/* channel.c */
struct channel *channel_new(struct host *host, const char *uuid_or_null, enum channel_kind kind, bool outbound);
struct channel *channel_new_hidden(struct host *host, const char *uuid_or_null, enum channel_kind kind, bool outbound);
struct channel *channel_by_uuid(struct host *host, const char *uuid); /* borrowed */
struct channel *channel_by_id(struct host *host, const struct uuid *id);
/* Something about it changed: tells owner, dialler and watchers. */
void channel_changed(struct channel *channel);
/* The far end pressed a key. One that tells the same press in two ways is heard once: the better way counts. */
void channel_digit_heard(struct channel *channel, char digit, uint32_t duration, enum digit_form form);
void channel_tell(struct channel *channel, const struct happening *happening); /* owner only */
/* It is over (whoever ended it): facts, state, hangup time. Once. */
void channel_mark_over(struct channel *channel, int cause, int64_t end_us);
/* The broker's side is over too: hooks and reports may run now. */
void channel_settled(struct channel *channel);
void channel_leg_set(struct channel *channel, uint32_t leg, uint32_t generation);
/* rtp_audio_* as the media thread last counted them. */
void channel_media_variables(struct channel *channel);
/* Its own RTP timeouts, if its variables name any: once it has a leg, and when one of them (channel_is_timeout) is set. */
void channel_media_timeouts(struct channel *channel);
bool channel_is_timeout(const char *name);
void channel_leg_clear(struct channel *channel);
void channel_bridged_mark(struct channel *channel, bool on);
/* channel_guest.c: each tells the other side of a loan, if there is one; true = it is dealt with there */
void guest_new(struct host *host, uint32_t process, struct kv_view pairs); /* channel_guest finds it */
void guest_message(struct host *host, uint32_t from, struct kv_view pairs);
void guests_of_gone(struct host *host, uint32_t process);
void guest_tell_variable(struct channel *channel, const char *name, const char *value);
void guest_tell_profile(struct channel *channel, const char *field, const char *value);
void guest_tell_facts(struct channel *channel);
void guest_tell_bridged(struct channel *guest, bool on);
bool guest_tell_digit(struct channel *channel, char digit, uint32_t duration);
bool guest_tell_event(struct channel *channel, const struct kv *event);
bool guest_tell_break(struct channel *channel, bool all);
bool guest_ask(struct channel *channel, const char *what); /* answer, early, ring; false = it is no guest */
int guest_hangup(struct channel *guest, int cause);
int guest_respond(struct channel *guest, int status, const char *phrase, const char *contact);
void guest_forget(struct channel *guest);
void channel_loan_free(struct channel *channel);
/* channel_sip.c */
void channel_sip_slot(struct channel *channel, struct kv_view pairs);
void channel_sip_media_variables(struct channel *channel, struct kv_view pairs);
void channel_sip_headers(struct channel *channel, struct kv_view pairs, const char *prefix);
/* early_keys.c: pressed before this thread heard of the call */
void early_key_keep(struct host *host, const struct media_event *event);
void early_keys_take(struct channel *channel);
/* channel_end.c */
void channel_end(struct channel *channel, struct kv_view pairs); /* the broker said that it is over */
void channel_end_told(struct channel *channel);                  /* the media thread has told all of it */
void channel_end_forget(struct channel *channel);
/* channel_loopback.c */
void channel_loopback_ended(struct channel *channel);

#endif
