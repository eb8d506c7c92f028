/* media_helpers.c: threads for what blocks: loaders read and encode sound files, one writer writes recordings.
 *
 * To each goes a ring of requests, from each comes a ring of answers (a request's memory travels both ways). A helper sleeps on an
 * eventfd that is written only when it said that it sleeps. Each lowers itself to nice 19. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/check.h"
#include "core/log.h"
#include "worker/media_internal.h"

#define REQUESTS_MAX     16384u
#define WRITER_PERIOD_MS 40

struct load {
    struct play *play; /* the media thread's: NULL once forgotten */
    char *source;
    const struct codec *codec;
    struct playlist *list;
    int error;
};

struct helper {
    struct helpers *all;
    struct spsc requests, answers; /* of pointers */
    int fd;
    _Atomic int sleeping;
    pthread_t thread;
    bool running;
};

struct helpers {
    struct helper loaders[LOADERS], writer;
    struct prompt_cache *cache;
    char *sounds_dir;
    uint32_t next_loader;
    uint32_t outstanding; /* loads and recordings under way */
    _Atomic bool stop;
};

static void helper_wake(struct helper *helper)
{
    const uint64_t one = 1;
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&helper->sleeping, memory_order_relaxed)) (void)!write(helper->fd, &one, sizeof one);
}

static int helper_ask(struct helper *helper, void *request)
{
    int result = spsc_push(&helper->requests, &request);
    if (!result) {
        helper->all->outstanding++;
        helper_wake(helper);
    }
    return result;
}

