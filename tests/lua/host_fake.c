/* host_fake.c: see host_fake.h. A file plays for as many ms as its name says ("500.wav"); "missing.wav" does not exist. */
#include "lua/host_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/jobs.h"
#include "core/loop.h"
#include "lua/fiber.h"

#define DIGITS 64

struct variable {
    char *name, *value;
    struct variable *next;
};

struct operation {
    struct channel *channel;
    struct fiber *fiber;
    uint64_t token;
    struct loop_timer timer;
    struct operation *next;
    int reason;
    uint32_t ms;
};

struct channel {
    struct host *host;
    struct channel *next;
    unsigned references;
    struct channel_facts facts;
    struct variable *variables, *profile;
    struct operation *operations;
    struct fiber *owner;
    char digits[DIGITS];
    size_t digit_count;
};

struct pending {
    struct host *host;
    struct fiber *fiber;
    uint64_t token;
    struct loop_timer timer;
};

struct subscription {
    uint32_t id;
    uint64_t types[2];
    host_event_each *each;
    void *context;
    struct subscription *next;
};

struct host {
    struct loop *loop;
    struct jobs *jobs;
    struct config *config;
    struct engine *engine;
    struct channel *channels;
    struct variable *globals;
    struct subscription *subscriptions;
    uint32_t last_subscription;
    uint64_t sequence;
    int note_kind;
    struct kv note;
};

/* --- lists of names ---------------------------------------------------------------------------------------------------- */

static struct variable **variable_at(struct variable **list, const char *name)
{
    while (*list && strcasecmp((*list)->name, name) != 0) list = &(*list)->next;
    return list;
}

static void variable_set(struct variable **list, const char *name, const char *value)
{
    struct variable **at = variable_at(list, name), *v = *at;
    if (v) {
        free(v->value);
        if (value && *value) {
            v->value = strdup(value);
            return;
        }
        *at = v->next;
        free(v->name);
        free(v);
        return;
    }
    if (!value || !*value) return;
    v = calloc(1, sizeof *v);
    v->name = strdup(name);
    v->value = strdup(value);
    *at = v;
}

static const char *variable_get(struct variable **list, const char *name)
{
    struct variable *v = *variable_at(list, name);
    return v ? v->value : NULL;
}

static bool variable_walk(struct variable *list, size_t *at, const char **name, const char **value)
{
    for (size_t i = 0; list && i < *at; i++) list = list->next;
    if (!list) return false;
    ++*at;
    *name = list->name;
    *value = list->value;
    return true;
}

static void variables_free(struct variable **list)
{
    while (*list) variable_set(list, (*list)->name, NULL);
}

/* --- the worker's services -------------------------------------------------------------------------------------------------- */

static struct config *config_make(int memory_mb, int budget_ms)
{
    char path[] = "/tmp/carillon-lua-test-XXXXXX";
    struct config *config = NULL;
    struct buf errors = BUF_INIT;
    int fd = mkstemp(path);
    char here[512];
    CHECK(fd >= 0 && getcwd(here, sizeof here));
    dprintf(fd,
            "return { numbers = { countries = { \"1\" } }, sip = { listen = { { name = \"e\", address = \"127.0.0.1\", port = 5060 } } },\n"
            " media = { addresses = { \"127.0.0.1\" } }, trunks = { t = { address = \"127.0.0.1:5070\" } }, scripts = { dir = "
            "\"%s/tests/lua/scripts\", memory_mb = %d, budget_ms = %d } }\n",
            here, memory_mb ? memory_mb : 64, budget_ms ? budget_ms : 10000);
    close(fd);
    if (config_load(&config, path, &errors)) fprintf(stderr, "configuration: %s\n", buf_text(&errors));
    unlink(path);
    buf_free(&errors);
    CHECK(config);
    return config;
}

struct host *fake_host_new(int memory_mb, int budget_ms)
{
    struct host *host = calloc(1, sizeof *host);
    CHECK(host && loop_new(&host->loop) == 0);
    CHECK(jobs_new(&host->jobs, host->loop, 2, "test") == 0);
    host->config = config_make(memory_mb, budget_ms);
    return host;
}

void fake_host_engine(struct host *host, struct engine *engine) { host->engine = engine; }

void fake_host_free(struct host *host)
{
    variables_free(&host->globals);
    config_free(host->config);
    kv_free(&host->note);
    loop_free(host->loop);
    free(host);
}

bool fake_run(struct host *host, const bool *flag, int ms)
{
    int64_t until = clock_mono_ns() + ms * NS_PER_MS;
    while (!*flag && clock_mono_ns() < until) loop_step(host->loop, NS_PER_MS);
    return *flag;
}

struct loop *host_loop(struct host *host) { return host->loop; }

