/* host.c: the worker's services for the script engine. */
#include "lua/host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/histogram.h"
#include "core/clock.h"
#include "core/local_address.h"
#include "core/log.h"
#include "worker/host_private.h"

struct loop *host_loop(struct host *host) { return host->loop; }

struct jobs *host_jobs(struct host *host) { return host->jobs; }

void host_query_took(struct host *host, int64_t us)
{
    histogram_record(histogram_at(host->segment, host->process, HISTOGRAM_query_time), HISTOGRAM_query_time, us);
}

const struct config_node *host_config(struct host *host) { return host->config; }

uint32_t host_worker(struct host *host) { return host->worker; }

uint32_t host_workers(struct host *host) { return segment_workers(host->segment); }

int host_call_worker(struct host *host, const char *uuid)
{
    struct directory_entry entry;
    struct uuid id;
    if (uuid_parse(&id, uuid) < 0 || !directory_find(host->segment, id.bytes, &entry)) return -1;
    return (int)entry.worker;
}

/* --- global variables: a replica of the broker's ---------------------------------------------------------------------- */

const char *host_global_get(struct host *host, const char *name) { return names_get(&host->globals, name); }

void host_global_set(struct host *host, const char *name, const char *value)
{
    const char *stored = value && value[0] ? value : NULL;
    names_set(&host->globals, name, stored);
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "name", name);
    kv_add(&pairs, "value", stored);
    post_note(host->post, BUS_BROKER, MSG_GLOBAL_SET, &pairs);
    kv_free(&pairs);
}

bool host_global_next(struct host *host, size_t *at, const char **name, const char **value)
{
    return names_next(&host->globals, at, name, value);
}

/* The same in all processes of this start. */
static void core_uuid(struct host *host)
{
    uint64_t halves[2] = { segment_boot_id(host->segment), (uint64_t)segment_started_utc_us(host->segment) * 0x9e3779b97f4a7c15ULL };
    struct uuid id;
    memcpy(id.bytes, halves, sizeof(id.bytes));
    id.bytes[6] = (uint8_t)(0x40 | (id.bytes[6] & 0x0f));
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
    char text[UUID_TEXT_SIZE];
    names_set(&host->globals, "core_uuid", uuid_text(&id, text));
}

static void own_addresses(struct host *host)
{
    char address[LOCAL_ADDRESS_SIZE], mask[LOCAL_ADDRESS_SIZE];
    local_address_v4(address);
    names_set(&host->globals, "local_ip_v4", address);
    local_address_mask(address, mask);
    names_set(&host->globals, "local_mask_v4", mask);
    local_address_v6(address);
    names_set(&host->globals, "local_ip_v6", address);
}

/* What FreeSWITCH has from its start; folders that we have no own one for are the data folder. */
static void globals_fill(struct host *host)
{
    core_uuid(host);
    own_addresses(host);
    char hostname[256] = "localhost";
    gethostname(hostname, sizeof(hostname) - 1);
    names_set(&host->globals, "hostname", hostname);
    names_set(&host->globals, "switchname", config_str(host->config, "name", "carillon"));
    static const struct {
        const char *global, *key;
    } folders[] = {
        { "sounds_dir", "sounds_dir" },   { "script_dir", "scripts.dir" },
        { "conf_dir", "freeswitch_dir" }, { "sound_prefix", "sounds_dir" },
        { "run_dir", "run_dir" },         { "base_dir", "data_dir" },
        { "db_dir", "data_dir" },         { "data_dir", "data_dir" },
        { "log_dir", "data_dir" },        { "storage_dir", "data_dir" },
        { "cache_dir", "data_dir" },      { "certs_dir", "data_dir" },
        { "mod_dir", "data_dir" },        { "htdocs_dir", "data_dir" },
        { "grammar_dir", "data_dir" },    { "fonts_dir", "data_dir" },
        { "images_dir", "data_dir" },     { "localstate_dir", "data_dir" },
        { "recordings_dir", "data_dir" }, { "recordings_dir", "recordings_dir" },
    };
    names_set(&host->globals, "temp_dir", "/tmp");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        const char *folder = config_str(host->config, folders[i].key, NULL);
        if (folder && folder[0]) names_set(&host->globals, folders[i].global, folder);
    }
    const struct config_node *globals = config_get(host->config, "globals");
    for (size_t i = 0; i < config_count(globals); i++) {
        const struct config_node *one = config_child(globals, i);
        names_set(&host->globals, config_name(one), config_text(one));
    }
}

