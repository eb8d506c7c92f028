/* slot_machine_test.c: every interleaving of broker, media thread, far end and deaths over one slot, walked to the end.
 *
 * The model uses the very functions of src/bus/slot_machine.h. Around them: the broker's half (survives deaths), what the
 * broker still has to send (does not), two rings (survive), the media thread (does not), and the far end of each call, whose
 * messages arrive in any order and are repeated until they are answered. What must hold:
 *   - no slot is free or given to a new call while the media thread still runs an old one on its port;
 *   - where nothing more can move, no slot is left ENDING, no far end is left connected without a slot, and a slot in MEDIA
 *     has its media running;
 *   - rings stay short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/ring.h"
#include "bus/slot_machine.h"

enum { CALLS = 2, RING = 8 };
enum far_state { FAR_NONE, FAR_RINGING, FAR_UP, FAR_OVER };
enum { TO_INVITE = 1, TO_CANCEL = 2, TO_ACK = 4, TO_BYE = 8, TO_BYE_OK = 16 }; /* on the way to the far end */
enum { FROM_183 = 1, FROM_200 = 2, FROM_FAIL = 4, FROM_BYE = 8 };              /* on the way from it */

struct far {
    uint8_t state, to, from;
    uint8_t acked;
};

struct record {
    uint8_t kind, generation;
};

struct world {
    /* broker's half */
    uint8_t state, answered, generation, half_worker_epoch;
    /* broker's memory */
    uint8_t broker_up, pops_up; /* pops_up: the up record is popped when `todo` is done */
    uint16_t todo;
    uint8_t todo_call; /* whose dialog the SIP messages of todo belong to */
    /* media thread */
    uint8_t running, media_generation, worker_epoch, releasing; /* releasing: RELEASED not yet pushed; pop after it */
    struct record down[RING], up[RING];
    uint8_t down_count, up_count;
    struct far far[CALLS + 1]; /* by generation, from 1 */
    uint8_t broker_deaths, worker_deaths, hangups, early;
};

/* --- the walked set --------------------------------------------------------------------------------------- */

static struct world *worlds; /* all that were reached */
static uint32_t *parents, *table;
static const char **moves;
static uint32_t count, size, table_mask;
static uint32_t now_at;   /* the world that is being expanded */
static const char *wrong; /* the first thing found not to hold */

static uint64_t hash(const struct world *w)
{
    uint64_t h = 14695981039346656037ull;
    for (size_t i = 0; i < sizeof *w; i++) h = (h ^ ((const uint8_t *)w)[i]) * 1099511628211ull;
    return h ^ h >> 32;
}

static void path_print(uint32_t at)
{
    if (at) path_print(parents[at]);
    print_message("  %s → %s%s gen %u, running %u, down %u, up %u\n", moves[at], slot_state_name((enum slot_state)worlds[at].state),
                  worlds[at].answered ? " answered" : "", worlds[at].generation, worlds[at].running, worlds[at].down_count,
                  worlds[at].up_count);
}

static void table_grow(void)
{
    free(table);
    table_mask = table_mask ? table_mask * 2 + 1 : (1u << 20) - 1;
    table = calloc((size_t)table_mask + 1, sizeof *table);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t h = hash(&worlds[i]);
        while (table[h & table_mask]) h++;
        table[h & table_mask] = i + 1;
    }
}

static void reach(const struct world *w, const char *move)
{
    uint64_t h;
    if (count * 2ull > table_mask) table_grow();
    for (h = hash(w); table[h & table_mask]; h++)
        if (!memcmp(&worlds[table[h & table_mask] - 1], w, sizeof *w)) return;
    if (count == size) {
        size = size ? size * 2 : 1u << 16;
        worlds = realloc(worlds, size * sizeof *worlds);
        parents = realloc(parents, size * sizeof *parents);
        moves = realloc(moves, size * sizeof *moves);
        assert_true(worlds && parents && moves);
    }
    worlds[count] = *w;
    parents[count] = now_at;
    moves[count] = move;
    table[h & table_mask] = ++count;
}

/* --- broker ----------------------------------------------------------------------------------------------- */

/* One event: the half is written at once, what is to be sent becomes `todo`, sent in later moves. */
static bool broker_event(struct world *w, enum slot_event event, uint8_t call)
{
    struct slot_now now = { (enum slot_state)w->state, w->answered, false };
    bool own = call == w->generation && w->state != SLOT_FREE;
    struct slot_step step;
    if (!own && event != SLOT_LEASE) now = (struct slot_now) { SLOT_FREE, false, false };
    step = slot_next(now, event);
    if (step.refused) return false;
    if (own || event == SLOT_LEASE) {
        w->state = (uint8_t)step.next.state;
        w->answered = step.next.answered;
    }
    w->todo = (uint16_t)step.send;
    w->todo_call = call;
    return true;
}

