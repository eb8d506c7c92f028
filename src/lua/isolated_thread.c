/* isolated_thread.c: the thread of an isolated script: its lua_State, its calls to the script thread, its limits. */
#include <errno.h>
#include <luajit.h>
#include <lualib.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "lua/embedded.h"
#include "lua/isolated.h"

#define ALARM_SIGNAL (SIGRTMIN + 4)
#define LOOK_AGAIN   200 /* instructions, where it could not act */
#define ENDED        "the script was ended"

static _Thread_local struct isolated *volatile self;

static void *allocate(void *context, void *data, size_t old, size_t size)
{
    struct isolated *isolated = context;
    void *new_data;
    if (!data) old = 0;
    if (!size) {
        free(data);
        isolated->memory -= old;
        return NULL;
    }
    if (size > old && isolated->memory + (size - old) > isolated->memory_limit) return NULL;
    new_data = realloc(data, size);
    if (new_data) isolated->memory += size - old;
    return new_data;
}

/* --- being ended ------------------------------------------------------------------------------------------------------- */

static void arm(struct isolated *isolated, int instructions);

/* Raises in the script's code, never in ours (fs/…), which tells the agent how it ended. */
static void hook(lua_State *L, lua_Debug *ar)
{
    struct isolated *isolated = self;
    const char *why = ENDED;
    char text[96];
    lua_getinfo(L, "Sl", ar);
    if (!strncmp(ar->source, "=fs/", 4)) {
        arm(isolated, LOOK_AGAIN);
        return;
    }
    if (atomic_load(&isolated->turn) != TURN_LEFT) {
        if (!isolated->spent) {
            lua_sethook(L, NULL, 0, 0);
            return;
        }
        snprintf(text, sizeof text, "the script computed for %u ms without waiting (scripts.budget_ms)", isolated->budget_ms);
        why = text;
    }
    arm(isolated, 1); /* and again at each instruction of the script that catches it */
    if (ar->currentline > 0) luaL_error(L, "%s:%d: %s", ar->short_src, ar->currentline, why);
    luaL_error(L, "%s", why);
}

/* lua_sethook may be called from a signal handler, but not within itself. */
static void arm(struct isolated *isolated, int instructions)
{
    if (isolated->hook_busy || !isolated->L) return;
    isolated->hook_busy = 1;
    lua_sethook(isolated->L, hook, LUA_MASKCOUNT, instructions);
    isolated->hook_busy = 0;
}

static void alarmed(int number, siginfo_t *info, void *context)
{
    struct isolated *isolated = self;
    if (!isolated) return;
    if (info->si_code == SI_TIMER) isolated->spent = true;
    arm(isolated, 1);
}

void isolated_thread_alarm(struct isolated *isolated) { pthread_kill(isolated->thread, ALARM_SIGNAL); }

/* The budget counts the thread's own CPU: what it sleeps or waits in C costs nothing. */
static void budget_begin(struct isolated *isolated)
{
    const struct itimerspec once = { .it_value = { isolated->budget_ms / 1000, (long)(isolated->budget_ms % 1000) * NS_PER_MS } };
    if (isolated->timed) timer_settime(isolated->timer, 0, &once, NULL);
}

static void alarms_open(struct isolated *isolated)
{
    struct sigaction action = { .sa_sigaction = alarmed, .sa_flags = SA_SIGINFO | SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = ALARM_SIGNAL };
    sigset_t set;
    self = isolated;
    sigaction(ALARM_SIGNAL, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, ALARM_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    event._sigev_un._tid = (int)syscall(SYS_gettid);
    isolated->timed = timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &isolated->timer) == 0;
}

/* --- what its Lua calls (fs/isolated_state.lua) -------------------------------------------------------------------------- */

