/* engine.h: the script engine's doors for its worker. All on the script thread. */
#ifndef LUA_ENGINE_H
#define LUA_ENGINE_H

#include <stddef.h>

#include "core/kv.h"
#include "lua/host.h"

int engine_new(struct engine **out, struct host *host); /* 0 or -errno; loads the embedded sources */
void engine_free(struct engine *engine);                /* ends every fiber (their handles are closed) */

/* A new channel's own life: an inbound call, a loopback b-leg, or a call that was transferred: runs its script (channel variable
 * `carillon_script`, set by the host for trunks with inbound.script) or its dialplan (profile: context, destination_number). */
void engine_channel_start(struct engine *engine, struct channel *channel);
/* A campaign's call, answered: `script` (absolute) with `session` and argv. At its end the host is told by
 * MSG_CALL_SCRIPT_DONE through host_note. */
void engine_channel_run(struct engine *engine, struct channel *channel, const char *script, const char *arguments);
/* A channel was hung up: hooks, end-of-call variables, CHANNEL_HANGUP_COMPLETE, CHANNEL_DESTROY; then channel_unref of the
 * host's own reference is the host's business. */
void engine_channel_over(struct engine *engine, struct channel *channel);
/* An API command (MSG_API). `reply` is called exactly once, now or later. */
void engine_api(struct engine *engine, const char *command, const char *arguments,
                void (*reply)(void *context, const char *text, size_t length), void *context);

/* The same with what an HTTP request brings: pairs named e.NAME become the command's `env`, `body` its stream's request body. */
void engine_api_env(struct engine *engine, const char *command, const char *arguments, struct kv_view pairs,
                    void (*reply)(void *context, const char *text, size_t length), void *context);
/* A method of another worker's script on a call that lives here (MSG_CALL_METHOD): the layer's `call_method(from, pairs)`. `reply` is
 * called exactly once, now or later, with 0 or -errno. */
void engine_call_method(struct engine *engine, uint32_t from, struct kv_view pairs,
                        void (*reply)(void *context, int status, const struct kv *pairs), void *context);
/* Another process died: what its scripts held here is let go. */
void engine_process_gone(struct engine *engine, uint32_t process);

size_t engine_scripts(const struct engine *engine);
size_t engine_memory(const struct engine *engine);

#endif
