/* esl_resume.c: the notice of a gap, and reading again what was missed (beyond FreeSWITCH).
 *
 * Each event has a last header `Event-Position: PRODUCER:SEQUENCE`. A notice of a gap names, for each producer, the last
 * event before the gap and the last one in it: `Gap-Range: 3:1201-4999 4:88-90`. Either can be given back:
 *
 *   event resume 3:1201 4:88        everything after these that this connection was not sent
 *   event resume 3:1201-4999        … and not beyond 4999
 *
 * It is answered -ERR if a log does not hold that any more. What is read again passes the subscriptions and filters of now,
 * comes between live events, and ends with a CUSTOM event carillon::resumed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/esl_own.h"

#define TURN_EVENTS_MAX 500u

struct part {
    struct esl_source source;
    uint64_t until;
};
struct esl_replay {
    struct part *parts;
    size_t count;
    uint64_t sent, lost;
};

void esl_client_gap_tell(struct esl_client *client)
{
    struct esl *esl = client->esl;
    struct kv pairs = KV_INIT;
    struct buf range = BUF_INIT;
    int rc = esl_event_make(esl, &pairs, "CUSTOM", "carillon::gap", "esl_client_gap_tell");
    esl_marks_now(esl, client->live_from);
    for (uint32_t i = 0; i < esl->processes && rc == 0; i++)
        if (client->live_from[i] > client->gap_from[i])
            rc = buf_printf(&range, "%s%u:%llu-%llu", range.length > 0 ? " " : "", i, (unsigned long long)client->gap_from[i],
                            (unsigned long long)client->live_from[i]);
    if (rc == 0) rc = kv_addf(&pairs, "Gap-Count", "%llu", (unsigned long long)client->missed);
    if (rc == 0 && range.length > 0) rc = kv_add(&pairs, "Gap-Range", buf_text(&range));
    client->missed = 0;
    if (rc == 0)
        esl_event_tell(client, &pairs);
    else
        esl_client_end(client);
    buf_free(&range);
    kv_free(&pairs);
}

void esl_replay_free(struct esl_client *client)
{
    struct esl_replay *replay = client->replay;
    if (replay == NULL) return;
    for (size_t i = 0; i < replay->count; i++) kv_free(&replay->parts[i].source.pairs);
    free(replay->parts);
    free(replay);
    client->replay = NULL;
}

static void replay_over(struct esl_client *client)
{
    struct kv pairs = KV_INIT;
    int rc = esl_event_make(client->esl, &pairs, "CUSTOM", "carillon::resumed", "replay_over");
    if (rc == 0) rc = kv_addf(&pairs, "Resumed-Count", "%llu", (unsigned long long)client->replay->sent);
    if (rc == 0) rc = kv_addf(&pairs, "Lost-Count", "%llu", (unsigned long long)client->replay->lost);
    esl_replay_free(client);
    if (rc == 0) esl_event_tell(client, &pairs);
    kv_free(&pairs);
}

/* The oldest event that is still to be sent. */
static struct part *part_next(struct esl *esl, struct esl_replay *replay)
{
    struct part *best = NULL;
    for (size_t i = 0; i < replay->count; i++) {
        struct part *part = &replay->parts[i];
        if (part->source.last >= part->until || !esl_source_fill(esl, &part->source)) continue;
        replay->lost += part->source.missed;
        part->source.missed = 0;
        if (part->source.head.sequence > part->until) {
            part->source.last = part->until;
            continue;
        }
        if (best == NULL || part->source.head.utc_us < best->source.head.utc_us) best = part;
    }
    return best;
}

void esl_replay_go(struct esl_client *client)
{
    struct esl_replay *replay = client->replay;
    struct part *part = NULL;
    if (esl_queue_full(&client->queue)) return;
    for (unsigned i = 0; i < TURN_EVENTS_MAX && !esl_queue_full(&client->queue); i++) {
        part = part_next(client->esl, replay);
        if (part == NULL) break;
        struct esl_event event = { .head = part->source.head, .pairs = kv_view(&part->source.pairs) };
        if (esl_client_wants(client, &event)) {
            struct esl_text *text = esl_event_text(&event, client->format);
            if (text != NULL && esl_queue_put(&client->queue, text) == 0)
                replay->sent++;
            else
                replay->lost++;
        }
        esl_event_release(&event);
        part->source.last = part->source.head.sequence;
        part->source.have = false;
    }
    if (part == NULL) replay_over(client);
}

/* Digits at *at, at most 19 of them. */
static int number_parse(const char **at, uint64_t *out)
{
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > 19) return -EINVAL;
    *out = strtoull(*at, NULL, 10);
    *at += digits;
    return 0;
}

/* PRODUCER:SEQUENCE or PRODUCER:SEQUENCE-LAST. */
static int part_parse(struct esl_client *client, const char *word, struct part *out)
{
    uint64_t producer, after, last = UINT64_MAX;
    if (number_parse(&word, &producer) < 0 || *word++ != ':' || number_parse(&word, &after) < 0) return -EINVAL;
    if (*word != 0 && (*word++ != '-' || number_parse(&word, &last) < 0 || *word != 0)) return -EINVAL;
    if (producer >= client->esl->processes) return -EINVAL;
    out->until = client->live_from[producer];
    if (last < out->until) out->until = last;
    out->source.process = (uint32_t)producer;
    out->source.last = after;
    if (after >= out->until) return 0; /* nothing was missed */
    return eventlog_seek(segment_eventlog(client->esl->segment, out->source.process), &out->source.cursor, after + 1);
}

void esl_resume(struct esl_client *client, char *words)
{
    struct esl_replay *replay = calloc(1, sizeof *replay);
    char *word;
    int rc = replay == NULL ? -ENOMEM : 0;
    if (client->replay != NULL || !esl_client_subscribed(client)) {
        esl_reply(client, client->replay != NULL ? "-ERR resuming already" : "-ERR not listening for events");
        free(replay);
        return;
    }
    client->replay = replay;
    while (rc == 0 && (word = esl_word(&words)) != NULL) {
        struct part *parts = replay->count < BUS_PROCESSES_MAX ? realloc(replay->parts, (replay->count + 1) * sizeof *parts) : NULL;
        if (parts == NULL) {
            rc = -EINVAL;
            break;
        }
        replay->parts = parts;
        parts[replay->count] = (struct part) { 0 };
        rc = part_parse(client, word, &parts[replay->count++]);
        if (rc == -ESRCH) esl_reply(client, "-ERR %s is no longer held", word);
    }
    if (rc == 0 && replay->count == 0) rc = -EINVAL;
    if (rc == -EINVAL || rc == -ENOMEM) esl_reply(client, "-ERR invalid syntax");
    if (rc < 0)
        esl_replay_free(client);
    else
        esl_reply(client, "+OK resuming");
}