struct jobs *host_jobs(struct host *host) { return host->jobs; }

void host_query_took(struct host *host, int64_t us) {}

const struct config_node *host_config(struct host *host) { return config_root(host->config); }

uint32_t host_worker(struct host *host) { return 0; }
uint32_t host_workers(struct host *host) { return 1; }
int host_call_worker(struct host *host, const char *uuid) { return -1; }

const char *host_global_get(struct host *host, const char *name) { return variable_get(&host->globals, name); }

void host_global_set(struct host *host, const char *name, const char *value) { variable_set(&host->globals, name, value); }

bool host_global_next(struct host *host, size_t *at, const char **name, const char **value)
{
    return variable_walk(host->globals, at, name, value);
}

static void pending_fire(struct loop_timer *timer)
{
    struct pending *pending = timer->context;
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "text", "answered");
    fiber_post(pending->fiber, &(struct happening) { .kind = HAPPENING_REPLY, .token = pending->token, .pairs = kv_view(&pairs) });
    fiber_unref(pending->fiber);
    kv_free(&pairs);
    free(pending);
}

int host_request(struct host *host, struct fiber *fiber, uint64_t token, uint32_t to, int kind, const struct kv *pairs, int64_t timeout_ns)
{
    struct pending *pending = calloc(1, sizeof *pending);
    *pending = (struct pending) { .host = host, .fiber = fiber_ref(fiber), .token = token };
    pending->timer = (struct loop_timer) { .fire = pending_fire, .context = pending };
    loop_timer_set(host->loop, &pending->timer, clock_mono_ns() + 5 * NS_PER_MS);
    return 0;
}

int host_note(struct host *host, uint32_t to, int kind, const struct kv *pairs)
{
    host->note_kind = kind;
    kv_clear(&host->note);
    buf_put(&host->note.bytes, pairs->bytes.data, pairs->bytes.length);
    return 0;
}

int fake_note_kind(const struct host *host) { return host->note_kind; }

const char *fake_note_pair(const struct host *host, const char *name) { return kv_get_or(kv_view(&host->note), name, ""); }

void host_event_publish(struct host *host, uint16_t type, struct channel *channel, const struct kv *pairs)
{
    struct event_head head = { .type = type, .utc_us = clock_utc_us(), .sequence = ++host->sequence };
    if (channel) memcpy(head.call, channel->facts.uuid.bytes, sizeof head.call);
    for (struct subscription *s = host->subscriptions; s; s = s->next)
        if (s->types[type / 64] >> (type % 64) & 1) s->each(s->context, &head, kv_view(pairs));
}

bool host_event_wanted(struct host *host, uint16_t type) { return host->subscriptions != NULL; }

uint32_t host_event_subscribe(struct host *host, const uint64_t types[2], host_event_each *each, void *context)
{
    struct subscription *s = calloc(1, sizeof *s);
    *s = (struct subscription) {
        .id = ++host->last_subscription, .types = { types[0], types[1] }, .each = each, .context = context, .next = host->subscriptions
    };
    host->subscriptions = s;
    return s->id;
}

void host_event_mask(struct host *host, uint32_t id, const uint64_t types[2])
{
    for (struct subscription *s = host->subscriptions; s; s = s->next)
        if (s->id == id) memcpy(s->types, types, sizeof s->types);
}

void host_event_unsubscribe(struct host *host, uint32_t id)
{
    for (struct subscription **at = &host->subscriptions; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            struct subscription *s = *at;
            *at = s->next;
            free(s);
            return;
        }
}

/* --- channels ---------------------------------------------------------------------------------------------------------------- */

static struct channel *channel_make(struct host *host, enum channel_kind kind, const char *uuid)
{
    struct channel *channel = calloc(1, sizeof *channel);
    channel->host = host;
    channel->references = 1;
    channel->facts = (struct channel_facts) { .kind = kind, .state = CS_EXECUTE, .up = true, .answered = true, .media_ready = true };
    channel->facts.uuid = uuid_make_v4();
    if (uuid) uuid_parse(&channel->facts.uuid, uuid);
    uuid_text(&channel->facts.uuid, channel->facts.uuid_text);
    channel->facts.created_us = channel->facts.answered_us = clock_utc_us();
    channel->next = host->channels;
    host->channels = channel;
    return channel;
}

struct channel *fake_channel(struct host *host) { return channel_make(host, CHANNEL_SIP, NULL); }

size_t fake_channels(const struct host *host)
{
    size_t n = 0;
    for (const struct channel *c = host->channels; c; c = c->next) n++;
    return n;
}

const struct channel_facts *channel_facts(const struct channel *channel) { return &channel->facts; }

