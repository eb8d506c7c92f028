/* channel_guest.c: a call that is lent to another worker, and the guest that stands for it there.
 *
 * Audio, and whoever joins calls, is of one worker. So a call that is to be joined with one of another worker is *lent* there: its leg is
 * bridged with this end of an audio link (bus/link.h), and over there a *guest* is made, a channel with the same uuid, variables and facts,
 * whose leg is the link's other end. All applications work on a guest as on any call. While it is lent, both keep each other informed:
 *
 *   home → guest   facts (answered, hung up …), variables, keys, queued events and breaks
 *   guest → home   variables, profile fields; answer, early media, ring, response, hangup; that it is bridged
 *
 * These are notes (MSG_CALL_GUEST), so they arrive in order, and each names its loan: what comes of an old one is dropped. Who lends, and
 * what is done there, is Lua's: src/lua/fs/loan.lua. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/link.h"
#include "core/causes.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/host_private.h"

#define GUEST_RATE_DEFAULT 8000u

/* --- telling the other side ------------------------------------------------------------------------------------------- */

static void tell_begin(struct kv *pairs, const struct channel *channel, const char *what)
{
    *pairs = KV_INIT;
    kv_add(pairs, "uuid", channel->facts.uuid_text);
    kv_add(pairs, "loan", channel->loan->id);
    kv_add(pairs, "do", what);
}

static void tell_end(struct kv *pairs, const struct channel *channel)
{
    post_note(channel->host->post, channel->loan->process, MSG_CALL_GUEST, pairs);
    kv_free(pairs);
}

static void tell(const struct channel *channel, const char *what, const char *name, const char *value)
{
    struct kv pairs;
    tell_begin(&pairs, channel, what);
    kv_add(&pairs, "name", name);
    kv_add(&pairs, "value", value);
    tell_end(&pairs, channel);
}

static bool lent(const struct channel *channel) { return channel->loan && channel->loan->active && channel->facts.kind != CHANNEL_GUEST; }

static bool mirrors(const struct channel *channel) { return channel->loan && channel->loan->active && !channel->loan->applying; }

void guest_tell_variable(struct channel *channel, const char *name, const char *value)
{
    if (mirrors(channel)) tell(channel, "set", name, value);
}

void guest_tell_profile(struct channel *channel, const char *field, const char *value)
{
    if (mirrors(channel)) tell(channel, "profile", field, value);
}

void guest_tell_facts(struct channel *channel)
{
    struct kv pairs;
    if (!lent(channel)) return;
    tell_begin(&pairs, channel, "facts");
    kv_add_bytes(&pairs, "facts", &channel->facts, sizeof(channel->facts));
    tell_end(&pairs, channel);
}

bool guest_tell_digit(struct channel *channel, char digit, uint32_t duration)
{
    struct kv pairs;
    char text[2] = { digit, 0 };
    if (!lent(channel)) return false;
    tell_begin(&pairs, channel, "digit");
    kv_add(&pairs, "digit", text);
    kv_add_int(&pairs, "duration", duration);
    tell_end(&pairs, channel);
    return true;
}

bool guest_tell_event(struct channel *channel, const struct kv *event)
{
    size_t at = 0;
    struct kv pairs;
    struct kv_pair pair;
    if (!lent(channel) || strcmp(kv_get_or(kv_view(event), "call-command", ""), "wake") == 0) return false;
    tell_begin(&pairs, channel, "event");
    while (kv_next(kv_view(event), &at, &pair)) {
        char name[256];
        if ((size_t)snprintf(name, sizeof(name), "e.%s", pair.name) < sizeof(name))
            kv_add_bytes(&pairs, name, pair.value, pair.value_length);
    }
    tell_end(&pairs, channel);
    return true;
}

bool guest_tell_break(struct channel *channel, bool all)
{
    if (!lent(channel)) return false;
    tell(channel, "break", "all", all ? "1" : "0");
    return true;
}

/* --- what a guest is asked is done at home; its own facts follow at once --------------------------------------------------- */

bool guest_ask(struct channel *channel, const char *what)
{
    if (channel->facts.kind != CHANNEL_GUEST) return false;
    tell(channel, what, NULL, NULL);
    return true;
}

