/* regex.c: Perl's expressions (pcre2), compiled once and kept, and bounded: a pattern of a dialplan cannot hold the thread. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#include "lua/private.h"

#define CLASS       "carillon.regex"
#define KEPT_MAX    1000
#define MATCH_LIMIT 200000 /* pcre2's units of backtracking: a few milliseconds */
#define DEPTH_LIMIT 2000

static int regex_gc(lua_State *L)
{
    pcre2_code **code = lua_touserdata(L, 1);
    pcre2_code_free(*code);
    return 0;
}

enum { DIAL_PATTERN_MAX = 256 };

/* "/re/flags" as FreeSWITCH takes it: i m s x; anything else is the expression itself. */
static const char *expression_split(const char *text, size_t *length, uint32_t *options)
{
    const char *last = *length > 1 && text[0] == '/' ? memrchr(text + 1, '/', *length - 1) : NULL;
    *options = 0;
    if (!last) return text;
    for (const char *flag = last + 1; flag < text + *length; flag++) {
        switch (*flag) {
        case 'i':
            *options |= PCRE2_CASELESS;
            break;
        case 'm':
            *options |= PCRE2_MULTILINE;
            break;
        case 's':
            *options |= PCRE2_DOTALL;
            break;
        case 'x':
            *options |= PCRE2_EXTENDED;
            break;
        default:
            break;
        }
    }
    *length = (size_t)(last - text - 1);
    return text + 1;
}

/* "_" and a dial pattern as Asterisk writes it: N, X and Z are digits, a dot is whatever follows. Into a buffer, cut if it does not fit. */
static const char *dial_pattern(const char *text, size_t *length, char *buffer, size_t size)
{
    size_t used = 0;
    if (*length == 0 || text[0] != '_') return text;
    buffer[used++] = '^';
    for (size_t i = 1; i < *length; i++) {
        const char one[] = { text[i], 0 };
        const char *piece = *one == 'N' ? "[2-9]" : *one == 'X' ? "[0-9]" : *one == 'Z' ? "[1-9]" : *one == '.' ? ".*" : one;
        if (used + strlen(piece) + 1 > size) break;
        memcpy(buffer + used, piece, strlen(piece));
        used += strlen(piece);
    }
    buffer[used++] = '$';
    *length = used;
    return buffer;
}

/* The kept table is dropped whole when full: patterns come from configurations, there are not many. */
static void keep(lua_State *L, int pattern)
{
    int count;
    lua_getfield(L, lua_upvalueindex(1), ".count");
    count = (int)lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    if (count > KEPT_MAX) {
        lua_newtable(L);
        lua_replace(L, lua_upvalueindex(1));
        count = 1;
    }
    lua_pushinteger(L, count);
    lua_setfield(L, lua_upvalueindex(1), ".count");
    lua_pushvalue(L, pattern);
    lua_pushvalue(L, -2);
    lua_rawset(L, lua_upvalueindex(1));
}

/* Pushes the compiled one (upvalue 1 keeps them); NULL and a message at the top if it is malformed. */
static pcre2_code *code_of(lua_State *L, int pattern)
{
    uint32_t options;
    size_t length;
    int error;
    PCRE2_SIZE at;
    lua_pushvalue(L, pattern);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_isuserdata(L, -1)) return *(pcre2_code **)lua_touserdata(L, -1);
    lua_pop(L, 1);
    char dial[DIAL_PATTERN_MAX];
    const char *text = lua_tolstring(L, pattern, &length);
    text = dial_pattern(text, &length, dial, sizeof dial);
    text = expression_split(text, &length, &options);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, length, options, &error, &at, NULL);
    if (!code) {
        PCRE2_UCHAR why[200];
        pcre2_get_error_message(error, why, sizeof why);
        lua_pushfstring(L, "bad expression '%s' at %d: %s", lua_tostring(L, pattern), (int)at, (const char *)why);
        return NULL;
    }
    pcre2_code **object = lua_newuserdata(L, sizeof(pcre2_code *));
    *object = code;
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
    keep(L, pattern);
    return code;
}

static pcre2_match_context *limits(void)
{
    static _Thread_local pcre2_match_context *context;
    if (context) return context;
    context = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(context, MATCH_LIMIT);
    pcre2_set_depth_limit(context, DEPTH_LIMIT);
    return context;
}