struct channel *channel_find(struct host *host, const char *uuid)
{
    for (struct channel *c = host->channels; c; c = c->next)
        if (!strcmp(c->facts.uuid_text, uuid)) return channel_ref(c);
    return NULL;
}

struct channel *channel_next(struct host *host, struct channel *after) { return after ? after->next : host->channels; }

struct channel *channel_ref(struct channel *channel)
{
    if (channel) channel->references++;
    return channel;
}

void channel_unref(struct channel *channel)
{
    struct channel **at;
    if (!channel || --channel->references) return;
    for (at = &channel->host->channels; *at != channel;) at = &(*at)->next;
    *at = channel->next;
    variables_free(&channel->variables);
    variables_free(&channel->profile);
    fiber_unref(channel->owner);
    free(channel);
}

const char *channel_variable(struct channel *channel, const char *name) { return variable_get(&channel->variables, name); }

void channel_variable_set(struct channel *channel, const char *name, const char *value) { variable_set(&channel->variables, name, value); }

bool channel_variable_next(struct channel *channel, size_t *at, const char **name, const char **value)
{
    return variable_walk(channel->variables, at, name, value);
}

const char *channel_profile(struct channel *channel, const char *field) { return variable_get(&channel->profile, field); }

void channel_profile_set(struct channel *channel, const char *field, const char *value) { variable_set(&channel->profile, field, value); }

struct channel *channel_new_null(struct host *host, const char *uuid, bool answered)
{
    return (void)answered, channel_make(host, CHANNEL_NULL, uuid);
}

struct channel *channel_new_loopback(struct host *host, const char *uuid, struct channel **other)
{
    *other = channel_make(host, CHANNEL_LOOPBACK, NULL);
    return channel_make(host, CHANNEL_LOOPBACK, uuid);
}

struct channel *channel_dial(struct host *host, struct fiber *fiber, const char *uuid, const struct kv *pairs)
{
    struct channel *channel = channel_make(host, CHANNEL_SIP, uuid);
    fiber_post(fiber, &(struct happening) { .kind = HAPPENING_DIALLED, .channel = channel, .pairs = kv_view(pairs) });
    return channel;
}

void channel_dial_cancel(struct channel *channel, const char *cause) {}

/* --- what a call can be asked -------------------------------------------------------------------------------------------------- */

static void changed(struct channel *channel)
{
    channel->facts.sequence++;
    fiber_post(channel->owner, &(struct happening) { .kind = HAPPENING_STATE, .channel = channel });
}

static void operation_end(struct operation *operation, int reason)
{
    struct channel *channel = operation->channel;
    struct operation **at = &channel->operations;
    while (*at != operation) at = &(*at)->next;
    *at = operation->next;
    loop_timer_clear(channel->host->loop, &operation->timer);
    fiber_post(operation->fiber, &(struct happening) { .kind = HAPPENING_DONE,
                                                       .channel = channel,
                                                       .token = operation->token,
                                                       .reason = reason,
                                                       .ms = operation->ms,
                                                       .samples = operation->ms * 8,
                                                       .rate = 8000 });
    fiber_unref(operation->fiber);
    channel_unref(channel);
    free(operation);
}

static void operation_fire(struct loop_timer *timer)
{
    struct operation *operation = timer->context;
    operation_end(operation, operation->reason);
}

static int operation_begin(struct channel *channel, struct fiber *fiber, uint64_t token, uint32_t ms, int reason)
{
    struct operation *operation;
    if (!channel->facts.up) return -ENOTCONN;
    operation = calloc(1, sizeof *operation);
    *operation = (struct operation) {
        .channel = channel_ref(channel), .fiber = fiber_ref(fiber), .token = token, .next = channel->operations, .reason = reason, .ms = ms
    };
    operation->timer = (struct loop_timer) { .fire = operation_fire, .context = operation };
    channel->operations = operation;
    loop_timer_set(channel->host->loop, &operation->timer, clock_mono_ns() + ms * NS_PER_MS);
    return 0;
}

void fake_hangup(struct channel *channel, int cause)
{
    if (!channel->facts.up) return;
    channel->facts.up = channel->facts.media_ready = false;
    channel->facts.cause = cause;
    channel->facts.state = CS_HANGUP;
    channel->facts.hangup_us = clock_utc_us();
    while (channel->operations) operation_end(channel->operations, MEDIA_GONE);
    changed(channel);
    if (channel->host->engine) engine_channel_over(channel->host->engine, channel);
}

int channel_ring(struct channel *channel) { return 0; }

int channel_early(struct channel *channel) { return 0; }

int channel_answer(struct channel *channel)
{
    if (!channel->facts.up) return -ENOTCONN;
    channel->facts.answered = true;
    changed(channel);
    return 0;
}

