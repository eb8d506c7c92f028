/* media_port.c: the script thread's side: starting and stopping, commands down, events up. Objects are made here, on the script
 * thread, so that the media thread allocates next to nothing. */
#include "worker/media_port.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/log.h"
#include "worker/media_internal.h"

/* --- commands ----------------------------------------------------------------------------------------------------- */

static int command_send(struct media_port *port, const struct command *command)
{
    struct media *m = &port->media;
    const uint64_t one = 1;
    int result = spsc_push(&m->commands, command);
    atomic_thread_fence(memory_order_seq_cst);
    if (!result && atomic_load_explicit(&m->sleeping, memory_order_relaxed)) (void)!write(m->command_fd, &one, sizeof one);
    return result;
}

static int leg_open(struct media_port *port, uint32_t *number, uint32_t rate, struct leg_link *link)
{
    struct leg *leg = port->virtual_count ? calloc(1, sizeof *leg) : NULL;
    if (!leg) return port->virtual_count ? -ENOMEM : -EAGAIN;
    leg->link = link;
    leg->number = port->virtual_free[port->virtual_head % VIRTUAL_LEGS_MAX];
    leg->generation = 1;
    leg->is_virtual = true;
    *number = leg->number;
    int result = command_send(port, &(struct command) { .kind = COMMAND_LEG_OPEN, .object = leg, .a = rate });
    if (result) {
        free(leg);
        return result;
    }
    port->virtual_head++;
    port->virtual_count--;
    return 0;
}

int media_leg_open(struct media_port *port, uint32_t *number) { return leg_open(port, number, 8000, NULL); }

int media_leg_open_rate(struct media_port *port, uint32_t *number, uint32_t rate)
{
    return codec_linear(rate) ? leg_open(port, number, rate, NULL) : -EINVAL;
}

int media_leg_open_link(struct media_port *port, uint32_t *number, struct link *link, bool home, uint32_t generation, uint32_t rate)
{
    struct leg_link *end = codec_linear(rate) ? leg_link_new(link, home ? LINK_HOME : LINK_AWAY, generation) : NULL;
    int result = end ? leg_open(port, number, rate, end) : -ENOMEM;
    if (result) free(end);
    return result;
}

int media_leg_join(struct media_port *port, struct media_leg a, struct media_leg b)
{
    return command_send(port, &(struct command) { .kind = COMMAND_LEG_JOIN, .leg = a, .other = b });
}

int media_leg_close(struct media_port *port, struct media_leg leg)
{
    if (leg.number < port->media.slots || leg.number >= port->media.legs_count) return -EINVAL;
    int result = command_send(port, &(struct command) { .kind = COMMAND_LEG_CLOSE, .leg = leg });
    if (!result) /* used again last of all, since its generation is always 1 */
        port->virtual_free[(port->virtual_head + port->virtual_count++) % VIRTUAL_LEGS_MAX] = leg.number;
    return result;
}

static struct play *play_new(uint64_t operation, const char *source, uint64_t start, uint32_t flags)
{
    struct play *play = calloc(1, sizeof *play);
    if (!play || !(play->source = strdup(source))) {
        free(play);
        return NULL;
    }
    play->operation = (struct operation) { .number = operation, .kind = OPERATION_PLAY };
    play->start = start;
    play->flags = flags;
    play->noise = (uint32_t)operation * 2654435761u + 1;
    return play;
}

static int play_send(struct media_port *port, struct play *play, const struct command *command)
{
    int result = play ? command_send(port, command) : -ENOMEM;
    if (result && play) {
        free(play->source);
        free(play);
    }
    return result;
}

int media_play(struct media_port *port, struct media_leg leg, uint64_t operation, const char *source, uint64_t start, uint32_t flags)
{
    struct play *play = play_new(operation, source, start, flags);
    return play_send(port, play, &(struct command) { .kind = COMMAND_OPERATION, .leg = leg, .object = &play->operation });
}

int media_control(struct media_port *port, uint64_t operation, enum media_control control, int64_t value)
{
    return command_send(port, &(struct command) { .kind = COMMAND_CONTROL, .operation = operation, .a = control, .value = value });
}

