/* esl_own.h: what the files of the event socket share.
 *
 *   esl_listen.c     the listening socket, who may connect, start and end
 *   esl_client.c     one connection: bytes in, bytes out, its end
 *   esl_queue.c      what a client is still to be sent; full means a gap, never waiting
 *   esl_request.c    the parser of what clients say
 *   esl_command.c    the table of commands and those of one line
 *   esl_auth.c       passwords, users, what a user may do
 *   esl_subscribe.c  event, nixevent, noevents, filter, myevents
 *   esl_reader.c     all processes' event logs, read once, in order, for all clients
 *   esl_event.c      one event, serialised once for each format; events of our own
 *   esl_resume.c     reading again what a client missed
 *   esl_ask.c        commands' way to the worker that can answer them
 *   esl_api.c        api, bgapi
 *   esl_send.c       sendmsg, sendevent, getvar
 *   esl_outbound.c   the `socket` application: we connect
 *   esl_log.c        log lines
 *   esl_types.c esl_form.c esl_filter.c   tables and text, without any state */
#ifndef CONTROL_ESL_OWN_H
#define CONTROL_ESL_OWN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/eventlog.h"
#include "control/esl.h"
#include "control/esl_filter.h"
#include "control/esl_form.h"
#include "control/esl_request.h"
#include "control/esl_types.h"
#include "control/own.h"
#include "core/uuid.h"

#define ESL_CLIENTS_MAX         1000u
#define ESL_AUTH_NS             (25 * NS_PER_S) /* authentication must be through within this time */
#define ESL_AUTH_HEAD_BYTES_MAX 4096u           /* what somebody unknown may say at a time … */
#define ESL_AUTH_COMMANDS_MAX   8u              /* … and how often */
#define ESL_GOODBYE_NS          (5 * NS_PER_S)  /* for the last bytes of a connection that ends */
#define ESL_QUEUE_TEXTS_MAX     100000u         /* FreeSWITCH's MAX_QUEUE_LEN */
#define ESL_QUEUE_BYTES_MAX     (16u << 20)
#define ESL_SUBCLASSES_MAX      1000u
#define ESL_JOBS_MAX            65536u           /* bgapi running at a time */
#define ESL_POLL_NS             (10 * NS_PER_MS) /* between two looks into the event logs */
#define ESL_KEEP_NS             (300 * NS_PER_S) /* so long a client may be away and find its events published all the same */
#define ESL_POLL_EVENTS_MAX     2000u            /* in one turn of the loop */

/* --- esl_queue.c ---------------------------------------------------------------------------------------------- */

/* Bytes for one or many clients. */
struct esl_text {
    uint32_t references;
    bool event; /* may be dropped: no reply */
    size_t length;
    char data[];
};
struct esl_text *esl_text_new(const char *data, size_t length); /* one reference; NULL without memory */
void esl_text_release(struct esl_text *text);

struct esl_queue {
    struct esl_text **ring; /* size is a power of two */
    uint32_t size, head, count;
    size_t bytes; /* of all texts in it */
    size_t sent;  /* of the first one */
};
bool esl_queue_full(const struct esl_queue *queue);
int esl_queue_put(struct esl_queue *queue, struct esl_text *text); /* takes a reference of its own; 0 or -ENOMEM */
/* Writes what the socket takes: 0 all, 1 something is left, -errno. */
int esl_queue_write(struct esl_queue *queue, int fd);
void esl_queue_clear(struct esl_queue *queue);
/* Drops the events that wait in it; replies stay, and what is half written. */
void esl_queue_drop_events(struct esl_queue *queue);

/* --- the client ------------------------------------------------------------------------------------------------ */

typedef uint64_t esl_marks[BUS_PROCESSES_MAX]; /* a sequence number for each process's event log */

enum esl_timer { ESL_TIMER_NONE, ESL_TIMER_AUTH, ESL_TIMER_REFUSE, ESL_TIMER_GOODBYE, ESL_TIMER_LINGER };
enum esl_linger { ESL_LINGER_NONE, ESL_LINGER_SECONDS, ESL_LINGER_FOR_EVER };

struct esl_asked; /* esl_ask.c: a question to a worker */

struct esl_client {
    struct esl *esl;
    struct esl_client *next, *previous;
    struct loop_watch watch;
    uint32_t epoll_events;
    struct loop_timer timer;
    enum esl_timer timer_for;
    char address[INET6_ADDRSTRLEN];
    struct esl_input input;
    struct esl_request request; /* the one that runs */
    struct esl_queue queue;
    bool authenticated;
    bool busy;    /* a command waits for its answer: the next ones wait behind it */
    bool stalled; /* commands wait for room in the queue */
    bool running; /* its commands are being taken, somewhere up the stack */
    bool dirty;   /* something was queued and not yet written */
    bool closing; /* ends as soon as its queue is written */
    bool gone;    /* ended; freed in the next turn */
    unsigned commands_before_auth;
    struct esl_asked *asked; /* what it waits for, if that is a worker's answer … */
    struct esl_asked *check; /* whether its call still lives */
    struct esl_line *line;   /* … to an api command */