/* { [0] = whole, [1] …, starts = { [0] = … }, ends = { … } } (offsets from 1); a group that took no part is "". */
static void push_captures(lua_State *L, const char *subject, const PCRE2_SIZE *v, uint32_t count)
{
    lua_createtable(L, (int)count, 3);
    lua_createtable(L, (int)count, 1);
    lua_createtable(L, (int)count, 1);
    for (uint32_t i = 0; i < count; i++) {
        bool set = v[2 * i] != PCRE2_UNSET;
        lua_pushlstring(L, set ? subject + v[2 * i] : "", set ? v[2 * i + 1] - v[2 * i] : 0);
        lua_rawseti(L, -4, (int)i);
        lua_pushinteger(L, set ? (lua_Integer)v[2 * i] + 1 : 0);
        lua_rawseti(L, -3, (int)i);
        lua_pushinteger(L, set ? (lua_Integer)v[2 * i + 1] : 0);
        lua_rawseti(L, -2, (int)i);
    }
    lua_setfield(L, -3, "ends");
    lua_setfield(L, -2, "starts");
}

/* regex(pattern, subject[, from]) → captures | nil[, error text] */
static int lua_regex(lua_State *L)
{
    size_t length;
    luaL_checkstring(L, 1);
    const char *subject = luaL_checklstring(L, 2, &length);
    size_t from = (size_t)luaL_optinteger(L, 3, 1) - 1;
    pcre2_code *code = code_of(L, 1);
    uint32_t groups;
    if (!code) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (from > length) return 0;
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    int count = pcre2_match(code, (PCRE2_SPTR)subject, length, from, 0, data, limits());
    if (count > 0) {
        pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
        push_captures(L, subject, pcre2_get_ovector_pointer(data), groups + 1);
        pcre2_match_data_free(data);
        return 1;
    }
    pcre2_match_data_free(data);
    lua_pushnil(L);
    if (count == PCRE2_ERROR_NOMATCH) return 1;
    lua_pushfstring(L, "'%s' gave up: too much backtracking", lua_tostring(L, 1));
    return 2;
}

/* Appends the replacement: $1 … $9, ${12}, %1 … %9 (FreeSWITCH's), $0 the whole. */
static void add_replacement(luaL_Buffer *out, const char *with, size_t length, const char *subject, const PCRE2_SIZE *v, uint32_t count)
{
    for (size_t i = 0; i < length; i++) {
        size_t at = i + 1;
        bool brace;
        unsigned group = 0, digits = 0;
        if (with[i] != '$' && with[i] != '%') {
            luaL_addchar(out, with[i]);
            continue;
        }
        brace = at < length && with[at] == '{';
        if (brace) at++;
        while (at < length && with[at] >= '0' && with[at] <= '9' && digits < 2) group = group * 10 + (unsigned)(with[at++] - '0'), digits++;
        if (!digits || (brace && (at >= length || with[at] != '}'))) {
            luaL_addchar(out, with[i]);
            continue;
        }
        if (group < count && v[2 * group] != PCRE2_UNSET) luaL_addlstring(out, subject + v[2 * group], v[2 * group + 1] - v[2 * group]);
        i = brace ? at : at - 1;
    }
}

/* regex_replace(pattern, subject, replacement[, all]) → text, count */
static int lua_regex_replace(lua_State *L)
{
    size_t length, with_length, at = 0;
    luaL_checkstring(L, 1);
    const char *subject = luaL_checklstring(L, 2, &length), *with = luaL_checklstring(L, 3, &with_length);
    bool all = lua_toboolean(L, 4);
    int replaced = 0;
    uint32_t groups;
    luaL_Buffer out;
    pcre2_code *code = code_of(L, 1);
    if (!code) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(data);
    luaL_buffinit(L, &out);
    while (at <= length && pcre2_match(code, (PCRE2_SPTR)subject, length, at, 0, data, limits()) > 0) {
        luaL_addlstring(&out, subject + at, v[0] - at);
        add_replacement(&out, with, with_length, subject, v, groups + 1);
        at = v[1];
        replaced++;
        if (v[1] == v[0]) { /* empty: one character on */
            if (at < length) luaL_addchar(&out, subject[at]);
            at++;
        }
        if (!all) break;
    }
    pcre2_match_data_free(data);
    if (at < length) luaL_addlstring(&out, subject + at, length - at);
    luaL_pushresult(&out);
    lua_pushinteger(L, replaced);
    return 2;
}

void regex_open(lua_State *L)
{
    luaL_newmetatable(L, CLASS);
    lua_pushcfunction(L, regex_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushcclosure(L, lua_regex, 1);
    lua_setfield(L, -2, "regex");
    lua_newtable(L);
    lua_pushcclosure(L, lua_regex_replace, 1);
    lua_setfield(L, -2, "regex_replace");
}
