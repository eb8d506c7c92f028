/* check.h: assertions that stay on in release builds.
 *
 * CHECK is for broken *code*. Bad *input* (network, file, script, command line) is never a CHECK:
 * it is an error with a message that names the place and the mend. */
#ifndef CORE_CHECK_H
#define CORE_CHECK_H

/* Writes "file:line: function: expression" to the log and to stderr, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *function, const char *expression);

#define CHECK(expression) ((expression) ? (void)0 : check_failed(__FILE__, __LINE__, __func__, #expression))

#define ARRAY_SIZE(a)                 (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

#endif
