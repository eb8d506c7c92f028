/* pattern.c: the matcher: what Lua 5.1 §5.4.1 describes (with 5.2's %g and %f), by backtracking. */
#include "lua/pattern.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "lua/private.h"

#define DEPTH_MAX           200
#define STEPS_BETWEEN_LOOKS 4096

#define ESCAPE '%'

static void step(struct pattern *p)
{
    if (++p->steps % STEPS_BETWEEN_LOOKS == 0 && preempt_exhausted(engine_of(p->L)))
        luaL_error(p->L, "a pattern took too long to match (scripts.budget_ms)");
}

/* The end of one single-character class in the pattern. */
static const char *class_end(struct pattern *p, const char *at)
{
    if (at == p->pattern_end) luaL_error(p->L, "malformed pattern (ends with '%%')");
    if (*at == ESCAPE) {
        if (at + 1 >= p->pattern_end) luaL_error(p->L, "malformed pattern (ends with '%%')");
        return at + 2;
    }
    if (*at++ != '[') return at;
    if (at < p->pattern_end && *at == '^') at++;
    do { /* a ] that comes first is an ordinary character */
        if (at >= p->pattern_end) luaL_error(p->L, "malformed pattern (missing ']')");
        if (*at++ == ESCAPE && at < p->pattern_end) at++;
    } while (at >= p->pattern_end || *at != ']');
    return at + 1;
}

static bool letter_matches(int c, int letter)
{
    bool yes;
    switch (tolower(letter)) {
    case 'a':
        yes = isalpha(c);
        break;
    case 'c':
        yes = iscntrl(c);
        break;
    case 'd':
        yes = isdigit(c);
        break;
    case 'g':
        yes = isgraph(c);
        break;
    case 'l':
        yes = islower(c);
        break;
    case 'p':
        yes = ispunct(c);
        break;
    case 's':
        yes = isspace(c);
        break;
    case 'u':
        yes = isupper(c);
        break;
    case 'w':
        yes = isalnum(c);
        break;
    case 'x':
        yes = isxdigit(c);
        break;
    case 'z':
        yes = c == 0;
        break;
    default:
        return letter == c;
    }
    return isupper(letter) ? !yes : yes;
}

/* `at` is the [ of a set, `last` its ]. */
static bool set_matches(int c, const char *at, const char *last)
{
    bool positive = true;
    if (at[1] == '^') {
        positive = false;
        at++;
    }
    while (++at < last) {
        if (*at == ESCAPE) {
            at++;
            if (letter_matches(c, (unsigned char)*at)) return positive;
        } else if (at[1] == '-' && at + 2 < last) {
            at += 2;
            if ((unsigned char)at[-2] <= c && c <= (unsigned char)*at) return positive;
        } else if ((unsigned char)*at == c) {
            return positive;
        }
    }
    return !positive;
}

static bool single_matches(struct pattern *p, const char *s, const char *at, const char *end)
{
    int c;
    step(p);
    if (s >= p->text_end) return false;
    c = (unsigned char)*s;
    switch (*at) {
    case '.':
        return true;
    case ESCAPE:
        return letter_matches(c, (unsigned char)at[1]);
    case '[':
        return set_matches(c, at, end - 1);
    default:
        return (unsigned char)*at == c;
    }
}

static const char *match_balance(struct pattern *p, const char *s, const char *at)
{
    int open, close, count = 1;
    if (at + 1 >= p->pattern_end) luaL_error(p->L, "unbalanced pattern");
    if (s >= p->text_end || *s != *at) return NULL;
    open = *at;
    close = at[1];
    while (++s < p->text_end) {
        step(p);
        if (*s == close) {
            if (--count == 0) return s + 1;
        } else if (*s == open) {
            count++;
        }
    }
    return NULL;
}

static const char *expand_most(struct pattern *p, const char *s, const char *at, const char *end)
{
    ptrdiff_t i = 0;
    while (single_matches(p, s + i, at, end)) i++;
    for (; i >= 0; i--) {
        const char *result = pattern_match(p, s + i, end + 1);
        if (result) return result;
    }
    return NULL;
}

static const char *expand_least(struct pattern *p, const char *s, const char *at, const char *end)
{
    for (;;) {
        const char *result = pattern_match(p, s, end + 1);
        if (result) return result;
        if (!single_matches(p, s, at, end)) return NULL;
        s++;
    }
}

static const char *capture_start(struct pattern *p, const char *s, const char *at, ptrdiff_t what)
{
    const char *result;
    if (p->level >= PATTERN_CAPTURES_MAX) luaL_error(p->L, "too many captures");
    p->capture[p->level].start = s;
    p->capture[p->level].length = what;
    p->level++;
    result = pattern_match(p, s, at);
    if (!result) p->level--;
    return result;
}