int media_stop(struct media_port *port, uint64_t operation)
{
    return command_send(port, &(struct command) { .kind = COMMAND_STOP, .operation = operation });
}

int media_record(struct media_port *port, struct media_leg leg, uint64_t operation, const struct record_params *params)
{
    struct record *record = calloc(1, sizeof *record);
    const struct recorder_params file = {
        .path = params->path,
        .file_rate = params->rate,
        .append = params->append,
        .stereo = params->stereo,
        .min_ms = params->min_ms,
        .title = params->title,
        .artist = params->artist,
        .comment = params->comment,
        .copyright = params->copyright,
        .software = params->software,
        .date = params->date,
    };
    if (!record || !(record->recorder = recorder_new(&file))) {
        free(record);
        return -ENOMEM;
    }
    record->operation = (struct operation) { .number = operation, .kind = OPERATION_RECORD };
    record->limit_ms = params->limit_ms;
    record->silence_threshold = params->silence_threshold;
    record->silence_frames = (params->silence_ms ? params->silence_ms : 3000) / CODEC_FRAME_MS;
    record->stereo = params->stereo;
    record->read = params->read || !params->write; /* neither = what the far end says */
    record->write = params->write;
    record->comfort_noise = params->comfort_noise;
    int result = command_send(port, &(struct command) { .kind = COMMAND_OPERATION, .leg = leg, .object = &record->operation });
    if (result) {
        recorder_free(record->recorder);
        free(record);
    }
    return result;
}

int media_send_digits(struct media_port *port, struct media_leg leg, uint64_t operation, const char *text, uint32_t duration_ms)
{
    struct digits *digits = calloc(1, sizeof *digits);
    if (!digits || !(digits->text = strdup(text))) {
        free(digits);
        return -ENOMEM;
    }
    digits->operation = (struct operation) { .number = operation, .kind = OPERATION_DIGITS };
    digits->duration_ms = duration_ms;
    int result = command_send(port, &(struct command) { .kind = COMMAND_OPERATION, .leg = leg, .object = &digits->operation });
    if (result) digits_free(digits);
    return result;
}

int media_detect(struct media_port *port, struct media_leg leg, uint64_t operation, const struct detect_params *params)
{
    if (params->what == DETECT_ANSWER && !amd_classifier_find(params->classifier)) return -EINVAL;
    struct detector *detector = calloc(1, sizeof *detector);
    if (!detector) return -ENOMEM;
    detector->operation = (struct operation) { .number = operation, .kind = OPERATION_DETECT };
    detector->params = *params;
    int result = command_send(port, &(struct command) { .kind = COMMAND_OPERATION, .leg = leg, .object = &detector->operation });
    if (result) detector_free(detector);
    return result;
}

int media_timeouts(struct media_port *port, struct media_leg leg, uint32_t ms, uint32_t hold_ms)
{
    return command_send(port, &(struct command) { .kind = COMMAND_TIMEOUTS, .leg = leg, .a = ms, .b = hold_ms });
}

int media_bridge(struct media_port *port, struct media_leg a, struct media_leg b)
{
    return command_send(port, &(struct command) { .kind = COMMAND_BRIDGE, .leg = a, .other = b });
}

int media_unbridge(struct media_port *port, struct media_leg leg)
{
    return command_send(port, &(struct command) { .kind = COMMAND_UNBRIDGE, .leg = leg });
}

int media_echo(struct media_port *port, struct media_leg leg, bool on, uint32_t delay_ms)
{
    return command_send(port, &(struct command) { .kind = COMMAND_ECHO, .leg = leg, .a = on, .b = delay_ms });
}

int media_mute(struct media_port *port, struct media_leg leg, bool read, bool write)
{
    return command_send(port, &(struct command) { .kind = COMMAND_MUTE, .leg = leg, .a = read, .b = write });
}

