/* log.h: one log line format for all processes, never blocking its caller.
 *
 *   2026-11-23T06:30:00.123456Z INFO  broker  7c0e…-uuid text
 *
 * A line is formatted by the caller into a ring of the process and written by a thread of the log's own; a full
 * ring drops the line and counts it. Lines of one source (file:line) beyond 50 a second are counted, not written
 * ("… 312 more like this"). build.zig defines ROOM for each folder ("broker", "media", …). */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#ifndef ROOM
#define ROOM "core"
#endif

/* The numbers are syslog's and FreeSWITCH's (console 0 … debug 7). */
enum log_level { LOG_CONSOLE, LOG_ALERT, LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Starts the writer thread. `path` NULL or "-" = stderr. `levels`: "info" or "info,broker=debug,media=warning".
 * 0 or -errno (-EINVAL: bad levels). Before log_open, lines go to stderr directly. */
int log_open(const char *process, const char *path, const char *levels);
/* Writes out what is queued and stops the thread. */
void log_close(void);
/* Opens the file again (log rotation). Async-signal unsafe: call it from a loop. */
void log_reopen(void);
/* Changes the levels at run time; 0 or -EINVAL. */
int log_levels_set(const char *levels);
/* Telephone numbers in lines show their first three and last two digits only. */
void log_mask_numbers_set(bool mask);
bool log_wanted(const char *room, enum log_level level);
/* Parses a level name of any case ("err", "warning", "7"); -EINVAL if it is none. */
int log_level_parse(const char *name);

/* For check_failed alone: writes what is queued and then this line, in the caller's thread, to the log and to stderr. */
void log_fatal(const char *text);

/* `uuid`: the call's uuid as text, or NULL. */
void log_line(const char *room, enum log_level level, const char *uuid, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

#define log_at(level, uuid, ...) (log_wanted(ROOM, (level)) ? log_line(ROOM, (level), (uuid), __FILE__, __LINE__, __VA_ARGS__) : (void)0)
#define log_crit(uuid, ...)      log_at(LOG_CRIT, uuid, __VA_ARGS__)
#define log_err(uuid, ...)       log_at(LOG_ERR, uuid, __VA_ARGS__)
#define log_warning(uuid, ...)   log_at(LOG_WARNING, uuid, __VA_ARGS__)
#define log_notice(uuid, ...)    log_at(LOG_NOTICE, uuid, __VA_ARGS__)
#define log_info(uuid, ...)      log_at(LOG_INFO, uuid, __VA_ARGS__)
#define log_debug(uuid, ...)     log_at(LOG_DEBUG, uuid, __VA_ARGS__)

#endif