static void bell_ring(struct isolated *isolated)
{
    const uint64_t one = 1;
    while (write(isolated->bell, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* exchange(request) → reply: the script thread's turn, and ours again. */
static int lua_exchange(lua_State *L)
{
    struct isolated *isolated = self;
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    int mine = TURN_THREAD;
    if (atomic_load(&isolated->turn) == TURN_LEFT) return luaL_error(L, ENDED);
    buf_clear(&isolated->request);
    if (buf_put(&isolated->request, text, length)) return luaL_error(L, "not enough memory");
    if (!atomic_compare_exchange_strong(&isolated->turn, &mine, TURN_SCRIPT)) return luaL_error(L, ENDED);
    bell_ring(isolated);
    while (sem_wait(&isolated->replied) && errno == EINTR)
        ;
    if (atomic_load(&isolated->turn) == TURN_LEFT) {
        arm(isolated, 1);
        return luaL_error(L, ENDED);
    }
    isolated->spent = false;
    budget_begin(isolated);
    lua_pushlstring(L, buf_text(&isolated->reply), isolated->reply.length);
    return 1;
}

static int lua_log(lua_State *L)
{
    log_at((enum log_level)luaL_checkinteger(L, 1), NULL, "%s", luaL_checkstring(L, 2));
    return 0;
}

/* The script is over; what its end needs is not refused for what it left behind. */
static int lua_over(lua_State *L)
{
    self->memory_limit = SIZE_MAX;
    return 0;
}

/* load(name) → the function that fs/NAME.lua is. */
static int source_load(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct embedded_lua *source = embedded_source(name);
    luaL_argcheck(L, source, 1, "no such file");
    lua_pushfstring(L, "=fs/%s.lua", name);
    if (luaL_loadbuffer(L, source->source, source->length, lua_tostring(L, -1))) return lua_error(L);
    return 1;
}

/* The state's first function: the library, then fs/isolated_state.lua, which runs the script. */
static int run(lua_State *L)
{
    luaL_openlibs(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); /* until the script says jit.on(): compiled loops see no hook */
    lua_pushcfunction(L, source_load);
    lua_pushliteral(L, "isolated_state");
    lua_call(L, 1, 1);
    lua_pushcfunction(L, source_load);
    lua_pushcfunction(L, lua_exchange);
    lua_pushcfunction(L, lua_log);
    lua_pushcfunction(L, lua_over);
    lua_call(L, 4, 0);
    return 0;
}

/* Every core that the machine has, at the lowest priority: media threads never wait for it. */
static void lower(void)
{
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (long i = 0, n = sysconf(_SC_NPROCESSORS_CONF); i < n && i < CPU_SETSIZE; i++) CPU_SET((size_t)i, &cpus);
    sched_setaffinity(0, sizeof cpus, &cpus);
}

/* Without hooks: the modules' finalisers run to their ends. */
static void state_close(struct isolated *isolated)
{
    lua_State *L = isolated->L;
    if (isolated->timed) timer_delete(isolated->timer);
    isolated->hook_busy = 1;
    isolated->L = NULL;
    if (!L) return;
    lua_sethook(L, NULL, 0, 0);
    lua_close(L);
}

void *isolated_thread(void *context)
{
    struct isolated *isolated = context;
    int mine = TURN_THREAD;
    lower(); /* nice 19 is inherited from the script thread */
    alarms_open(isolated);
    isolated->L = lua_newstate(allocate, isolated);
    if (!isolated->L) {
        log_err(NULL, "%s: no memory for a script of its own", isolated->name);
    } else {
        budget_begin(isolated);
        /* Its own errors are told to the agent; what comes out here is the end of one that was left. */
        if (lua_cpcall(isolated->L, run, NULL) && atomic_load(&isolated->turn) != TURN_LEFT)
            log_err(NULL, "%s: %s", isolated->name, lua_tostring(isolated->L, -1));
    }
    state_close(isolated);
    /* An agent that was told nothing learns from an empty request that nothing comes any more. */
    buf_clear(&isolated->request);
    if (atomic_compare_exchange_strong(&isolated->turn, &mine, TURN_SCRIPT)) bell_ring(isolated);
    self = NULL;
    return NULL;
}