static void ring_put(struct record *ring, uint8_t *n, uint8_t kind, uint8_t generation)
{
    if (*n == RING) {
        wrong = "a ring overflowed";
        return;
    }
    ring[(*n)++] = (struct record) { kind, generation };
}

static void ring_take(struct record *ring, uint8_t *n)
{
    memmove(ring, ring + 1, (RING - 1) * sizeof *ring);
    ring[RING - 1] = (struct record) { 0, 0 };
    (*n)--;
}

/* Sends the lowest bit of todo. */
static void broker_send(struct world *w)
{
    uint16_t bit = w->todo & (uint16_t)-w->todo;
    struct far *far = &w->far[w->todo_call];
    w->todo ^= bit;
    if (bit == SLOT_SEND_ACK) far->to |= TO_ACK;
    /* ACK and BYE for a late 2xx leave in one go. This walk found why they must: with the ACK alone the far end stops
     * repeating its 2xx, and a call without a slot is in nobody's memory. */
    if (bit == SLOT_SEND_ACK && w->todo & SLOT_SEND_BYE) far->to |= TO_BYE, w->todo ^= SLOT_SEND_BYE;
    if (bit == SLOT_SEND_CANCEL) far->to |= TO_CANCEL;
    if (bit == SLOT_SEND_BYE) far->to |= TO_BYE;
    if (bit == SLOT_SEND_BYE_OK) far->to |= TO_BYE_OK;
    if (bit == SLOT_SEND_START) ring_put(w->down, &w->down_count, RING_MEDIA_START, w->todo_call);
    if (bit == SLOT_SEND_UPDATE) ring_put(w->down, &w->down_count, RING_MEDIA_UPDATE, w->todo_call);
    if (bit == SLOT_SEND_STOP) ring_put(w->down, &w->down_count, RING_MEDIA_STOP, w->todo_call);
    if (w->todo) return;
    w->todo_call = 0;
    if (w->pops_up) ring_take(w->up, &w->up_count), w->pops_up = 0;
}

static void lease(struct world w)
{
    if (w.state != SLOT_FREE || w.generation == CALLS) return;
    w.generation++;
    w.half_worker_epoch = w.worker_epoch;
    w.hangups = w.early = 0;
    if (!broker_event(&w, SLOT_LEASE, w.generation)) return;
    w.far[w.generation].to |= TO_INVITE;
    reach(&w, "lease, INVITE");
}

static void broker_reads_sip(struct world w, uint8_t call, uint8_t message, enum slot_event event, const char *move)
{
    if (!(w.far[call].from & message)) return;
    /* 200 and BYE are repeated until ACK and 200 came: they stay on the way. The others are read once. */
    if (message == FROM_183 || message == FROM_FAIL) w.far[call].from &= (uint8_t)~message;
    broker_event(&w, event, call);
    reach(&w, move);
}

static void broker_reads_up(struct world w)
{
    if (!w.up_count) return;
    if (w.up[0].generation == w.generation && broker_event(&w, SLOT_RELEASED, w.generation)) {
        w.pops_up = w.todo != 0;
        if (!w.todo) w.todo_call = 0;
    }
    if (!w.pops_up) ring_take(w.up, &w.up_count);
    reach(&w, "broker reads RELEASED");
}

static void broker_moves(const struct world *at)
{
    struct world w = *at;
    if (!w.broker_up) { /* the next incarnation adopts */
        w.broker_up = 1;
        if (w.state != SLOT_FREE) broker_event(&w, SLOT_ADOPT, w.generation);
        reach(&w, "broker: new incarnation");
        return;
    }
    if (w.broker_deaths) {
        w.broker_deaths--;
        w.broker_up = w.pops_up = 0;
        w.todo = w.todo_call = 0;
        reach(&w, "broker: killed");
        w = *at;
    }
    if (w.todo) {
        broker_send(&w);
        reach(&w, "broker sends");
        return;
    }
    lease(w);
    for (uint8_t call = 1; call <= CALLS; call++) {
        if (call == w.generation && !w.early) { /* whether anybody wants early media is the call's, not the message's */
            struct world e = w;
            e.early = 1;
            broker_reads_sip(e, call, FROM_183, SLOT_EARLY, "183, wanted");
        }
        broker_reads_sip(w, call, FROM_200, SLOT_ANSWER, "200");
        broker_reads_sip(w, call, FROM_FAIL, SLOT_FAIL, "4xx");
        broker_reads_sip(w, call, FROM_BYE, SLOT_BYE, "BYE");
    }
    broker_reads_up(w);
    if (!w.hangups && w.state != SLOT_FREE && (w.hangups = 1, broker_event(&w, SLOT_HANGUP, w.generation))) reach(&w, "broker hangs up");
    w = *at;
    if (w.state != SLOT_FREE && w.half_worker_epoch != w.worker_epoch && broker_event(&w, SLOT_WORKER_DIED, w.generation))
        reach(&w, "broker sees the worker's death");
}

