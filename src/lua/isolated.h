/* isolated.h: scripts that cannot share the worker's lua_State: they load C modules, use the FFI, or want the JIT.
 *
 * Such a script has a lua_State of its own on a thread of its own, with LuaJIT's whole library. Its `freeswitch` is made of stubs: each
 * call is a text (fs/pack.lua) that goes to the script thread, where an ordinary fiber, the script's *agent*, does it as for any other
 * script (fs/isolated.lua); meanwhile the thread sleeps. So all that blocks, waits there, and the API exists once.
 *
 * The two take turns; one word says whose turn it is, and there is no lock:
 *
 *     THREAD   its Lua runs; nobody else looks at `request` and `reply`
 *     SCRIPT   it put something into `request` and sleeps until `reply` is there
 *     LEFT     the agent is gone: whatever the thread asks from now on is an error, which ends its script
 *
 * A thread that is left while it is busy, or has used up its budget, gets a signal that raises an error at its next instruction. Only
 * one that is stuck in a C module or in compiled code does not come back: then its script ends without it, that is announced, and
 * the thread stays behind until it does. */
#ifndef LUA_ISOLATED_H
#define LUA_ISOLATED_H

#include <lua.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>

#include "core/buf.h"
#include "lua/private.h"

enum isolated_turn { TURN_THREAD, TURN_SCRIPT, TURN_LEFT };

struct isolated {
    _Atomic int turn;
    sem_t replied;
    int bell; /* the engine's eventfd: "it is your turn" */
    struct buf request, reply;

    /* the thread's own (isolated_thread.c) */
    lua_State *L;
    size_t memory, memory_limit;
    uint32_t budget_ms; /* of CPU between two calls, as for other scripts */
    timer_t timer;
    bool timed;
    _Atomic bool spent; /* the budget; its next instruction is an error */
    volatile sig_atomic_t hook_busy;

    /* the script thread's own (isolated.c) */
    struct engine *engine;
    struct isolated *next;
    pthread_t thread;
    char *name;
    struct fiber *fiber; /* the agent, while it waits for the thread's turn to end */
    uint64_t token;
    bool announced;
    int64_t spent_ns; /* since when it is `spent` and goes on all the same; 0 = it is not */
    int64_t left_ns;  /* when it was left; 0 = not yet */
};

/* The thread, from its first instruction to its last. */
void *isolated_thread(void *context);
/* Makes the thread look whether it was left. From the script thread. */
void isolated_thread_alarm(struct isolated *isolated);

#endif