    bool listening;           /* since event, nixevent or myevents, until noevents */
    bool all, all_subclasses; /* `event all`: future types and subclasses, too */
    struct esl_set types;
    char **subclasses;
    size_t subclass_count;
    enum esl_format format;
    struct esl_filters filters;

    /* The call that it is about: outbound, or by myevents. */
    bool attached, mine, call_over, call_over_later;
    struct uuid call;
    char call_text[UUID_TEXT_SIZE];
    bool outbound, full, async, connected; /* of the `socket` application */
    bool diverted;
    enum esl_linger linger;
    unsigned linger_s;
    struct esl_outbound *socket;

    int log_level; /* -1 = none */

    /* userauth: what it may; NULL = everything */
    int sending;  /* event type of a sendevent that asks for its call first */
    char *secret; /* what it said its password is, while the directory is asked */
    char *allowed_events, *allowed_api;
    bool log_forbidden;

    /* What its full queue cost it. */
    uint64_t missed;
    esl_marks gap_from;  /* the last event before the gap, of each log */
    esl_marks live_from; /* the last event that it did not get live */
    struct esl_replay *replay;
};

/* One event on its way to clients (esl_event.c). */
#define ESL_LOOKUPS 8u
struct esl_event {
    struct event_head head;
    struct kv_view pairs;
    struct esl_text *text[ESL_FORMATS];
    struct { /* headers that filters asked for */
        const char *name, *value;
    } lookups[ESL_LOOKUPS];
    unsigned lookup_count;
};

/* One log as a reader sees it: the cursor and the event that comes next. */
struct esl_source {
    uint32_t process;
    struct eventlog_cursor cursor;
    uint64_t last; /* sequence of the last event handed out */
    bool have;
    struct event_head head;
    struct kv pairs;
    uint64_t missed; /* lost to overwriting, not told yet */
};

struct esl {
    struct control *control;
    struct loop *loop;
    struct post *post;
    struct segment *segment;
    struct loop_watch listener;
    struct loop_timer retry, poll, heartbeat;
    struct loop_hook sweep;
    bool listening, closing;
    uint16_t port;
    char address[INET6_ADDRSTRLEN];
    const char *password;
    struct esl_client *clients, *gone;
    uint32_t client_count;
    uint32_t processes; /* event logs */
    uint32_t next_worker;

    struct esl_set wish, kept; /* `kept`: of clients that went lately */
    int64_t kept_until_ns;
    struct esl_set others; /* HTTP's readers */
    bool reading;
    int64_t held_since_ns; /* an event of the future waits since then; 0 = none */
    struct esl_source sources[BUS_PROCESSES_MAX];
    uint64_t event_sequence;
    size_t own_bytes; /* published by ourselves since the own log was read */
    char core_uuid[UUID_TEXT_SIZE], hostname[128], switchname[128], ipv4[64], ipv6[64];

    struct esl_outbound *connecting; /* and connected */
    struct esl_job *jobs;
    uint32_t job_count;
    struct esl_failures *failures; /* who guessed passwords lately */
    struct esl_log *log;
};

/* --- esl_client.c ---------------------------------------------------------------------------------------------- */