/* --- media thread ----------------------------------------------------------------------------------------- */

static void worker_moves(const struct world *at)
{
    struct world w = *at;
    struct slot_media_now now = { w.running, w.media_generation };
    if (w.worker_deaths) {
        w.worker_deaths--;
        w.worker_epoch++;
        w.running = w.media_generation = w.releasing = 0;
        reach(&w, "worker: killed and started again");
        w = *at;
    }
    if (w.releasing) {
        ring_put(w.up, &w.up_count, RING_RELEASED, w.releasing);
        w.releasing = 0;
        ring_take(w.down, &w.down_count);
        reach(&w, "worker pushes RELEASED");
        return;
    }
    if (!w.down_count) return;
    switch (slot_media_next(&now, w.down[0].kind, w.down[0].generation, w.generation, (enum slot_state)w.state)) {
    case SLOT_MEDIA_RELEASE:
        w.releasing = w.down[0].generation;
        break;
    case SLOT_MEDIA_REPLACE:
        wrong = "media begun over another call's";
        break;
    default:
        ring_take(w.down, &w.down_count);
    }
    w.running = now.running;
    w.media_generation = (uint8_t)now.generation;
    reach(&w, "worker reads a record");
}

/* --- far end ---------------------------------------------------------------------------------------------- */

static void far_hears(struct far *f, uint8_t message)
{
    f->to &= (uint8_t)~message;
    if (message == TO_INVITE && f->state == FAR_NONE) f->state = FAR_RINGING;
    if (message == TO_ACK) f->from &= (uint8_t)~FROM_200, f->acked = 1;
    if (message == TO_BYE_OK) f->from &= (uint8_t)~FROM_BYE;
    if (message == TO_CANCEL && f->state == FAR_RINGING) f->state = FAR_OVER, f->from |= FROM_FAIL; /* 487 */
    if (message == TO_BYE && f->state == FAR_UP) f->state = FAR_OVER, f->from &= (uint8_t) ~(FROM_BYE | FROM_200);
}

static void far_moves(const struct world *at)
{
    for (uint8_t call = 1; call <= CALLS; call++) {
        const struct far *now = &at->far[call];
        for (uint8_t message = 1; message <= TO_BYE_OK; message <<= 1) {
            struct world w = *at;
            if (!(now->to & message) || (message != TO_INVITE && now->to & TO_INVITE)) continue;
            far_hears(&w.far[call], message);
            reach(&w, "far end hears");
        }
        if (now->state == FAR_RINGING) {
            struct world w = *at;
            w.far[call].from |= FROM_183;
            reach(&w, "far end: 183");
            w = *at;
            w.far[call].from |= FROM_200, w.far[call].state = FAR_UP;
            reach(&w, "far end answers");
            w = *at;
            w.far[call].from |= FROM_FAIL, w.far[call].state = FAR_OVER;
            reach(&w, "far end refuses");
        }
        if (now->state == FAR_UP && now->acked) {
            struct world w = *at;
            w.far[call].from |= FROM_BYE, w.far[call].state = FAR_OVER;
            reach(&w, "far end hangs up");
        }
    }
}

/* --- what must hold --------------------------------------------------------------------------------------- */

static void always(const struct world *w)
{
    if (w->running && (w->state == SLOT_FREE || w->state == SLOT_DIALLING)) wrong = "media runs on a slot that nobody holds";
    if (w->running && w->media_generation != w->generation) wrong = "media of an old call runs beside a new one";
    if (w->down_count > 6 || w->up_count > 6) wrong = "a ring grows";
}

/* Nothing is on its way and nobody is about to do anything: only free decisions (a new call, a hangup) are left. */
static bool quiet(const struct world *w)
{
    if (!w->broker_up || w->todo || w->releasing || w->down_count || w->up_count) return false;
    if (w->state != SLOT_FREE && w->half_worker_epoch != w->worker_epoch && w->state != SLOT_ENDING) return false;
    for (int call = 1; call <= CALLS; call++)
        if (w->far[call].to || w->far[call].from & (uint8_t)~FROM_183) return false;
    return true;
}

