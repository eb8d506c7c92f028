/* xml.c: core.xml: a document as Lua tables, with the line of each element, so that a wrong dialplan is found by file:line. */
#include <errno.h>
#include <expat.h>
#include <stdio.h>
#include <string.h>

#include "core/buf.h"
#include "lua/private.h"

#define DEPTH_MAX 200
#define BYTES_MAX (64u << 20)

struct reading {
    lua_State *L;
    XML_Parser parser;
    const char *file; /* NULL for text */
    int depth;
    bool too_deep;
    struct buf text[DEPTH_MAX]; /* character data of each open element */
};

static void text_put(struct reading *r, const char *data, int length)
{
    if (r->depth > 0 && !r->too_deep) buf_put(&r->text[r->depth - 1], data, (size_t)length);
}

/* The stack holds the open elements, the innermost at the top. */
static void element_begin(void *context, const char *name, const char **attributes)
{
    struct reading *r = context;
    lua_State *L = r->L;
    if (r->depth >= DEPTH_MAX || !lua_checkstack(L, 8)) {
        r->too_deep = true;
        XML_StopParser(r->parser, XML_FALSE);
        return;
    }
    lua_createtable(L, 0, 6);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "tag");
    lua_newtable(L); /* values by name */
    lua_newtable(L); /* names in their order */
    for (int i = 0; attributes[i]; i += 2) {
        lua_pushstring(L, attributes[i + 1]);
        lua_setfield(L, -3, attributes[i]);
        lua_pushstring(L, attributes[i]);
        lua_rawseti(L, -2, i / 2 + 1);
    }
    lua_setfield(L, -3, "names");
    lua_setfield(L, -2, "attr");
    lua_pushinteger(L, (lua_Integer)XML_GetCurrentLineNumber(r->parser));
    lua_setfield(L, -2, "line");
    if (r->file) {
        lua_pushstring(L, r->file);
        lua_setfield(L, -2, "file");
    }
    buf_clear(&r->text[r->depth++]);
}

static void element_end(void *context, const char *name)
{
    struct reading *r = context;
    lua_State *L = r->L;
    struct buf *text = &r->text[--r->depth];
    lua_pushlstring(L, buf_text(text), text->length);
    lua_setfield(L, -2, "text");
    if (r->depth == 0) return; /* the root stays */
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

static void characters(void *context, const char *data, int length) { text_put(context, data, length); }

/* Entities of a document's own are refused: they are how a small file becomes a large one. */
static void entity_declared(void *context, const char *name, int parameter, const char *value, int length, const char *base,
                            const char *system_id, const char *public_id, const char *notation)
{
    struct reading *r = context;
    XML_StopParser(r->parser, XML_FALSE);
}

static void reading_free(struct reading *r)
{
    for (int i = 0; i < DEPTH_MAX; i++) buf_free(&r->text[i]);
    XML_ParserFree(r->parser);
}

static int parse(lua_State *L, const char *data, size_t length, const char *file)
{
    struct reading r = { .L = L, .parser = XML_ParserCreate(NULL), .file = file };
    int top = lua_gettop(L);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, element_begin, element_end);
    XML_SetCharacterDataHandler(r.parser, characters);
    XML_SetEntityDeclHandler(r.parser, entity_declared);
    if (XML_Parse(r.parser, data, (int)length, 1) == XML_STATUS_OK) {
        reading_free(&r);
        return 1;
    }
    lua_settop(L, top);
    enum XML_Error code = XML_GetErrorCode(r.parser);
    lua_pushnil(L);
    lua_pushfstring(L, "%s:%d: %s", file ? file : "text", (int)XML_GetCurrentLineNumber(r.parser),
                    r.too_deep                  ? "elements are nested too deep"
                    : code == XML_ERROR_ABORTED ? "entities cannot be declared here"
                                                : XML_ErrorString(code));
    reading_free(&r);
    return 2;
}

static int parse_file(lua_State *L, const char *path)
{
    struct buf text = BUF_INIT;
    char part[16384];
    size_t n;
    int results;
    FILE *file = fopen(path, "re");
    if (!file) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s:0: %s", path, strerror(errno));
        return 2;
    }
    while (text.length < BYTES_MAX && (n = fread(part, 1, sizeof part, file)) > 0) buf_put(&text, part, n);
    fclose(file);
    results = parse(L, buf_text(&text), text.length, path);
    buf_free(&text);
    return results;
}

/* xml(text | file[, name]): what begins with < (after blanks) is text; `name` stands for the file in messages then. */
static int lua_xml(lua_State *L)
{
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length), *name = luaL_optstring(L, 2, NULL);
    size_t blank = strspn(text, " \t\r\n");
    struct engine *engine = engine_of(L);
    struct meter *charged = engine->charged;
    int results;
    engine->charged = &engine->meter; /* no script's limit is to raise an error through expat */
    if (text[blank] == '<' || blank == length)
        results = parse(L, text + blank, length - blank, name);
    else if (!strncmp(text, "\xEF\xBB\xBF<", 4))
        results = parse(L, text + 3, length - 3, name);
    else
        results = parse_file(L, text);
    engine->charged = charged;
    return results;
}

void xml_open(lua_State *L)
{
    lua_pushcfunction(L, lua_xml);
    lua_setfield(L, -2, "xml");
}
