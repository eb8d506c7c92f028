/* private.h: what the files of the script engine share among themselves. The public doors are engine.h, fiber.h and host.h.
 *
 * One lua_State per worker. Each fiber is a coroutine in it, with a mailbox of happenings. A fiber is either the engine's own code
 * (script == NULL) or a user's script, which has its own globals, its own library tables, and an account of its memory. */
#ifndef LUA_PRIVATE_H
#define LUA_PRIVATE_H

#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <time.h>

#include "core/loop.h"
#include "lua/engine.h"
#include "lua/fiber.h"
#include "lua/host.h"

/* --- memory ---------------------------------------------------------------------------------------------------------- */

/* The account of one script. Each block carries its account's address in front, so that a block is credited to whoever made it
 * even when it is collected during another script's turn, or long after the script ended. */
struct meter {
    size_t bytes;
    size_t check; /* beyond this: collect, then judge; 0 = the engine's own account, never judged */
    size_t limit; /* a script may hold this much after a collection */
    size_t hard;  /* beyond this an allocation fails at once */
    uint32_t blocks;
    bool ended; /* the script is over: the account goes with its last block */
};

/* --- fibers ---------------------------------------------------------------------------------------------------------- */

struct mail; /* a happening, copied (mailbox.c) */

struct script {
    int globals, string; /* registry references: its globals, its own `string` table */
    int data;            /* what the layer and the libraries keep for it; made at first use */
    int base_metatables; /* its own metatables of strings, numbers, functions …; LUA_NOREF until it asks for one */
    int ends;            /* ordinal → what runs when it ends */
    lua_Integer next_end;
    struct meter *meter;
    struct fiber *asker; /* told of its end; NULL if detached */
    uint64_t asker_token;
    uint64_t random[4];
    bool random_ready;
    char uuid[UUID_TEXT_SIZE]; /* for its log lines; "" if it has no call */
    char *failure;             /* of an isolated script, which its agent reports; NULL = none */
};

struct fiber {
    struct engine *engine;
    lua_State *L; /* NULL once it ended */
    int thread;   /* registry reference that keeps L */
    int handle;   /* registry reference of its userdata for Lua, LUA_NOREF until asked for */
    unsigned references;
    struct script *script; /* NULL: the engine's own code */
    char *name;
    int arguments; /* on L's stack, for the next resume */

    struct mail *first, **last;
    uint64_t filter; /* waits for this token only; 0 = for anything */
    struct loop_timer timer;
    struct fiber *next_ready;
    struct fiber *next, **here; /* all fibers */

    bool ready;   /* in the run queue */
    bool waiting; /* suspended in wait() */
    bool timed_out;
    bool suspending;        /* yielding to the engine, through however many coroutines of the script */
    bool collecting;        /* put aside until the garbage is gone */
    bool collected;         /* it is: judge its account now */
    uint64_t collect_token; /* wants to be told of a collection's end */
    bool killed;
    char *kill_reason;
#define ENGINE_STOPPED "the engine was stopped"
    volatile uint32_t ticks; /* of CPU since its last wait */

    /* Called when it ended, with its results or its error message on its stack. */
    void (*over)(struct fiber *fiber, int status, void *context);
    void *over_context;
};

struct engine {
    struct host *host;
    struct loop *loop;
    lua_State *L; /* the main state: the engine's own globals */
    struct loop_hook hook;
    struct loop_timer wake;
    bool in_pass;

    struct fiber *all, *running;
    struct fiber *ready, **ready_end;
    size_t scripts, fibers;
    uint64_t token;

    struct script *strings; /* whose metatables the basic types have now; NULL = the engine's */
    struct meter meter;     /* the engine's own account */
    struct meter *charged;  /* who pays now */
    size_t memory;          /* all accounts together */

    /* preemption (preempt.c) */
    timer_t timer;
    bool ticking;
    volatile sig_atomic_t hook_busy;
    bool judge; /* an account wants to be judged at the next instruction */
    uint32_t ticks_max;
    const char *hook_error; /* the last message raised by the hook; compared, never read */
    int cycles;             /* of a whole collection, still to be done */

    /* registry references */
    int core, layer, base, base_count, string_metatable, proxies, lazies, chunks, object_states, graves, guarded, channels, living;

    /* What finalisers may not do themselves. */
    struct channel **unrefs;
    size_t unref_count, unref_size;
    struct child *children;
    struct isolated_scripts *isolated; /* scripts on threads of their own (isolated.c) */
    struct subscription_of_engine *subscriptions;
    struct event_told {
        uint32_t producer, epoch;
        uint64_t sequence;
        int list; /* registry reference, 0 = none */
    } told;       /* the last event: its pairs are made into a list once for all who subscribed */
    char *script_dir;
    size_t memory_limit;
    char memory_place[LUA_IDSIZE + 16]; /* where an allocation was last refused */
    unsigned inline_chunks;
};

