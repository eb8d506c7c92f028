/* stringlib.c: string.find, match, gmatch and gsub upon pattern.c. gsub with a function or a table is in Lua (fs/stdlib_string.lua), so
 * that what they do may wait. */
#include <string.h>

#include "lua/pattern.h"
#include "lua/private.h"

static bool has_specials(const char *pattern, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (pattern[i] && strchr("^$*+?.([%-", pattern[i])) return true;
    return false;
}

static void begin(struct pattern *p, lua_State *L, const char *text, size_t length, const char *pattern, size_t pattern_length)
{
    p->L = L;
    p->text = text;
    p->text_end = text + length;
    p->pattern_end = pattern + pattern_length;
    p->steps = 0;
    p->level = p->depth = 0;
}

static const char *match_at(struct pattern *p, const char *at, const char *pattern)
{
    p->level = p->depth = 0;
    return pattern_match(p, at, pattern);
}

static int find_plain(lua_State *L, const char *text, size_t length, size_t init, const char *what, size_t what_length)
{
    const char *at = what_length ? memmem(text + init, length - init, what, what_length) : text + init;
    if (!at) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, at - text + 1);
    lua_pushinteger(L, at - text + (lua_Integer)what_length);
    return 2;
}

static int find_or_match(lua_State *L, bool find)
{
    size_t length, pattern_length;
    const char *text = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &pattern_length);
    lua_Integer init = luaL_optinteger(L, 3, 1);
    struct pattern p;
    if (init < 0) init += (lua_Integer)length + 1;
    if (init < 1) init = 1;
    if ((size_t)init > length + 1) init = (lua_Integer)length + 1; /* as Lua 5.1 */
    if (find && (lua_toboolean(L, 4) || !has_specials(pattern, pattern_length)))
        return find_plain(L, text, length, (size_t)init - 1, pattern, pattern_length);
    begin(&p, L, text, length, pattern, pattern_length);
    bool anchor = pattern_length && *pattern == '^';
    const char *at = text + init - 1, *end;
    do {
        end = match_at(&p, at, pattern + anchor);
        if (!end) continue;
        if (!find) return pattern_push_all(&p, at, end);
        lua_pushinteger(L, at - text + 1);
        lua_pushinteger(L, end - text);
        return pattern_push_all(&p, NULL, NULL) + 2;
    } while (++at <= p.text_end && !anchor);
    lua_pushnil(L);
    return 1;
}

static int string_find(lua_State *L) { return find_or_match(L, true); }

static int string_match(lua_State *L) { return find_or_match(L, false); }

/* Upvalues: text, pattern, where to go on. */
static int gmatch_next(lua_State *L)
{
    size_t length, pattern_length;
    const char *text = lua_tolstring(L, lua_upvalueindex(1), &length), *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
    struct pattern p;
    begin(&p, L, text, length, pattern, pattern_length);
    for (const char *at = text + lua_tointeger(L, lua_upvalueindex(3)); at <= p.text_end; at++) {
        const char *end = match_at(&p, at, pattern);
        if (!end) continue;
        lua_pushinteger(L, end - text + (end == at)); /* an empty match moves on */
        lua_replace(L, lua_upvalueindex(3));
        return pattern_push_all(&p, at, end);
    }
    return 0;
}

static int string_gmatch(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checkstring(L, 2);
    lua_settop(L, 2);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, gmatch_next, 3);
    return 1;
}

static void add_replacement(struct pattern *p, luaL_Buffer *out, const char *s, const char *e, const char *with, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (with[i] != '%') {
            luaL_addchar(out, with[i]);
        } else if (++i < length && with[i] >= '0' && with[i] <= '9') {
            if (with[i] == '0')
                lua_pushlstring(p->L, s, (size_t)(e - s));
            else
                pattern_push(p, with[i] - '1', s, e);
            luaL_addvalue(out);
        } else if (i < length) {
            luaL_addchar(out, with[i]);
        }
    }
}

/* gsub_text(text, pattern, replacement, n): the replacement is text. */
static int gsub_text(lua_State *L)
{
    size_t length, pattern_length, with_length;
    const char *text = luaL_checklstring(L, 1, &length), *pattern = luaL_checklstring(L, 2, &pattern_length);
    const char *with = luaL_checklstring(L, 3, &with_length), *at = text;
    double most = luaL_optnumber(L, 4, (double)length + 1);
    bool anchor = pattern_length && *pattern == '^';
    struct pattern p;
    luaL_Buffer out;
    lua_Integer count = 0;
    begin(&p, L, text, length, pattern, pattern_length);
    luaL_buffinit(L, &out);
    while ((double)count < most) {
        const char *end = match_at(&p, at, pattern + anchor);
        if (end) {
            count++;
            add_replacement(&p, &out, at, end, with, with_length);
        }
        if (end && end > at)
            at = end;
        else if (at < p.text_end)
            luaL_addchar(&out, *at++);
        else
            break;
        if (anchor) break;
    }
    luaL_addlstring(&out, at, (size_t)(p.text_end - at));
    luaL_pushresult(&out);
    lua_pushinteger(L, count);
    return 2;
}

void pattern_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "string_find", string_find },
        { "string_match", string_match },
        { "string_gmatch", string_gmatch },
        { "gsub_text", gsub_text },
        { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
}