int media_gain(struct media_port *port, struct media_leg leg, bool read, int level)
{
    level = level > 4 ? 4 : level < -4 ? -4 : level;
    return command_send(port, &(struct command) { .kind = COMMAND_GAIN, .leg = leg, .a = read, .value = level });
}

int media_room_join(struct media_port *port, uint32_t room, struct media_leg leg, const struct room_member *member)
{
    return command_send(port, &(struct command) { .kind = COMMAND_ROOM_JOIN, .leg = leg, .value = room, .member = *member });
}

int media_room_leave(struct media_port *port, struct media_leg leg)
{
    return command_send(port, &(struct command) { .kind = COMMAND_ROOM_LEAVE, .leg = leg });
}

int media_listen(struct media_port *port, struct media_leg listener, struct media_leg target, bool whisper_target, bool whisper_partner)
{
    return command_send(
        port, &(struct command) { .kind = COMMAND_LISTEN, .leg = listener, .other = target, .a = whisper_target, .b = whisper_partner });
}

bool media_totals(struct media_port *port, struct media_leg leg, struct slot_totals *out)
{
    struct media *m = &port->media;
    if (leg.number >= m->slots) return false;
    return slot_totals_read(segment_slot(m->segment, m->first_slot + leg.number), out) && out->generation == leg.generation;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

void media_events_take(struct media_port *port)
{
    struct media_event event;
    while (spsc_pop(&port->media.events, &event)) port->event(port->context, &event);
}

static void events_ready(struct loop_watch *watch, uint32_t ready)
{
    struct media_port *port = watch->context;
    uint64_t count;
    (void)!read(port->media.event_fd, &count, sizeof count);
    atomic_store(&port->media.event_signal, 0); /* before looking: what comes from here on signals again */
    media_events_take(port);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void media_identity(struct media *m)
{
    if (getrandom(&m->random, sizeof m->random, 0) != sizeof m->random) m->random = (uint64_t)clock_mono_ns() ^ (uint64_t)getpid() << 32;
    snprintf(m->cname, sizeof m->cname, "carillon-%08x", media_random(m)); /* RFC 7022: short-term, random */
}

/* A second of low noise, about −65 dBm0: what a caller hears while a recording asks for it. */
static int media_noise(struct media *m)
{
    int16_t *noise = malloc(50 * 160 * sizeof *noise);
    m->noise = (uint8_t *)noise;
    for (uint32_t i = 0; noise && i < 50 * 160; i++) noise[i] = (int16_t)((int)(media_random(m) % 33) - 16);
    return noise ? 0 : -ENOMEM;
}

static int media_allocate(struct media *m)
{
    m->legs_count = m->slots + VIRTUAL_LEGS_MAX;
    m->legs = calloc(m->legs_count, sizeof *m->legs);
    m->slot_legs = calloc(m->slots, sizeof *m->slot_legs);
    if (!m->legs || !m->slot_legs) return -ENOMEM;
    for (uint32_t i = 0; i < m->slots; i++) {
        m->slot_legs[i].number = i;
        m->legs[i] = &m->slot_legs[i];
    }
    for (uint32_t i = 0; i < SLICES; i++)
        if (!(m->slice_legs[i] = calloc(m->legs_count, sizeof **m->slice_legs))) return -ENOMEM;
    if (spsc_init(&m->commands, COMMANDS_MAX, sizeof(struct command)) || spsc_init(&m->events, EVENTS_MAX, sizeof(struct media_event)))
        return -ENOMEM;
    m->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    m->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return m->command_fd < 0 || m->event_fd < 0 ? -errno : media_noise(m);
}

static int thread_start(struct media *m)
{
    pthread_mutex_init(&m->start_lock, NULL);
    pthread_cond_init(&m->start_done, NULL);
    int error = pthread_create(&m->thread, NULL, media_thread, m);
    if (error) return -error;
    pthread_mutex_lock(&m->start_lock);
    while (!m->started) pthread_cond_wait(&m->start_done, &m->start_lock);
    pthread_mutex_unlock(&m->start_lock);
    if (m->start_result) pthread_join(m->thread, NULL);
    return m->start_result;
}

static void legs_free(struct media *m)
{
    for (uint32_t i = 0; m->legs && i < m->legs_count; i++) {
        if (m->legs[i] && m->legs[i]->on) leg_off(m, m->legs[i], MEDIA_GONE);
        if (i >= m->slots) free(m->legs[i]);
    }
}

static void port_free(struct media_port *port)
{
    struct media *m = &port->media;
    legs_free(m);
    helpers_stop(m);
    for (uint32_t i = 0; m->sockets && i < 2 * m->slots; i++)
        if (m->sockets[i] >= 0) close(m->sockets[i]);
    free(m->sockets);
    for (uint32_t i = 0; i < SLICES; i++) free(m->slice_legs[i]);
    free(m->legs);
    free(m->slot_legs);
    free(m->noise);
    free(m->backlog);
    spsc_free(&m->commands);
    spsc_free(&m->events);
    if (m->command_fd >= 0) close(m->command_fd);
    if (m->event_fd >= 0) close(m->event_fd);
    free(port->virtual_free);
    free(port);
}

static int port_prepare(struct media_port *port, const struct media_params *params)
{
    struct media *m = &port->media;
    m->segment = params->segment;
    m->worker = params->worker;
    m->process = BUS_WORKER_0 + params->worker;
    m->slots = segment_slots_each(params->segment);
    m->first_slot = params->worker * m->slots;
    m->down = segment_ring_down(params->segment, params->worker);
    m->up = segment_ring_up(params->segment, params->worker);
    m->rtp_timeout_ms = params->rtp_timeout_ms;
    m->rtp_hold_timeout_ms = params->rtp_hold_timeout_ms;
    m->budget_percent = params->budget_percent ? params->budget_percent : 100;
    m->cpu = params->cpu;
    m->realtime = params->realtime;
    m->lateness = histogram_at(params->segment, m->process, HISTOGRAM_tick_lateness);
    m->ring_depth = histogram_at(params->segment, m->process, HISTOGRAM_ring_depth);
    for (int i = 0; i < COUNTER_COUNT; i++) m->count[i] = counter_at(params->segment, m->process, (enum counter)i);
    counter_set(m->count[COUNTER_media_over_budget], 0); /* whatever a predecessor had come to */
    media_identity(m);
    int result = media_allocate(m);
    if (!result) result = media_sockets_open(m, params);
    if (!result) result = helpers_start(m, params->sounds_dir);
    port->virtual_free = calloc(VIRTUAL_LEGS_MAX, sizeof *port->virtual_free);
    if (!result && !port->virtual_free) result = -ENOMEM;
    for (uint32_t i = 0; !result && i < VIRTUAL_LEGS_MAX; i++) port->virtual_free[i] = m->slots + i;
    port->virtual_count = VIRTUAL_LEGS_MAX;
    return result;
}

int media_port_start(struct media_port **out, const struct media_params *params, struct loop *loop,
                     void (*event)(void *context, const struct media_event *event), void *context)
{
    struct media_port *port = aligned_alloc(64, (sizeof *port + 63) & ~(size_t)63);
    if (!port) return -ENOMEM;
    memset(port, 0, sizeof *port);
    port->media.command_fd = port->media.event_fd = -1;
    port->loop = loop;
    port->event = event;
    port->context = context;
    int result = port_prepare(port, params);
    if (!result) result = thread_start(&port->media);
    if (!result) {
        port->watch = (struct loop_watch) { .fd = port->media.event_fd, .ready = events_ready, .context = port };
        result = loop_watch_add(loop, &port->watch, EPOLLIN);
        if (!result) {
            *out = port;
            return 0;
        }
        atomic_store(&port->media.stop, true);
        pthread_join(port->media.thread, NULL);
    }
    port_free(port);
    return result;
}

void media_port_stop(struct media_port *port)
{
    const uint64_t one = 1;
    struct media *m = &port->media;
    loop_watch_remove(port->loop, &port->watch);
    atomic_store(&m->stop, true);
    (void)!write(m->command_fd, &one, sizeof one);
    pthread_join(m->thread, NULL);
    port_free(port);
}
