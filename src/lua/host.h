/* host.h: all that the script engine (src/lua) knows of its worker. The worker implements it; tests bring a fake.
 *
 * One rule carries everything: **nothing here blocks.** A host function either answers at once, or starts something whose
 * outcome is later posted as a *happening* to the fiber that waits. A fiber (fiber.h) is a Lua coroutine that the engine runs:
 * a script, or the engine's own code for a channel (its dialplan). The only primitive that suspends is the engine's
 * wait(timeout), which returns the fiber's next happening. All blocking methods (streamFile, getDigits, bridge, sleep …) are written in
 * Lua (the sources in src/lua/fs) upon it: check, register the cleanup, start, wait, done.
 *
 * All calls are made on the script thread. Strings given are copied; strings returned are valid until the next call on
 * that channel unless said otherwise. */
#ifndef LUA_HOST_H
#define LUA_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/eventlog.h"
#include "core/kv.h"
#include "core/uuid.h"
#include "lua/media_words.h"

struct host;    /* the worker, as the engine sees it */
struct channel; /* a call: state, variables, leg; reference counted */
struct engine;  /* engine.h */
struct fiber;   /* fiber.h */
struct loop;
struct jobs;

/* --- the worker's services ---------------------------------------------------------------------------------------- */

struct loop *host_loop(struct host *host);
struct jobs *host_jobs(struct host *host); /* helper threads */
const struct config_node *host_config(struct host *host);
uint32_t host_worker(struct host *host);
uint32_t host_workers(struct host *host); /* how many there are */
/* The worker of a call with a SIP dialog, by the segment's directory; -1 if it is not there (null/ and loopback/ calls never are). */
int host_call_worker(struct host *host, const char *uuid);

/* A script's database query got its answer after so many µs: for the figures. */
void host_query_took(struct host *host, int64_t us);

/* Global variables: a replica in each worker; NULL if unset. set with NULL or "" deletes, and tells all processes. */
const char *host_global_get(struct host *host, const char *name);
void host_global_set(struct host *host, const char *name, const char *value);
bool host_global_next(struct host *host, size_t *at, const char **name, const char **value);

/* Requests to other processes: answered by a happening HAPPENING_REPLY with this token (its pairs stand in the happening).
 * kind, pairs: bus/protocol.h. `to`: process number. */
int host_request(struct host *host, struct fiber *fiber, uint64_t token, uint32_t to, int kind, const struct kv *pairs, int64_t timeout_ns);
int host_note(struct host *host, uint32_t to, int kind, const struct kv *pairs);

/* Events: published to this worker's log; consumers of this worker read all processes' logs through the host. */
void host_event_publish(struct host *host, uint16_t type, struct channel *channel_or_null, const struct kv *pairs);
bool host_event_wanted(struct host *host, uint16_t type);
/* Calls `each` on the script thread for every event of the engine whose type is in the mask, until unsubscribed. */
typedef void host_event_each(void *context, const struct event_head *head, struct kv_view pairs);
uint32_t host_event_subscribe(struct host *host, const uint64_t types[2], host_event_each *each, void *context);
void host_event_mask(struct host *host, uint32_t subscription, const uint64_t types[2]);
void host_event_unsubscribe(struct host *host, uint32_t subscription);

/* --- channels -------------------------------------------------------------------------------------------------------- */

/* Channel states as FreeSWITCH names them. */
enum channel_state {
    CS_NEW,
    CS_INIT,
    CS_ROUTING,
    CS_SOFT_EXECUTE,
    CS_EXECUTE,
    CS_EXCHANGE_MEDIA,
    CS_PARK,
    CS_CONSUME_MEDIA,
    CS_HIBERNATE,
    CS_RESET,
    CS_HANGUP,
    CS_REPORTING,
    CS_DESTROY
};

enum channel_kind { CHANNEL_SIP, CHANNEL_NULL, CHANNEL_LOOPBACK, CHANNEL_GUEST /* stands for a call that is lent to us */ };

