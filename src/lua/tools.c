/* tools.c: small things that Lua has not: causes, uuids, MD5, URLs, time with a zone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/causes.h"
#include "core/uuid.h"
#include "lua/md5.h"
#include "lua/private.h"

static int lua_cause_number(lua_State *L)
{
    lua_pushinteger(L, cause_number(luaL_checkstring(L, 1)));
    return 1;
}

static int lua_cause_name(lua_State *L)
{
    lua_pushstring(L, cause_name((int)luaL_checkinteger(L, 1)));
    return 1;
}

static int lua_uuid(lua_State *L)
{
    struct uuid id = uuid_make_v4();
    char text[UUID_TEXT_SIZE];
    lua_pushstring(L, uuid_text(&id, text));
    return 1;
}

static int lua_md5(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    char hex[33];
    md5_hex(text, length, hex);
    lua_pushlstring(L, hex, 32);
    return 1;
}

/* --- URLs, as FreeSWITCH's switch_url_encode and switch_url_decode ----------------------------------------------------- */

/* What is escaped: control characters, space, bytes above 126, and its list of unsafe ones. */
static bool url_unsafe(unsigned char c) { return c <= ' ' || c > '~' || strchr("\r\n #%&+:;<=>?@[\\]^`{|}\"", c); }

static bool is_escape(const char *at, const char *end)
{
    return end - at > 2 && at[0] == '%' && strchr("0123456789abcdefABCDEF", at[1]) && strchr("0123456789abcdefABCDEF", at[2]);
}

/* url_encode(text[, double]): an escape that is one already stays, unless double is true. */
static int lua_url_encode(lua_State *L)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length), *end = text + length;
    bool twice = lua_toboolean(L, 2);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (; text < end; text++) {
        unsigned char c = (unsigned char)*text;
        if (!url_unsafe(c) || (!twice && is_escape(text, end))) {
            luaL_addchar(&out, (char)c);
        } else {
            luaL_addchar(&out, '%');
            luaL_addchar(&out, hex[c >> 4]);
            luaL_addchar(&out, hex[c & 15]);
        }
    }
    luaL_pushresult(&out);
    return 1;
}

static int hex_value(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

static int lua_url_decode(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length), *end = text + length;
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    while (text < end) {
        if (is_escape(text, end)) {
            luaL_addchar(&out, (char)(hex_value(text[1]) * 16 + hex_value(text[2])));
            text += 3;
        } else {
            luaL_addchar(&out, *text++);
        }
    }
    luaL_pushresult(&out);
    return 1;
}

/* --- time ---------------------------------------------------------------------------------------------------------------- */

/* The zone for the process is set and set back: the script thread alone formats local time with a zone of somebody's choice, and
 * localtime_r of other threads does not read TZ again. */
static void zone_set(const char *zone)
{
    if (zone)
        setenv("TZ", zone, 1);
    else
        unsetenv("TZ");
    tzset();
}

static size_t format_in_zone(char *out, size_t size, const char *format, time_t at, const char *zone)
{
    struct tm tm;
    size_t n;
    const char *before = getenv("TZ");
    char *kept = before ? strdup(before) : NULL;
    if (zone) zone_set(zone);
    localtime_r(&at, &tm);
    n = strftime(out, size, format, &tm);
    if (zone) zone_set(kept);
    free(kept);
    return n;
}

static bool zone_known(const char *zone)
{
    char path[256];
    if (!strcmp(zone, "UTC") || !strcmp(zone, "GMT")) return true;
    if (strstr(zone, "..") || zone[0] == '/' || strlen(zone) > 100) return false;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", zone);
    if (access(path, R_OK) == 0) return true;
    return strpbrk(zone, "0123456789") != NULL; /* POSIX: EST5EDT, <+03>-3 */
}

/* strftime(format, epoch_s[, zone]) → text; nil for an unknown zone. */
static int lua_strftime(lua_State *L)
{
    const char *format = luaL_checkstring(L, 1), *zone = luaL_optstring(L, 3, NULL);
    time_t at = lua_isnoneornil(L, 2) ? time(NULL) : (time_t)luaL_checknumber(L, 2);
    char out[1024];
    if (zone && !*zone) zone = NULL;
    if (zone && !zone_known(zone)) return 0;
    lua_pushlstring(L, out, format_in_zone(out, sizeof out, format, at, zone));
    return 1;
}

void tools_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "cause_number", lua_cause_number }, { "cause_name", lua_cause_name }, { "uuid", lua_uuid },         { "md5", lua_md5 },
        { "url_encode", lua_url_encode },     { "url_decode", lua_url_decode }, { "strftime", lua_strftime }, { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
}
