/* host_fake.h: a worker without a worker: host.h over a loop of its own, with calls that play for a given time. */
#ifndef TESTS_LUA_HOST_FAKE_H
#define TESTS_LUA_HOST_FAKE_H

#include "lua/engine.h"
#include "lua/host.h"

/* scripts.dir is tests/lua/scripts; limits as given (0 = the defaults). */
struct host *fake_host_new(int memory_mb, int budget_ms);
void fake_host_free(struct host *host);
void fake_host_engine(struct host *host, struct engine *engine);
struct channel *fake_channel(struct host *host); /* answered; one reference, the caller's */
void fake_digit(struct channel *channel, char digit);
void fake_hangup(struct channel *channel, int cause);
size_t fake_channels(const struct host *host); /* not freed yet */
/* The last note sent to another process: its kind, and one of its pairs ("" if absent). */
int fake_note_kind(const struct host *host);
const char *fake_note_pair(const struct host *host, const char *name);
/* Turns the loop until *flag, for at most ms; returns *flag. */
bool fake_run(struct host *host, const bool *flag, int ms);

#endif