/* Facts of a channel, all readable at any time until its last reference is gone. */
struct channel_facts {
    struct uuid uuid;
    char uuid_text[UUID_TEXT_SIZE];
    enum channel_kind kind;
    enum channel_state state;
    bool outbound;
    bool answered; /* stays true after hangup */
    bool early;    /* early media flows */
    bool ringing;
    bool media_ready;  /* answered or early, with codecs, and up */
    bool up;           /* no hangup cause yet */
    bool transferring; /* a transfer is pending: the script's ready() is false */
    bool bridged;
    int cause;                                                                              /* hangup cause number, 0 while up */
    uint64_t sequence;                                                                      /* changes whenever anything above changes */
    int64_t created_us, progress_us, progress_media_us, answered_us, bridged_us, hangup_us; /* UTC, 0 = never */
};
const struct channel_facts *channel_facts(const struct channel *channel);
struct channel *channel_find(struct host *host, const char *uuid);              /* a new reference, or NULL; this worker's only */
struct channel *channel_next(struct host *host, struct channel *after_or_null); /* walks all living ones; borrowed */
struct channel *channel_ref(struct channel *channel);
void channel_unref(struct channel *channel); /* NULL is harmless */

/* Variables: names in any case. Stored as given; order of setting is kept for dumps. */
const char *channel_variable(struct channel *channel, const char *name);                 /* stored ones only; NULL if unset */
void channel_variable_set(struct channel *channel, const char *name, const char *value); /* NULL or "" unsets */
bool channel_variable_next(struct channel *channel, size_t *at, const char **name, const char **value);
/* Caller profile: caller_id_name, caller_id_number, ani, aniii, callee_id_name, callee_id_number, rdnis, destination_number, context,
 * dialplan, network_addr, source, username, chan_name, uuid, direction … NULL if no such field. */
const char *channel_profile(struct channel *channel, const char *field);
void channel_profile_set(struct channel *channel, const char *field, const char *value);

/* New channels. The fiber is told by happenings about this channel. */
struct channel *channel_new_null(struct host *host, const char *uuid_or_null,
                                 bool answered); /* answered from the start, or when asked to */
/* A loopback pair: a (returned, the dialling side) and b (in *other), whose dialplan runs by itself from `extension`. */
struct channel *channel_new_loopback(struct host *host, const char *uuid_or_null, struct channel **other);

/* Lending a call to another worker (worker/channel_guest.c): its audio goes there, `out` is what makes a guest there; -ENOBUFS: no audio
 * link is free, -EBUSY: it is lent already. recall: the guest is to let go. reclaim: it has. A guest is no channel that can be found. */
int channel_lend(struct channel *channel, uint32_t process, struct kv *out);
void channel_recall(struct channel *channel);
void channel_reclaim(struct channel *channel);
/* A guest was made by the message that asks for it (CALL_METHOD, :lend), before any other word about it can come; borrowed, NULL = there is
 * none. */
struct channel *channel_guest(struct host *host, uint32_t process, const char *loan);
/* A null leg at `rate` that is no call: a room's voice, or its recorder. */
struct channel *channel_new_voice(struct host *host, uint32_t rate);
/* Guests and voices are hidden from everybody else, and end by this alone. */
void channel_hidden_release(struct channel *channel);

/* A SIP leg: pairs as MSG_DIAL without uuid. Happenings for `fiber`: DIAL_PROGRESS notes and finally HAPPENING_DIALLED. */
struct channel *channel_dial(struct host *host, struct fiber *fiber, const char *uuid_or_null, const struct kv *pairs);
void channel_dial_cancel(struct channel *channel, const char *cause);

/* What a call can be asked. 0, or -errno (-ENOTCONN: it is over). They take effect at once on the facts where they can. */
int channel_ring(struct channel *channel);
int channel_early(struct channel *channel); /* 183 */
int channel_answer(struct channel *channel);
int channel_hangup(struct channel *channel, int cause);
int channel_respond(struct channel *channel, int status, const char *phrase,
                    const char *contact); /* unanswered inbound: any SIP response */
int channel_state_set(struct channel *channel, enum channel_state state);
int channel_transferring_set(struct channel *channel, bool on);

/* Media operations; each ends with one HAPPENING_DONE for `fiber` carrying `token` (chosen by the engine, unique). */
int channel_play(struct channel *channel, struct fiber *fiber, uint64_t token, const char *source, uint64_t start, uint32_t flags);
int channel_record(struct channel *channel, struct fiber *fiber, uint64_t token, const struct record_params *params);
int channel_send_digits(struct channel *channel, struct fiber *fiber, uint64_t token, const char *digits, uint32_t duration_ms);
int channel_operation_control(struct channel *channel, uint64_t token, int control, int64_t value);
int channel_operation_stop(struct channel *channel, uint64_t token);
int channel_bridge(struct channel *a, struct channel *b); /* both hear each other; state CS_EXCHANGE_MEDIA */
int channel_unbridge(struct channel *channel);
int channel_echo(struct channel *channel, bool on, uint32_t delay_ms);
/* Joining again changes the member. Its news (enum room_news) are queued events with call-command: conference. */
int channel_room_join(struct channel *channel, uint32_t room, const struct room_member *member);
int channel_room_leave(struct channel *channel);
/* Drops what the far end says; sends silence. */
int channel_mute(struct channel *channel, bool read, bool write);
int channel_gain(struct channel *channel, bool read, int level); /* -4..4 */
/* `listener` hears both sides of `target`'s call (NULL: no more); with whisper the target, or its partner, hears the listener. */
int channel_listen(struct channel *listener, struct channel *target, bool whisper_target, bool whisper_partner);
/* Each hit is a HAPPENING_WAKE for `fiber` with the token, until channel_operation_stop. */
int channel_detect(struct channel *channel, struct fiber *fiber, uint64_t token, const struct detect_params *params);