/* --- messages ------------------------------------------------------------------------------------------------------------ */

struct pending {
    struct fiber *fiber;
    uint64_t token;
};

static void request_answered(void *context, int status, struct kv_view pairs)
{
    struct pending *pending = context;
    fiber_post(pending->fiber, &(struct happening) { .kind = HAPPENING_REPLY, .token = pending->token, .status = status, .pairs = pairs });
    fiber_unref(pending->fiber);
    free(pending);
}

int host_request(struct host *host, struct fiber *fiber, uint64_t token, uint32_t to, int kind, const struct kv *pairs, int64_t timeout_ns)
{
    struct pending *pending = malloc(sizeof(*pending));
    if (!pending) return -ENOMEM;
    *pending = (struct pending) { .fiber = fiber_ref(fiber), .token = token };
    int error = post_request(host->post, to, (enum message_kind)kind, pairs, timeout_ns, request_answered, pending, NULL);
    if (error < 0) {
        fiber_unref(fiber);
        free(pending);
    }
    return error;
}

int host_note(struct host *host, uint32_t to, int kind, const struct kv *pairs)
{
    return post_note(host->post, to, (enum message_kind)kind, pairs);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

static void process_changed(void *context, uint32_t process, bool alive)
{
    struct host *host = context;
    if (process == BUS_BROKER)
        log_notice(NULL, alive ? "the broker is back" : "the broker is gone: calls go on, new ones wait for the next broker");
    if (process >= BUS_WORKER_0 && !alive && host->engine) {
        guests_of_gone(host, process);
        engine_process_gone(host->engine, process);
    }
}

static int media_start(struct host *host)
{
    const struct config_node *addresses = config_get(host->config, "media.addresses");
    size_t count = config_count(addresses);
    const char **list = calloc(count + 1, sizeof(*list));
    if (!list) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct config_node *one = config_child(addresses, i);
        list[i] = config_count(one) ? config_str(one, "address", "127.0.0.1") : config_text(one);
    }
    struct media_params params = {
        .segment = host->segment,
        .worker = host->worker,
        .sounds_dir = config_str(host->config, "sounds_dir", "."),
        .addresses = list,
        .port_first = (uint16_t)config_int(host->config, "media.port_first", 16384),
        .port_last = (uint16_t)config_int(host->config, "media.port_last", 32767),
        .cpu = -1, /* the supervisor pinned this process */
        .realtime = config_bool(host->config, "media.realtime", true),
        .rtp_timeout_ms = (uint32_t)config_int(host->config, "media.rtp_timeout_s", 0) * 1000,
        .budget_percent = (uint32_t)config_int(host->config, "media.budget_percent", 85),
        .rtp_hold_timeout_ms = (uint32_t)config_int(host->config, "media.rtp_hold_timeout_s", 0) * 1000,
    };
    int error = media_port_start(&host->media, &params, host->loop, host_media_event, host);
    free(list);
    return error;
}

int host_new(struct host **out, const struct config_node *config, struct segment *segment, uint32_t process, struct loop *loop)
{
    struct host *host = calloc(1, sizeof(*host));
    if (!host) return -ENOMEM;
    *host = (struct host) { .config = config, .segment = segment, .process = process, .worker = process - BUS_WORKER_0, .loop = loop };
    globals_fill(host);
    int error = jobs_new(&host->jobs, loop, JOB_THREADS, "script-job");
    if (error == 0) error = post_new(&host->post, segment, process, loop, host_message, host);
    if (error == 0) {
        post_watch(host->post, process_changed, host);
        post_keep_notes(host->post, BUS_BROKER); /* calls outlive a broker: what is said of them is for the next one then */
        error = media_start(host);
    }
    if (error == 0) {
        host_events_start(host);
        error = engine_new(&host->engine, host);
    }
    *out = host;
    return error;
}

static void channels_end(struct host *host)
{
    for (struct channel *c = host->first; c; c = c->next)
        if (c->facts.up) channel_hangup(c, 701 /* SYSTEM_SHUTDOWN */);
    while (host->guests) channel_hidden_release(host->guests);
}

void host_free(struct host *host)
{
    if (!host) return;
    channels_end(host);
    if (host->engine) engine_free(host->engine);
    if (host->media) media_port_stop(host->media);
    if (host->jobs) jobs_free(host->jobs);
    if (host->post) post_free(host->post);
    names_free(&host->globals);
    free(host->by_leg);
    free(host);
}
