/* media_room.c: N legs mixed, at the room's rate. One pass adds everybody up, each leg then takes the sum without itself: the cost per
 * party does not grow with the room.
 *
 * Who is added: as FreeSWITCH's conference has it, a member whose energy (mean absolute sample) rose above its level, until it was below
 * for 0.8 s; at level 0 always. The floor goes to who speaks loudly while its holder does not. The script thread hears of both
 * (MEDIA_ROOM). A *voice* is a member that speaks what it plays instead of hearing it: how a room plays files. */
#include "worker/media_internal.h"

#define HANGOVER_FRAMES  40u  /* so long below the level ends talking … */
#define HANGUNDER_FRAMES 5u   /* … and so long above it begins it, or at once if it is */
#define CLEARLY_ABOVE    400u /* by so much above */
#define FLOOR_LOUD       300u /* the slow mean of who takes the floor … */
#define FLOOR_QUIET      100u /* … and of who loses it */
#define SLOW_MEAN_MAX    25000u

static struct room *room_find(struct media *m, uint32_t number, uint32_t rate)
{
    struct room *room = m->rooms;
    uint32_t count = 0;
    for (; room && room->number != number; room = room->next) count++;
    if (room || count >= ROOMS_MAX || !(room = calloc(1, sizeof *room))) return room;
    room->number = number;
    room->rate = codec_linear(rate) ? rate : 8000;
    room->slice = (uint8_t)(number % SLICES);
    room->next = m->rooms;
    m->rooms = room;
    return room;
}

static void room_free(struct media *m, struct room *room)
{
    struct room **at = &m->rooms;
    while (*at != room) at = &(*at)->next;
    *at = room->next;
    free(room);
}

void room_join(struct media *m, struct leg *leg, uint32_t number, const struct room_member *member)
{
    struct room *room = room_find(m, number, member->rate);
    if (!room) return;
    if (leg->room != room) {
        bridge_clear(m, leg);
        if (leg->room) room_leave(m, leg);
        leg_move(m, leg, room->slice);
        leg->room = room;
        leg->room_next = room->legs;
        room->legs = leg;
        room->members++;
        leg->room_state = (struct room_state) { 0 };
    }
    leg->room_member = *member;
    leg_plan(m, leg);
}

void room_leave(struct media *m, struct leg *leg)
{
    struct room *room = leg->room;
    struct leg **at = &room->legs;
    while (*at != leg) at = &(*at)->room_next;
    *at = leg->room_next;
    leg->room = NULL;
    leg->room_next = NULL;
    if (leg->audio && leg->audio->to_room) {
        resampler_free(leg->audio->to_room);
        leg->audio->to_room = NULL;
    }
    if (room->floor == leg) room->floor = NULL;
    leg_plan(m, leg);
    if (!--room->members) room_free(m, room);
}

/* --- who talks -------------------------------------------------------------------------------------------------------- */

static void tell(struct media *m, const struct leg *leg, enum room_news news)
{
    struct media_event event = { .kind = MEDIA_ROOM, .leg = leg_id(leg), .value = news, .duration = leg->room_state.score };
    event_push(m, &event);
}

static uint32_t mean_energy(const int16_t *pcm, uint32_t samples)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < samples; i++) sum += (uint32_t)(pcm[i] < 0 ? -pcm[i] : pcm[i]);
    return sum / samples;
}

static void hear_member(struct media *m, struct leg *leg, const int16_t *pcm, uint32_t samples)
{
    struct room_state *s = &leg->room_state;
    s->score = mean_energy(pcm, samples);
    s->slow_mean = (s->score + 4 * s->slow_mean) / 5;
    if (s->slow_mean > SLOW_MEAN_MAX) s->slow_mean = SLOW_MEAN_MAX;
    if (s->score > leg->room_member.energy) {
        s->quiet_frames = 0;
        if (s->talking || (s->score - leg->room_member.energy < CLEARLY_ABOVE && ++s->loud_frames < HANGUNDER_FRAMES)) return;
        s->loud_frames = 0;
        s->talking = true;
        tell(m, leg, ROOM_TALKS);
    } else {
        if (s->loud_frames) s->loud_frames--;
        if (!s->talking || ++s->quiet_frames < HANGOVER_FRAMES) return;
        s->quiet_frames = 0;
        s->talking = false;
        tell(m, leg, ROOM_QUIET);
    }
}

static void floor_give(struct media *m, struct room *room)
{
    struct leg *best = NULL;
    if (room->floor && room->floor->room_state.slow_mean >= FLOOR_QUIET) return;
    for (struct leg *leg = room->legs; leg; leg = leg->room_next) {
        if (leg->room_member.voice || leg->room_member.muted || leg == room->floor) continue;
        if (!room->floor) /* who came first, at the list's end */
            best = leg;
        else if (leg->room_state.slow_mean > FLOOR_LOUD && (!best || leg->room_state.slow_mean > best->room_state.slow_mean))
            best = leg;
    }
    if (!best) return;
    room->floor = best;
    tell(m, best, ROOM_FLOOR);
}

/* --- mixing ----------------------------------------------------------------------------------------------------------- */

/* What a voice plays; it ends here, since nothing else takes it. */
static void voice_speak(struct media *m, struct leg *leg, struct leg_audio *audio)
{
    uint32_t samples = codec_frame_samples(leg->codec);
    memset(audio->in, 0, samples * sizeof *audio->in);
    if (leg->play && play_ready(leg->play) && !play_pcm(m, leg->play, audio->in, samples)) play_end(m, leg->play, MEDIA_FINISHED);
}

static void at_room_rate(struct leg *leg, struct leg_audio *audio, const struct room *room)
{
    uint32_t rate = leg->codec->rate, want = room->rate / 50;
    if (rate == room->rate) {
        memcpy(audio->room_in, audio->in, want * sizeof *audio->room_in);
        return;
    }
    if (!audio->to_room) audio->to_room = resampler_new(rate, room->rate, 3);
    size_t made = audio->to_room ? resampler_run(audio->to_room, audio->in, rate / 50, audio->room_in, want) : 0;
    memset(audio->room_in + made, 0, (want - made) * sizeof(int16_t));
}

static void room_add(struct media *m, struct room *room, struct leg *leg)
{
    struct leg_audio *audio = leg_audio(leg);
    const struct room_member *member = &leg->room_member;
    if (member->voice)
        voice_speak(m, leg, audio);
    else if (!member->muted || member->mute_detect)
        hear_member(m, leg, audio->in, codec_frame_samples(leg->codec));
    leg->room_state.added = member->voice || (!member->muted && (leg->room_state.talking || !member->energy));
    if (!leg->room_state.added) return;
    at_room_rate(leg, audio, room);
    mix_add(room->sum, audio->room_in, room->rate / 50);
}

void room_mix(struct media *m, struct room *room)
{
    memset(room->sum, 0, room->rate / 50 * sizeof *room->sum);
    for (struct leg *leg = room->legs; leg; leg = leg->room_next) room_add(m, room, leg);
    floor_give(m, room);
}

void room_take(struct leg *leg, int16_t *pcm)
{
    int16_t mixed[CODEC_FRAME_MAX], scratch[CODEC_FRAME_MAX];
    const struct room *room = leg->room;
    if (leg->room_member.deaf || leg->room_member.voice) return;
    mix_minus(mixed, room->sum, leg->room_state.added ? leg->audio->room_in : NULL, room->rate / 50);
    memcpy(pcm, leg_at_rate(leg, mixed, room->rate, scratch), codec_frame_samples(leg->codec) * sizeof *pcm);
}