static void when_quiet(const struct world *w)
{
    if (w->state == SLOT_ENDING) wrong = "a slot stays ENDING for ever";
    if (w->state == SLOT_MEDIA && !w->running) wrong = "a slot in MEDIA whose media does not run";
    for (int call = 1; call <= CALLS; call++)
        if (w->far[call].state == FAR_UP && !(w->generation == call && w->state == SLOT_MEDIA && w->answered))
            wrong = "a far end stays connected to nobody";
}

static uint32_t walk(uint8_t broker_deaths, uint8_t worker_deaths)
{
    struct world first;
    uint32_t settled = 0;
    memset(&first, 0, sizeof first);
    first.broker_up = first.worker_epoch = 1;
    first.broker_deaths = broker_deaths;
    first.worker_deaths = worker_deaths;
    count = 0, table_mask = 0, wrong = NULL, now_at = 0;
    table_grow();
    reach(&first, "start");
    for (now_at = 0; now_at < count && !wrong; now_at++) {
        struct world w = worlds[now_at];
        always(&w);
        if (quiet(&w)) when_quiet(&w), settled++;
        if (wrong) break;
        broker_moves(&w);
        worker_moves(&w);
        far_moves(&w);
    }
    if (wrong) {
        print_message("%s:\n", wrong);
        path_print(now_at);
        fail();
    }
    assert_true(settled > 2);
    print_message("%u broker deaths, %u worker deaths: %u states, %u of them quiet\n", broker_deaths, worker_deaths, count, settled);
    return count;
}

static void nothing_leaks_in_any_order_of_messages(void **state) { assert_true(walk(0, 0) > 1000); }

static void nothing_leaks_when_the_broker_dies_at_any_step(void **state)
{
    walk(1, 0);
    if (getenv("CARILLON_LONG")) walk(2, 0);
}

static void nothing_leaks_when_the_worker_dies_at_any_step(void **state)
{
    walk(0, 1);
    if (getenv("CARILLON_LONG")) walk(0, 2);
}

static void nothing_leaks_when_both_die_at_any_step(void **state)
{
    if (!getenv("CARILLON_LONG")) skip();
    walk(1, 1);
}

static void an_inbound_call_that_is_given_up_before_its_answer_is_rejected_and_after_it_gets_bye(void **state)
{
    struct slot_now offered = { SLOT_DIALLING, false, true }, up = { SLOT_MEDIA, true, true };
    assert_true(slot_next(offered, SLOT_HANGUP).send & SLOT_SEND_REJECT);
    assert_int_equal(slot_next(offered, SLOT_HANGUP).next.state, SLOT_FREE);
    assert_true(slot_next(offered, SLOT_ANSWER).send & SLOT_SEND_OK);
    assert_true(slot_next(up, SLOT_HANGUP).send & SLOT_SEND_BYE);
    assert_false(slot_next(up, SLOT_HANGUP).send & (SLOT_SEND_REJECT | SLOT_SEND_CANCEL));
}

static void a_repeated_2xx_gets_ack_again_and_no_second_bye(void **state)
{
    struct slot_now ending = { SLOT_ENDING, false, false };
    struct slot_step first = slot_next(ending, SLOT_ANSWER);
    assert_int_equal(first.send, SLOT_SEND_ACK | SLOT_SEND_BYE);
    assert_int_equal(slot_next(first.next, SLOT_ANSWER).send, SLOT_SEND_ACK);
}

static void generations_may_wrap(void **state)
{
    struct slot_media_now now = { true, UINT32_MAX };
    assert_int_equal(slot_media_next(&now, RING_MEDIA_STOP, UINT32_MAX, UINT32_MAX, SLOT_ENDING), SLOT_MEDIA_RELEASE);
    assert_int_equal(slot_media_next(&now, RING_MEDIA_START, 0, 0, SLOT_MEDIA), SLOT_MEDIA_BEGIN);
    assert_int_equal(slot_media_next(&now, RING_MEDIA_STOP, UINT32_MAX, 0, SLOT_MEDIA), SLOT_MEDIA_DROP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_leaks_in_any_order_of_messages),
        cmocka_unit_test(nothing_leaks_when_the_broker_dies_at_any_step),
        cmocka_unit_test(nothing_leaks_when_the_worker_dies_at_any_step),
        cmocka_unit_test(nothing_leaks_when_both_die_at_any_step),
        cmocka_unit_test(an_inbound_call_that_is_given_up_before_its_answer_is_rejected_and_after_it_gets_bye),
        cmocka_unit_test(a_repeated_2xx_gets_ack_again_and_no_second_bye),
        cmocka_unit_test(generations_may_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