static void guest_over(struct channel *guest, int cause)
{
    struct channel_facts *facts = &guest->facts;
    if (!facts->up) return;
    facts->up = facts->media_ready = facts->bridged = false;
    facts->cause = cause;
    facts->state = CS_HANGUP;
    facts->hangup_us = clock_utc_us();
    channel_changed(guest);
}

int guest_hangup(struct channel *guest, int cause)
{
    if (!guest->facts.up) return -ENOTCONN;
    tell(guest, "hangup", "cause", cause_name(cause));
    guest_over(guest, cause);
    return 0;
}

int guest_respond(struct channel *guest, int status, const char *phrase, const char *contact)
{
    struct kv pairs;
    if (!guest->facts.up || guest->facts.outbound || guest->facts.answered) return -ENOTCONN;
    tell_begin(&pairs, guest, "respond");
    kv_add_int(&pairs, "status", status);
    kv_add(&pairs, "phrase", phrase);
    kv_add(&pairs, "contact", contact);
    tell_end(&pairs, guest);
    return 0;
}

void guest_tell_bridged(struct channel *guest, bool on)
{
    if (guest->facts.kind == CHANNEL_GUEST && guest->loan) tell(guest, "bridged", "on", on ? "1" : "0");
}

/* --- lending ------------------------------------------------------------------------------------------------------------ */

/* The pool's links in turn, so that one that was given back rests. */
static struct link *lease(struct host *host, uint32_t *index, uint32_t *generation)
{
    uint32_t count = segment_links_each(host->segment);
    for (uint32_t i = 0; i < count; i++) {
        *index = host->next_link++ % count;
        struct link *link = segment_link(host->segment, host->worker, *index);
        if ((*generation = link_lease(link))) return link;
    }
    return NULL;
}

static uint32_t rate_of(struct channel *channel)
{
    const char *text = channel_variable(channel, "read_rate");
    uint32_t rate = text ? (uint32_t)strtoul(text, NULL, 10) : 0;
    return rate == 16000 || rate == 32000 || rate == 48000 ? rate : GUEST_RATE_DEFAULT;
}

static void lend_pairs(struct channel *channel, const struct loan *loan, uint32_t rate, struct kv *out)
{
    const char *name, *value;
    char field[300];
    size_t at = 0;
    kv_add(out, "uuid", channel->facts.uuid_text);
    kv_add(out, "loan", loan->id);
    kv_add_int(out, "link", loan->link_index);
    kv_add_int(out, "generation", loan->link_generation);
    kv_add_int(out, "rate", rate);
    kv_add_bytes(out, "facts", &channel->facts, sizeof(channel->facts));
    while (names_next(&channel->variables, &at, &name, &value))
        if ((size_t)snprintf(field, sizeof(field), "v.%s", name) < sizeof(field)) kv_add(out, field, value);
    at = 0;
    while (names_next(&channel->profile, &at, &name, &value))
        if ((size_t)snprintf(field, sizeof(field), "p.%s", name) < sizeof(field)) kv_add(out, field, value);
}

int channel_lend(struct channel *channel, uint32_t process, struct kv *out)
{
    struct host *host = channel->host;
    if (!channel->facts.up || channel->leg.number == LEG_NONE) return -ENOTCONN;
    if (channel->facts.kind == CHANNEL_GUEST || lent(channel)) return -EBUSY;
    struct loan *loan = channel->loan ? channel->loan : calloc(1, sizeof(*loan));
    if (!loan) return -ENOMEM;
    channel->loan = loan;
    *loan = (struct loan) { .process = process };
    loan->link = lease(host, &loan->link_index, &loan->link_generation);
    if (!loan->link) return -ENOBUFS;
    uint32_t rate = rate_of(channel);
    int error = media_leg_open_link(host->media, &loan->leg.number, loan->link, true, loan->link_generation, rate);
    if (error < 0) {
        link_return(loan->link, loan->link_generation);
        return error;
    }
    loan->leg.generation = 1;
    snprintf(loan->id, sizeof(loan->id), "%u:%u:%u:%llu", host->process, loan->link_index, loan->link_generation,
             (unsigned long long)++host->loans);
    media_bridge(host->media, channel->leg, loan->leg);
    loan->active = true;
    lend_pairs(channel, loan, rate, out);
    return 0;
}