/* Digits pressed by the far end queue here (1000, oldest dropped), whether anybody waits or not. */
size_t channel_digits_waiting(const struct channel *channel);
bool channel_digit_take(struct channel *channel, char *digit, uint32_t *duration_samples);
void channel_digits_flush(struct channel *channel);
void channel_digit_queue(struct channel *channel, char digit, uint32_t duration_samples); /* queue_dtmf, uuid_recv_dtmf */

/* Whose happenings: a channel tells its *owner* fiber of digits, hangup, queued events, breaks; NULL = nobody. */
void channel_owner_set(struct channel *channel, struct fiber *fiber);
struct fiber *channel_owner(const struct channel *channel);
/* Another fiber wants to know when anything of this channel changes (freeswitch.bridge watches two): as owner, but without digits. */
void channel_watch(struct channel *channel, struct fiber *fiber, bool on);
/* Breaks the owner's current media wait (uuid_break); queues an event for its input callback; queues an app (sendmsg, broadcast). */
void channel_break(struct channel *channel, bool all);
void channel_event_queue(struct channel *channel, const struct kv *event);

/* --- what the host calls ----------------------------------------------------------------------------------------------- */

enum happening_kind {
    HAPPENING_NONE = 0, /* the timeout of wait() */
    HAPPENING_DONE,  /* token, reason, samples, rate, ms, position, bytes, lost: a media operation ended (media_words.h: enum media_reason)
                      */
    HAPPENING_DIGIT, /* channel: a digit was queued */
    HAPPENING_STATE, /* channel: its facts changed (ringing, early, answered, hung up, transferred, bridged …) */
    HAPPENING_DIALLED, /* channel: the DIAL ended; facts and variables tell (pairs = the reply's) */
    HAPPENING_EVENT,   /* channel: an event was queued for it (pairs) */
    HAPPENING_BREAK,   /* channel: media broken by uuid_break; value 1 = all */
    HAPPENING_REPLY,   /* token, status, pairs: a request was answered */
    HAPPENING_JOB,     /* token, value: a helper's job ended (engine's own) */
    HAPPENING_WAKE     /* token, value: another fiber or the engine wakes this one */
};
struct happening {
    enum happening_kind kind;
    struct channel *channel; /* borrowed */
    uint64_t token;
    int reason, status;
    uint64_t samples, position, bytes, lost; /* lost: frames of a recording that the disk was too slow for */
    uint32_t rate, ms;
    int64_t value;
    struct kv_view pairs; /* copied by fiber_post */
};
/* fiber.h: void fiber_post(struct fiber *fiber, const struct happening *happening);
 *          may be called from within any host function; runs nothing, only queues and schedules. */

/* The engine's doors for the worker (engine.h):
 *   int  engine_new(struct engine **out, struct host *host);
 *   void engine_free(struct engine *engine);
 *   // A new channel's own life: inbound call or loopback b-leg → runs its dialplan (context, extension) or its script.
 *   void engine_channel_start(struct engine *engine, struct channel *channel);
 *   // A campaign's call: script file, arguments; channel is answered. Told back by MSG_CALL_SCRIPT_DONE through host_note.
 *   void engine_channel_run(struct engine *engine, struct channel *channel, const char *script, const char *arguments);
 *   // A channel was hung up and no fiber owns it: hooks, CDR variables, CHANNEL_HANGUP_COMPLETE, CHANNEL_DESTROY.
 *   void engine_channel_over(struct engine *engine, struct channel *channel);
 *   // MSG_API: run a command; the reply is given by reply(context, text).
 *   void engine_api(struct engine *engine, const char *command, const char *arguments, void (*reply)(void *context, const char *text,
 * size_t length), void *context);
 *   // figures
 *   size_t engine_scripts(const struct engine *engine);  size_t engine_memory(const struct engine *engine); */

#endif
