/* media_room.c: N legs mixed at 8 kHz. One pass adds everybody up, each leg then takes the sum without itself: the cost per
 * party does not grow with the room. */
#include "worker/media_internal.h"

struct room *room_find(struct media *m, uint32_t number, bool make)
{
    struct room *room = m->rooms;
    while (room && room->number != number) room = room->next;
    if (room || !make || !(room = calloc(1, sizeof *room))) return room;
    room->number = number;
    room->slice = (uint8_t)(number % SLICES);
    room->next = m->rooms;
    m->rooms = room;
    return room;
}

void room_free_empty(struct media *m, struct room *room)
{
    if (room->members || room->play) return;
    struct room **at = &m->rooms;
    while (*at != room) at = &(*at)->next;
    *at = room->next;
    free(room);
}

void room_join(struct media *m, struct leg *leg, uint32_t number, bool muted, bool deaf)
{
    struct room *room = room_find(m, number, true);
    if (!room) return;
    if (leg->room != room) {
        bridge_clear(m, leg);
        if (leg->room) room_leave(m, leg);
        leg_move(m, leg, room->slice);
        leg->room = room;
        leg->room_next = room->legs;
        room->legs = leg;
        room->members++;
    }
    leg->room_muted = muted;
    leg->room_deaf = deaf;
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
    room->members--;
    leg_plan(m, leg);
    if (!room->members && room->play) play_end(m, room->play, MEDIA_GONE); /* nobody is left to hear it */
    room_free_empty(m, room);
}

void room_play(struct media *m, uint32_t number, struct play *play)
{
    struct room *room = room_find(m, number, false);
    if (!room || !room->members) {
        play_end(m, play, MEDIA_GONE);
        return;
    }
    if (room->play) play_end(m, room->play, MEDIA_REPLACED);
    room->play = play;
    play->room = room;
    if (helpers_load(m, play, codec_linear(8000))) play_end(m, play, MEDIA_CANNOT_OPEN);
}

static void room_add(struct room *room, struct leg *leg)
{
    struct leg_audio *audio = leg_audio(leg);
    uint32_t rate = leg->codec->rate;
    if (leg->room_muted) return;
    if (rate == 8000) {
        memcpy(audio->room_in, audio->in, sizeof audio->room_in);
    } else {
        if (!audio->to_room) audio->to_room = resampler_new(rate, 8000, 3);
        size_t made = audio->to_room ? resampler_run(audio->to_room, audio->in, rate / 50, audio->room_in, 160) : 0;
        memset(audio->room_in + made, 0, (160 - made) * sizeof(int16_t));
    }
    mix_add(room->sum, audio->room_in, 160);
}

void room_mix(struct media *m, struct room *room)
{
    memset(room->sum, 0, sizeof room->sum);
    for (struct leg *leg = room->legs; leg; leg = leg->room_next) room_add(room, leg);
    if (room->play && play_ready(room->play)) {
        int16_t pcm[160];
        if (play_pcm(m, room->play, pcm, 160))
            mix_add(room->sum, pcm, 160);
        else
            play_end(m, room->play, MEDIA_FINISHED);
    }
}