/* The guest is to let go: for it the call has gone elsewhere, as at a transfer. */
void channel_recall(struct channel *channel)
{
    if (!lent(channel)) return;
    bool transferring = channel->facts.transferring;
    channel->facts.transferring = true;
    guest_tell_facts(channel);
    channel->facts.transferring = transferring;
}

/* The guest is gone, or its worker. */
void channel_reclaim(struct channel *channel)
{
    struct loan *loan = channel->loan;
    if (!loan || !loan->active || channel->facts.kind == CHANNEL_GUEST) return;
    loan->active = false;
    media_unbridge(channel->host->media, loan->leg);
    media_leg_close(channel->host->media, loan->leg);
    link_return(loan->link, loan->link_generation);
}

/* --- guests --------------------------------------------------------------------------------------------------------------- */

static void guest_facts(struct channel *guest, const struct channel_facts *home)
{
    struct channel_facts own = guest->facts;
    guest->facts = *home;
    guest->facts.kind = CHANNEL_GUEST;
    guest->facts.state = home->up ? own.state : CS_HANGUP;
    guest->facts.bridged = own.bridged && home->up;
    guest->facts.bridged_us = own.bridged_us;
    guest->facts.sequence = own.sequence;
    guest->facts.transferring = own.transferring || home->transferring; /* never back: a guest that must go goes */
    if (!own.up) {                                                      /* hung up here; home's word for it may still be on its way */
        guest->facts.up = guest->facts.media_ready = false;
        guest->facts.cause = own.cause;
        guest->facts.state = CS_HANGUP;
    }
}

static bool facts_from(struct kv_view pairs, struct channel_facts *out)
{
    size_t at = 0;
    struct kv_pair pair;
    while (kv_next(pairs, &at, &pair)) {
        if (strcmp(pair.name, "facts") != 0 || pair.value_length != sizeof(*out)) continue;
        memcpy(out, pair.value, sizeof(*out));
        return true;
    }
    return false;
}

static void guest_names(struct channel *guest, struct kv_view pairs)
{
    size_t at = 0;
    struct kv_pair pair;
    while (kv_next(pairs, &at, &pair)) {
        if (strncmp(pair.name, "v.", 2) == 0) names_set(&guest->variables, pair.name + 2, pair.value);
        if (strncmp(pair.name, "p.", 2) == 0) names_set(&guest->profile, pair.name + 2, pair.value);
    }
}

void guest_new(struct host *host, uint32_t process, struct kv_view pairs)
{
    struct channel_facts facts;
    uint32_t index = (uint32_t)kv_get_int(pairs, "link", UINT32_MAX), leg;
    const char *id = kv_get(pairs, "loan");
    if (!facts_from(pairs, &facts) || !id || process < BUS_WORKER_0 || process - BUS_WORKER_0 >= segment_workers(host->segment) ||
        index >= segment_links_each(host->segment))
        return;
    struct link *link = segment_link(host->segment, process - BUS_WORKER_0, index);
    if (media_leg_open_link(host->media, &leg, link, false, (uint32_t)kv_get_int(pairs, "generation", 0),
                            (uint32_t)kv_get_int(pairs, "rate", GUEST_RATE_DEFAULT)) < 0)
        return;
    struct channel *guest = channel_new_hidden(host, kv_get(pairs, "uuid"), CHANNEL_GUEST, facts.outbound);
    struct loan *loan = calloc(1, sizeof(*loan));
    if (!guest || !loan) {
        media_leg_close(host->media, (struct media_leg) { leg, 1 });
        free(loan);
        channel_unref(guest);
        return;
    }
    *loan = (struct loan) { .process = process, .active = true };
    snprintf(loan->id, sizeof(loan->id), "%s", id);
    guest->facts.state = facts.state;
    guest_facts(guest, &facts);
    guest->facts.bridged = false;
    guest_names(guest, pairs);
    channel_leg_set(guest, leg, 1);
    guest->loan = loan;
    guest->next_guest = host->guests;
    host->guests = guest;
}

