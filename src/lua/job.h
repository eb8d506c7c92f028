/* job.h: work on a helper thread for a fiber, whose result comes back as HAPPENING_JOB. */
#ifndef LUA_JOB_H
#define LUA_JOB_H

#include "core/buf.h"
#include "core/jobs.h"
#include "lua/private.h"

struct lua_job {
    struct job job;
    struct fiber *fiber;
    uint64_t token;
    void (*run)(struct lua_job *job);                /* on a helper */
    void (*push)(struct lua_job *job, lua_State *L); /* on the script thread: pushes the one result */
    void (*clean)(struct lua_job *job);              /* frees `own`; may be NULL */
    char *a, *b;                                     /* arguments */
    size_t a_length, b_length;
    int error; /* errno of what failed */
    int64_t number;
    struct buf text;
    void *own;
};

/* Starts it for the running fiber and pushes the token (or raises). */
int lua_job_start(lua_State *L, struct lua_job *job);
struct lua_job *lua_job_new(void);

#endif