int channel_hangup(struct channel *channel, int cause)
{
    if (!channel->facts.up) return -ENOTCONN;
    fake_hangup(channel, cause);
    return 0;
}

int channel_respond(struct channel *channel, int status, const char *phrase, const char *contact) { return -ENOTCONN; }

int channel_state_set(struct channel *channel, enum channel_state state)
{
    channel->facts.state = state;
    return 0;
}

int channel_transferring_set(struct channel *channel, bool on)
{
    channel->facts.transferring = on;
    changed(channel);
    return 0;
}

int channel_play(struct channel *channel, struct fiber *fiber, uint64_t token, const char *source, uint64_t start, uint32_t flags)
{
    const char *base = strrchr(source, '/');
    if (strstr(source, "missing")) return operation_begin(channel, fiber, token, 0, MEDIA_NOT_FOUND);
    return operation_begin(channel, fiber, token, (uint32_t)atoi(base ? base + 1 : source), MEDIA_FINISHED);
}

int channel_record(struct channel *channel, struct fiber *fiber, uint64_t token, const struct record_params *params)
{
    return operation_begin(channel, fiber, token, params->limit_ms ? params->limit_ms : 1000, MEDIA_LIMIT);
}

int channel_send_digits(struct channel *channel, struct fiber *fiber, uint64_t token, const char *digits, uint32_t duration_ms)
{
    return operation_begin(channel, fiber, token, 10, MEDIA_FINISHED);
}

int channel_operation_control(struct channel *channel, uint64_t token, int control, int64_t value) { return 0; }

int channel_operation_stop(struct channel *channel, uint64_t token)
{
    for (struct operation *o = channel->operations; o; o = o->next)
        if (o->token == token) {
            operation_end(o, MEDIA_STOPPED);
            return 0;
        }
    return -ENOENT;
}

int channel_bridge(struct channel *a, struct channel *b)
{
    a->facts.bridged = b->facts.bridged = true;
    return 0;
}

int channel_unbridge(struct channel *channel)
{
    channel->facts.bridged = false;
    return 0;
}

int channel_echo(struct channel *channel, bool on, uint32_t delay_ms) { return 0; }

int channel_room_join(struct channel *channel, uint32_t room, const struct room_member *member) { return 0; }

int channel_room_leave(struct channel *channel) { return 0; }

int channel_mute(struct channel *channel, bool read, bool write) { return 0; }

int channel_gain(struct channel *channel, bool read, int level) { return 0; }

int channel_listen(struct channel *listener, struct channel *target, bool whisper_target, bool whisper_partner) { return 0; }

int channel_detect(struct channel *channel, struct fiber *fiber, uint64_t token, const struct detect_params *params) { return 0; }

int channel_lend(struct channel *channel, uint32_t process, struct kv *out) { return -EBUSY; }
void channel_recall(struct channel *channel) {}
void channel_reclaim(struct channel *channel) {}
struct channel *channel_guest(struct host *host, uint32_t process, const char *loan) { return NULL; }
void channel_hidden_release(struct channel *channel) {}
struct channel *channel_new_voice(struct host *host, uint32_t rate) { return channel_make(host, CHANNEL_NULL, NULL); }

size_t channel_digits_waiting(const struct channel *channel) { return channel->digit_count; }

bool channel_digit_take(struct channel *channel, char *digit, uint32_t *samples)
{
    if (!channel->digit_count) return false;
    *digit = channel->digits[0];
    *samples = 800;
    memmove(channel->digits, channel->digits + 1, --channel->digit_count);
    return true;
}

void channel_digits_flush(struct channel *channel) { channel->digit_count = 0; }

void channel_digit_queue(struct channel *channel, char digit, uint32_t samples)
{
    if (channel->digit_count < DIGITS) channel->digits[channel->digit_count++] = digit;
    fiber_post(channel->owner, &(struct happening) { .kind = HAPPENING_DIGIT, .channel = channel });
}

void fake_digit(struct channel *channel, char digit) { channel_digit_queue(channel, digit, 800); }

void channel_owner_set(struct channel *channel, struct fiber *fiber)
{
    struct fiber *before = channel->owner;
    channel->owner = fiber_ref(fiber);
    fiber_unref(before);
}

struct fiber *channel_owner(const struct channel *channel) { return channel->owner; }

void channel_watch(struct channel *channel, struct fiber *fiber, bool on) {}

void channel_break(struct channel *channel, bool all)
{
    fiber_post(channel->owner, &(struct happening) { .kind = HAPPENING_BREAK, .channel = channel, .value = all });
}

void channel_event_queue(struct channel *channel, const struct kv *event)
{
    fiber_post(channel->owner, &(struct happening) { .kind = HAPPENING_EVENT, .channel = channel, .pairs = kv_view(event) });
}