/* A new connection; takes the descriptor. `greet`: auth/request, for those who connected to us. NULL = it was closed. */
struct esl_client *esl_client_new(struct esl *esl, int fd, const char *address, bool greet);
/* Ends it now; its memory goes in the next turn. */
void esl_client_end(struct esl_client *client);
void esl_clients_sweep(struct esl *esl);
/* Says goodbye and ends once everything is written. */
void esl_client_goodbye(struct esl_client *client);
/* Takes commands until one must wait, then writes. */
void esl_client_run(struct esl_client *client);
void esl_client_flush(struct esl_client *client);
void esl_client_timer(struct esl_client *client, enum esl_timer what, int64_t after_ns);
/* A command that waited has its answer (already queued): goes on. */
void esl_client_done(struct esl_client *client);
/* Queues `format`…: replies are never dropped. */
void esl_client_printf(struct esl_client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
void esl_client_put(struct esl_client *client, const char *data, size_t length);
/* Content-Type: command/reply with that Reply-Text. */
void esl_reply(struct esl_client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
void esl_reply_body(struct esl_client *client, const char *body, size_t length); /* api/response */
/* A call whose worker died has no last event: looks whether those that connections are about still live. */
void esl_calls_check(struct esl *esl);
/* The attached call is over: goodbye, or lingering. */
void esl_client_call_over(struct esl_client *client);

/* --- esl_command.c, esl_auth.c, esl_subscribe.c ------------------------------------------------------------------ */

/* Answers client->request, now or later (then client->busy is set). */
void esl_command(struct esl_client *client);
void esl_auth(struct esl_client *client, const char *line);
void esl_auth_refuse(struct esl_client *client);
void esl_failures_free(struct esl_failures *failures);
bool esl_api_allowed(const struct esl_client *client, const char *command);
bool esl_event_allowed(const struct esl_client *client, const char *name);

void esl_event_command(struct esl_client *client, char *words);
void esl_nixevent(struct esl_client *client, char *words);
void esl_noevents(struct esl_client *client);
void esl_filter_command(struct esl_client *client, char *words);
void esl_myevents(struct esl_client *client, char *words);
bool esl_client_wants(const struct esl_client *client, struct esl_event *event);
bool esl_client_subscribed(const struct esl_client *client);
/* Cuts the next word off *rest; NULL at its end. */
char *esl_word(char **rest);

/* --- esl_reader.c, esl_event.c, esl_resume.c ---------------------------------------------------------------------- */

void esl_reader_start(struct esl *esl);
void esl_reader_stop(struct esl *esl);
/* After any change of any client's subscription: what the engine's processes need publish for us. */
void esl_reader_wish(struct esl *esl);
/* Hands out what is in the logs now; how many events that were. */
unsigned esl_reader_read(struct esl *esl);
/* A client went: what it listened for is published and read for a while longer, so that it can come back and resume. */
void esl_reader_keep(const struct esl_client *client);
/* Makes source->head and ->pairs the next event if there is one. */
bool esl_source_fill(struct esl *esl, struct esl_source *source);
void esl_marks_now(struct esl *esl, esl_marks out);
/* Gives it to each client that wants it. */
void esl_distribute(struct esl *esl, const struct event_head *head, struct kv_view pairs);
/* One client's copy; counts it as missed if its queue is full. */
void esl_client_offer(struct esl_client *client, struct esl_event *event);
/* The client's queue is empty again: tells it what it missed. */
void esl_client_gap_tell(struct esl_client *client);
void esl_client_lost(struct esl_client *client, uint64_t count);

struct esl_text *esl_event_text(struct esl_event *event, enum esl_format format);
const char *esl_event_get(struct esl_event *event, const char *name);
void esl_event_release(struct esl_event *event);
/* Starts an event of our own with the headers that every event has. */
int esl_event_make(struct esl *esl, struct kv *pairs, const char *name, const char *subclass, const char *function);
/* Publishes it on control's own event log; one too long for a log goes to the clients directly. */
void esl_event_fire(struct esl *esl, uint16_t type, const struct kv *pairs);
/* Sends it to this client alone, whatever it subscribed to. */
void esl_event_tell(struct esl_client *client, const struct kv *pairs);
void esl_heartbeat_start(struct esl *esl);

void esl_resume(struct esl_client *client, char *words);
void esl_replay_go(struct esl_client *client);
void esl_replay_free(struct esl_client *client);

/* --- esl_ask.c --------------------------------------------------------------------------------------------------- */

/* status 0 or -errno; text is zero-terminated and valid during the call only. */
typedef void esl_answer(void *context, int status, const char *text, size_t length);
/* Runs an API command in the worker that has the call which `call` (or, if that is NULL, the first uuid among `args`) names, or in
 * the next one. `answer` is called exactly once, never before this returns. NULL = no memory. */
struct esl_asked *esl_ask(struct esl *esl, const char *call, const char *command, const char *args, esl_answer *answer, void *context);
void esl_ask_cancel(struct esl_asked *asked); /* `answer` is not called any more */
const char *esl_ask_error(int status);        /* a sentence for people */

/* --- esl_api.c, esl_send.c, esl_log.c, esl_outbound.c ------------------------------------------------------------- */

void esl_api(struct esl_client *client, const char *text);
void esl_bgapi(struct esl_client *client, const char *text);
void esl_jobs_free(struct esl *esl);
void esl_line_free(struct esl_line *line);
void esl_sendmsg(struct esl_client *client, const char *words);
void esl_sendevent(struct esl_client *client, const char *words);
void esl_getvar(struct esl_client *client, const char *words);
void esl_divert(struct esl_client *client, const char *words);
void esl_connect(struct esl_client *client);
void esl_socket_resume(struct esl_client *client);
/* The connection of a `socket` application ended. */
void esl_outbound_ended(struct esl_client *client);
void esl_outbound_close(struct esl *esl); /* those that are not connected yet */
/* Tells somebody who may not connect so, and closes. */
void esl_refuse(int fd, const char *body);
bool esl_outbound_request(struct esl *esl, const struct post_message *message);
void esl_log_command(struct esl_client *client, const char *words);
void esl_nolog(struct esl_client *client);
/* After any change of who wants log lines. */
void esl_log_wish(struct esl *esl);
void esl_log_free(struct esl *esl);

#endif
