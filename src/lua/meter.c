/* meter.c: who holds how much memory. The allocator of the one lua_State, with an account per script. */
#include <stdio.h>
#include <stdlib.h>

#include "lua/private.h"

struct block {
    struct meter *owner;
    char data[];
};

static void account_free(struct engine *engine, struct meter *owner, size_t size)
{
    engine->memory -= size;
    owner->bytes -= size;
    if (--owner->blocks == 0 && owner->ended) free(owner);
}

/* The state raises a bare "not enough memory", and by then has forgotten where it was: so that is noted here, where it begins. */
static void place_note(struct engine *engine)
{
    lua_Debug ar;
    engine->memory_place[0] = 0;
    if (!engine->running || !engine->running->L) return;
    for (int level = 0; lua_getstack(engine->running->L, level, &ar); level++) {
        lua_getinfo(engine->running->L, "Sl", &ar);
        if (ar.currentline <= 0) continue;
        snprintf(engine->memory_place, sizeof engine->memory_place, "%s:%d", ar.short_src, ar.currentline);
        return;
    }
}

/* May `owner` grow by this much? The engine always may. */
static bool account_allows(struct engine *engine, struct meter *owner, size_t more)
{
    if (!owner->check || owner->ended) return true;
    if (owner->bytes + more > owner->hard) {
        place_note(engine);
        return false;
    }
    if (owner->bytes + more > owner->check && owner == engine->charged && !engine->judge) {
        engine->judge = true;
        preempt_arm(engine, 1);
    }
    return true;
}

void *meter_allocate(void *context, void *data, size_t old, size_t size)
{
    struct engine *engine = context;
    struct block *block = data ? (struct block *)((char *)data - sizeof(struct block)) : NULL, *new_block;
    struct meter *owner = block ? block->owner : engine->charged;
    if (!block) old = 0;
    if (!size) {
        if (block) {
            free(block);
            account_free(engine, owner, old);
        }
        return NULL;
    }
    if (size > old && !account_allows(engine, owner, size - old)) return NULL;
    new_block = realloc(block, sizeof *block + size);
    if (!new_block) return NULL;
    if (!block) {
        new_block->owner = owner;
        owner->blocks++;
    }
    owner->bytes += size - old;
    engine->memory += size - old;
    return new_block->data;
}

struct meter *meter_new(struct engine *engine)
{
    struct meter *meter = calloc(1, sizeof *meter);
    if (!meter) return NULL;
    meter->limit = engine->memory_limit;
    meter->check = meter->limit;
    meter->hard = meter->limit + meter->limit / 2;
    return meter;
}

void meter_end(struct meter *meter)
{
    meter->ended = true;
    if (!meter->blocks) free(meter);
}

bool meter_over(const struct meter *meter) { return meter->check && meter->bytes > meter->check; }

/* What a script holds counts with its garbage; so first the garbage goes (collect.c), and only what is left is judged. The next look
 * comes a quarter of the limit later, lest a script near its limit collects all the time. */
bool meter_judge(struct meter *meter, char *why, size_t size)
{
    if (meter->bytes > meter->limit) {
        meter->check = meter->bytes + meter->limit / 8; /* room to unwind and to be caught */
        snprintf(why, size, "not enough memory: the script holds %zu MB (scripts.memory_mb = %zu)", meter->bytes >> 20, meter->limit >> 20);
        return false;
    }
    meter->check = meter->bytes + meter->limit / 4;
    if (meter->check < meter->limit) meter->check = meter->limit;
    return true;
}