static const char *capture_end(struct pattern *p, const char *s, const char *at)
{
    int i = p->level - 1;
    const char *result;
    while (i >= 0 && p->capture[i].length != CAPTURE_OPEN) i--;
    if (i < 0) luaL_error(p->L, "invalid pattern capture");
    p->capture[i].length = s - p->capture[i].start;
    result = pattern_match(p, s, at);
    if (!result) p->capture[i].length = CAPTURE_OPEN;
    return result;
}

static const char *match_back(struct pattern *p, const char *s, int letter)
{
    int i = letter - '1';
    if (i < 0 || i >= p->level || p->capture[i].length == CAPTURE_OPEN) luaL_error(p->L, "invalid capture index");
    size_t length = p->capture[i].length > 0 ? (size_t)p->capture[i].length : 0;
    if ((size_t)(p->text_end - s) < length || memcmp(p->capture[i].start, s, length)) return NULL;
    return s + length;
}

static bool frontier(struct pattern *p, const char *s, const char *at, const char *end)
{
    int before = s == p->text ? 0 : (unsigned char)s[-1], here = s < p->text_end ? (unsigned char)*s : 0;
    return !set_matches(before, at, end - 1) && set_matches(here, at, end - 1);
}

/* One item and what follows it; *again is set when the rest is to be matched by the caller's loop (no recursion). */
static const char *match_item(struct pattern *p, const char *s, const char **pattern, bool *again)
{
    const char *at = *pattern, *end = class_end(p, at);
    int suffix = end < p->pattern_end ? *end : 0;
    *again = false;
    switch (suffix) {
    case '?': {
        const char *result;
        if (single_matches(p, s, at, end) && (result = pattern_match(p, s + 1, end + 1))) return result;
        *pattern = end + 1;
        *again = true;
        return s;
    }
    case '*':
        return expand_most(p, s, at, end);
    case '+':
        return single_matches(p, s, at, end) ? expand_most(p, s + 1, at, end) : NULL;
    case '-':
        return expand_least(p, s, at, end);
    default:
        if (!single_matches(p, s, at, end)) return NULL;
        *pattern = end;
        *again = true;
        return s + 1;
    }
}

/* Items that begin with %: b, f and back references; *handled is false for plain classes. */
static const char *match_escape(struct pattern *p, const char *s, const char **pattern, bool *handled)
{
    const char *at = *pattern, *end;
    *handled = true;
    switch (at + 1 < p->pattern_end ? at[1] : 0) {
    case 'b':
        s = match_balance(p, s, at + 2);
        *pattern = at + 4;
        return s;
    case 'f':
        at += 2;
        if (at >= p->pattern_end || *at != '[') luaL_error(p->L, "missing '[' after '%%f' in pattern");
        end = class_end(p, at);
        *pattern = end;
        return frontier(p, s, at, end) ? s : NULL;
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        *pattern = at + 2;
        return match_back(p, s, (unsigned char)at[1]);
    default:
        *handled = false;
        return s;
    }
}

static const char *match_rest(struct pattern *p, const char *s, const char *pattern)
{
    while (s && pattern < p->pattern_end) {
        bool flag;
        step(p);
        switch (*pattern) {
        case '(':
            if (pattern + 1 < p->pattern_end && pattern[1] == ')') return capture_start(p, s, pattern + 2, CAPTURE_POSITION);
            return capture_start(p, s, pattern + 1, CAPTURE_OPEN);
        case ')':
            return capture_end(p, s, pattern + 1);
        case '$':
            if (pattern + 1 == p->pattern_end) return s == p->text_end ? s : NULL;
            break;
        case ESCAPE: {
            const char *next = match_escape(p, s, &pattern, &flag);
            if (flag) {
                s = next;
                continue;
            }
            break;
        }
        default:
            break;
        }
        s = match_item(p, s, &pattern, &flag);
        if (!flag) return s;
    }
    return s;
}

const char *pattern_match(struct pattern *p, const char *s, const char *pattern)
{
    const char *result;
    if (++p->depth > DEPTH_MAX) luaL_error(p->L, "pattern too complex");
    result = match_rest(p, s, pattern);
    p->depth--;
    return result;
}

void pattern_push(struct pattern *p, int i, const char *start, const char *end)
{
    if (i >= p->level) {
        if (i) luaL_error(p->L, "invalid capture index");
        lua_pushlstring(p->L, start, (size_t)(end - start));
    } else if (p->capture[i].length == CAPTURE_POSITION) {
        lua_pushinteger(p->L, p->capture[i].start - p->text + 1);
    } else {
        if (p->capture[i].length == CAPTURE_OPEN) luaL_error(p->L, "unfinished capture");
        lua_pushlstring(p->L, p->capture[i].start, (size_t)p->capture[i].length);
    }
}

int pattern_push_all(struct pattern *p, const char *start, const char *end)
{
    int count = p->level == 0 && start ? 1 : p->level;
    luaL_checkstack(p->L, count + 1, "too many captures");
    for (int i = 0; i < count; i++) pattern_push(p, i, start, end);
    return count;
}