struct channel *channel_guest(struct host *host, uint32_t process, const char *loan)
{
    struct channel *guest = host->guests;
    while (guest && (guest->loan->process != process || strcmp(guest->loan->id, loan) != 0)) guest = guest->next_guest;
    return guest;
}

void guest_forget(struct channel *guest)
{
    struct channel **at = &guest->host->guests;
    while (*at && *at != guest) at = &(*at)->next_guest;
    if (!*at) return;
    *at = guest->next_guest;
    guest->loan->active = false;
}

void guests_of_gone(struct host *host, uint32_t process)
{
    for (struct channel *guest = host->guests; guest; guest = guest->next_guest)
        if (guest->loan->process == process) guest_over(guest, 27 /* DESTINATION_OUT_OF_ORDER */);
}

/* --- what the other side says ------------------------------------------------------------------------------------------------ */

static void home_says(struct channel *guest, const char *what, struct kv_view pairs)
{
    struct channel_facts facts;
    if (strcmp(what, "facts") == 0 && facts_from(pairs, &facts)) {
        guest_facts(guest, &facts);
        channel_changed(guest);
    } else if (strcmp(what, "digit") == 0) {
        channel_digit_queue(guest, kv_get_or(pairs, "digit", "0")[0], (uint32_t)kv_get_int(pairs, "duration", 2000));
    } else if (strcmp(what, "break") == 0) {
        channel_break(guest, strcmp(kv_get_or(pairs, "value", "0"), "1") == 0);
    } else if (strcmp(what, "event") == 0) {
        struct kv event = KV_INIT;
        size_t at = 0;
        struct kv_pair pair;
        while (kv_next(pairs, &at, &pair))
            if (strncmp(pair.name, "e.", 2) == 0) kv_add_bytes(&event, pair.name + 2, pair.value, pair.value_length);
        channel_event_queue(guest, &event);
        kv_free(&event);
    }
}

static void guest_says(struct channel *channel, const char *what, struct kv_view pairs)
{
    if (!channel->loan->active) return; /* variables alone are taken from one who has just let go */
    if (strcmp(what, "answer") == 0)
        channel_answer(channel);
    else if (strcmp(what, "early") == 0)
        channel_early(channel);
    else if (strcmp(what, "ring") == 0)
        channel_ring(channel);
    else if (strcmp(what, "hangup") == 0)
        channel_hangup(channel, cause_number(kv_get_or(pairs, "value", "NORMAL_CLEARING")));
    else if (strcmp(what, "bridged") == 0)
        channel_bridged_mark(channel, strcmp(kv_get_or(pairs, "value", "0"), "1") == 0);
    else if (strcmp(what, "respond") == 0)
        channel_respond(channel, (int)kv_get_int(pairs, "status", 480), kv_get(pairs, "phrase"), kv_get(pairs, "contact"));
}

static struct channel *of_loan(struct host *host, uint32_t from, struct kv_view pairs)
{
    const char *id = kv_get_or(pairs, "loan", "");
    struct channel *guest = channel_guest(host, from, id);
    if (guest) return guest;
    struct channel *channel = channel_by_uuid(host, kv_get(pairs, "uuid"));
    return channel && channel->loan && channel->loan->process == from && strcmp(channel->loan->id, id) == 0 ? channel : NULL;
}

void guest_message(struct host *host, uint32_t from, struct kv_view pairs)
{
    struct channel *channel = of_loan(host, from, pairs);
    const char *what = kv_get_or(pairs, "do", "");
    if (!channel) return;
    channel->loan->applying = true;
    if (strcmp(what, "set") == 0)
        channel_variable_set(channel, kv_get(pairs, "name"), kv_get(pairs, "value"));
    else if (strcmp(what, "profile") == 0)
        channel_profile_set(channel, kv_get(pairs, "name"), kv_get(pairs, "value"));
    channel->loan->applying = false;
    if (channel->facts.kind == CHANNEL_GUEST)
        home_says(channel, what, pairs);
    else
        guest_says(channel, what, pairs);
}

void channel_loan_free(struct channel *channel)
{
    channel_reclaim(channel);
    free(channel->loan);
    channel->loan = NULL;
}
