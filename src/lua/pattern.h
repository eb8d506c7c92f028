/* pattern.h: Lua's patterns, matched with a limit: the standard library's own cannot be interrupted. */
#ifndef LUA_PATTERN_H
#define LUA_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

#define PATTERN_CAPTURES_MAX 32

struct pattern {
    lua_State *L; /* errors are raised here */
    const char *text, *text_end, *pattern_end;
    int level; /* captures so far */
    int depth;
    unsigned long steps;
    struct {
        const char *start;
        ptrdiff_t length; /* or one of the two below */
    } capture[PATTERN_CAPTURES_MAX];
};

#define CAPTURE_OPEN     (-1)
#define CAPTURE_POSITION (-2)

/* The end of a match that begins exactly at `at`, or NULL. Raises for a malformed pattern, and when the script has used up its
 * time budget in here. */
const char *pattern_match(struct pattern *p, const char *at, const char *pattern);
/* Pushes capture i; the whole match if there are none and i is 0. */
void pattern_push(struct pattern *p, int i, const char *start, const char *end);
/* Pushes all captures, or the whole match (start != NULL) if there are none; returns how many. */
int pattern_push_all(struct pattern *p, const char *start, const char *end);

#endif