/* The engine of a state: the allocator's context. */
static inline struct engine *engine_of(lua_State *L)
{
    void *context;
    lua_getallocf(L, &context);
    return context;
}

/* meter.c */
void *meter_allocate(void *context, void *block, size_t old, size_t size);
struct meter *meter_new(struct engine *engine);
void meter_end(struct meter *meter);
bool meter_over(const struct meter *meter);
bool meter_judge(struct meter *meter, char *why, size_t size); /* after a collection; false if the script still holds too much */

/* collect.c */
void collect_begin(struct engine *engine);
void collect_run(struct engine *engine);
void collect_open(lua_State *L);

/* mailbox.c */
void mailbox_clear(struct fiber *fiber);
bool mailbox_has(const struct fiber *fiber);         /* something that the fiber waits for */
int mailbox_take(lua_State *L, struct fiber *fiber); /* pushes what, channel, token, x; 0 if there is nothing */
/* Takes the value from the top of the main state's stack. */
void mailbox_post_value(struct fiber *fiber, enum happening_kind kind, uint64_t token);

/* fiber.c */
struct fiber *fiber_new(struct engine *engine, const char *name); /* one reference, held by the engine until it ends */
void fiber_start(struct fiber *fiber, int arguments);             /* function and arguments are on fiber->L */
void fiber_ready(struct fiber *fiber);
void fiber_kill(struct fiber *fiber, const char *reason);
void fiber_push(lua_State *L, struct fiber *fiber); /* its userdata, or nil */
struct fiber *fiber_check(lua_State *L, int index);
struct fiber *fiber_running(lua_State *L); /* raises outside any fiber */
void fiber_run_all(struct engine *engine); /* one pass over the run queue */
void fiber_free_all(struct engine *engine);
void fiber_open(lua_State *L);

/* preempt.c */
void preempt_open(lua_State *L);
void preempt_start(struct engine *engine);
void preempt_stop(struct engine *engine);
void preempt_arm(struct engine *engine, int instructions);
bool preempt_exhausted(struct engine *engine); /* for long loops in C: has the running script used up its CPU? */

/* isolate.c, basetypes.c, environment.c */
void isolate_open(lua_State *L);
void environment_open(lua_State *L);
void basetypes_open(lua_State *L);
void basetypes_switch(struct engine *engine, struct script *script);
void isolate_globals(lua_State *L, struct script *script); /* pushes a new globals table; sets script->globals and ->string */
bool isolate_trusted(lua_State *L, int index);             /* is this function the engine's own? */
bool isolate_guarded(lua_State *L, int index);             /* is this metatable one that scripts share? */
bool isolate_materialise(lua_State *L, int index);         /* a read-through table becomes a whole one */

/* chunk.c: pushes a new closure of the file or text (and true if it was compiled just now), or nil and a message. */
int chunk_file(lua_State *L, const char *path);
int chunk_text(lua_State *L, const char *text, size_t length, const char *name);
void chunk_open(lua_State *L);

/* script.c */
void script_open(lua_State *L);
void script_over(struct fiber *fiber, int status);
void script_data(lua_State *L, struct script *script); /* pushes its table */
/* One ERR line: the error of a dead fiber (at the top of its stack) and where it was. */
void script_report(struct fiber *fiber, const char *uuid);

/* the rest of core */
void object_open(lua_State *L);
void object_bury(struct engine *engine); /* runs what finalisers put off */
void hostlib_open(lua_State *L);
void subscribe_open(lua_State *L);
void subscribe_free_all(struct engine *engine);
void channel_open(lua_State *L);
void channel_media_methods(lua_State *L); /* adds to the method table at the top */
void channel_lend_methods(lua_State *L);  /* likewise */
void channel_lend_open(lua_State *L);     /* adds to `core` at the top */
struct channel *channel_check(lua_State *L, int index);
void channel_push(lua_State *L, struct channel *channel); /* borrows; nil for NULL */
void channel_unrefs(struct engine *engine);
void channel_forget(struct engine *engine, struct channel *channel); /* the call is over: its table lives as long as somebody looks */
void job_open(lua_State *L);
void curl_open(lua_State *L);
void child_open(lua_State *L);
void child_free_all(struct engine *engine);
void tcp_open(lua_State *L);
void isolated_open(lua_State *L);
void isolated_free_all(struct engine *engine); /* waits a moment for their threads */
void regex_open(lua_State *L);
void xml_open(lua_State *L);
void tools_open(lua_State *L);
void pattern_open(lua_State *L);
void random_open(lua_State *L);
void dbh_open(lua_State *L);
void dbh_close(lua_State *L); /* gives all connections back; no fiber may run any more */

/* Pairs in both directions. */
struct kv_view;
void pairs_push_map(lua_State *L, struct kv_view view);
void pairs_push_list(lua_State *L, struct kv_view view);
void pairs_read(lua_State *L, int index, struct kv *out); /* {name=value} or list of {name, value}; raises on anything else */

#endif