static void helper_sleep(struct helper *helper, int timeout_ms)
{
    struct pollfd poll_fd = { .fd = helper->fd, .events = POLLIN };
    uint64_t count;
    atomic_store(&helper->sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (spsc_empty(&helper->requests) && !atomic_load(&helper->all->stop)) poll(&poll_fd, 1, timeout_ms);
    atomic_store(&helper->sleeping, 0);
    (void)!read(helper->fd, &count, sizeof count);
}

/* Answers cannot overflow: there are as many places as requests, and the media thread counts what is outstanding. */
static void helper_answer(struct helper *helper, void *answer)
{
    while (spsc_push(&helper->answers, &answer)) usleep(1000);
}

static void helper_lower(const char *name)
{
    pthread_setname_np(pthread_self(), name);
    setpriority(PRIO_PROCESS, 0, 19); /* Linux: of this thread */
}

/* --- loaders ------------------------------------------------------------------------------------------------------ */

static void *loader_run(void *context)
{
    struct helper *helper = context;
    struct helpers *all = helper->all;
    struct load *load;
    helper_lower("media-load");
    (void)secure_start(); /* libsrtp's cipher self-tests take milliseconds that the first call's slice should not pay */
    while (!atomic_load(&all->stop)) {
        if (!spsc_pop(&helper->requests, &load)) {
            helper_sleep(helper, 1000);
            continue;
        }
        load->error = playlist_open(&load->list, all->cache, load->source, load->codec, all->sounds_dir);
        helper_answer(helper, load);
    }
    return NULL;
}

static void load_free(struct load *load)
{
    playlist_close(load->list);
    free(load->source);
    free(load);
}

int helpers_load(struct media *m, struct play *play, const struct codec *codec)
{
    struct helpers *all = m->helpers;
    struct load *load = calloc(1, sizeof *load);
    if (!load || !(load->source = strdup(play->source))) {
        free(load);
        return -ENOMEM;
    }
    load->play = play;
    load->codec = codec;
    int result = helper_ask(&all->loaders[all->next_loader++ % LOADERS], load);
    if (result)
        load_free(load);
    else
        play->load = load;
    return result;
}

void helpers_forget(struct media *m, struct play *play)
{
    play->load->play = NULL;
    play->load = NULL;
}

static void take_loads(struct media *m, struct helper *helper)
{
    struct load *load;
    while (spsc_pop(&helper->answers, &load)) {
        m->helpers->outstanding--;
        if (load->play) {
            struct playlist *list = load->list;
            load->list = NULL;
            if (load->error) log_info(NULL, "media: cannot play %s: %s", load->source, strerror(-load->error));
            play_loaded(m, load->play, list, load->error);
        }
        load_free(load);
    }
}

/* --- the writer --------------------------------------------------------------------------------------------------- */

struct writing {
    struct writing *next;
    struct record *record;
};

/* On each round every open recording is written as far as it has come. */
static void write_round(struct helper *helper, struct writing **list)
{
    for (struct writing **at = list; *at;) {
        struct writing *writing = *at;
        if (!recorder_work(writing->record->recorder)) {
            at = &writing->next;
            continue;
        }
        *at = writing->next;
        helper_answer(helper, writing->record);
        free(writing);
    }
}

static void *writer_run(void *context)
{
    struct helper *helper = context;
    struct writing *list = NULL;
    struct record *record;
    helper_lower("media-write");
    while (!atomic_load(&helper->all->stop) || list) {
        while (spsc_pop(&helper->requests, &record)) {
            struct writing *writing = calloc(1, sizeof *writing);
            CHECK(writing);
            *writing = (struct writing) { list, record };
            list = writing;
        }
        write_round(helper, &list);
        if (list)
            usleep(WRITER_PERIOD_MS * 1000);
        else
            helper_sleep(helper, 1000);
    }
    return NULL;
}

int helpers_record(struct media *m, struct record *record) { return helper_ask(&m->helpers->writer, record); }

void helpers_take(struct media *m)
{
    struct helpers *all = m->helpers;
    if (!all->outstanding) return;
    for (uint32_t i = 0; i < LOADERS; i++) take_loads(m, &all->loaders[i]);
    struct record *record;
    while (spsc_pop(&all->writer.answers, &record)) {
        all->outstanding--;
        record_closed(m, record);
    }
}

bool helpers_busy(const struct media *m) { return m->helpers->outstanding > 0; }

/* --- life --------------------------------------------------------------------------------------------------------- */

static int helper_start(struct helpers *all, struct helper *helper, void *(*run)(void *))
{
    helper->all = all;
    helper->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (helper->fd < 0) return -errno;
    if (spsc_init(&helper->requests, REQUESTS_MAX, sizeof(void *)) || spsc_init(&helper->answers, REQUESTS_MAX, sizeof(void *)))
        return -ENOMEM;
    int error = pthread_create(&helper->thread, NULL, run, helper);
    helper->running = !error;
    return -error;
}

static void helper_stop(struct helper *helper)
{
    if (helper->running) {
        helper_wake(helper);
        pthread_join(helper->thread, NULL);
    }
    if (helper->all) close(helper->fd);
    spsc_free(&helper->requests);
    spsc_free(&helper->answers);
}

int helpers_start(struct media *m, const char *sounds_dir)
{
    struct helpers *all = aligned_alloc(64, (sizeof *all + 63) & ~(size_t)63);
    if (!all) return -ENOMEM;
    memset(all, 0, sizeof *all);
    m->helpers = all;
    all->sounds_dir = strdup(sounds_dir ? sounds_dir : "/");
    int result = all->sounds_dir ? prompt_cache_new(&all->cache, PROMPT_CACHE_BYTES) : -ENOMEM;
    for (uint32_t i = 0; i < LOADERS && !result; i++) result = helper_start(all, &all->loaders[i], loader_run);
    return result ? result : helper_start(all, &all->writer, writer_run);
}

/* After the media thread has ended: what is still under way is given back here. */
void helpers_stop(struct media *m)
{
    struct helpers *all = m->helpers;
    struct load *load;
    if (!all) return;
    atomic_store(&all->stop, true);
    for (uint32_t i = 0; i < LOADERS; i++) {
        struct helper *helper = &all->loaders[i];
        if (helper->running) {
            helper_wake(helper);
            pthread_join(helper->thread, NULL);
            helper->running = false;
        }
        while (helper->requests.elements && (spsc_pop(&helper->answers, &load) || spsc_pop(&helper->requests, &load))) load_free(load);
        helper_stop(helper);
    }
    struct record *record;
    if (all->writer.running) {
        helper_wake(&all->writer);
        pthread_join(all->writer.thread, NULL);
        all->writer.running = false;
        while (spsc_pop(&all->writer.answers, &record)) {
            if (record->end) leg_end_one(m, record->end);
            recorder_free(record->recorder);
            free(record);
        }
    }
    helper_stop(&all->writer);
    prompt_cache_free(all->cache);
    free(all->sounds_dir);
    free(all);
    m->helpers = NULL;
}
