/* curl.c: core.job("curl", request): one HTTP transfer on a helper thread.
 *
 * request: url, method, body, headers (list of "Name: value"), timeout_s, connect_timeout_s, insecure, follow (redirects), user
 * (name:password), proxy, max_bytes. Result: { code, body, headers, error, url }. */
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "lua/job.h"

#define BODY_MAX (64u << 20)

struct transfer {
    char *url, *method, *user, *proxy, *body;
    size_t body_length, max_bytes;
    struct curl_slist *headers;
    long timeout_ms, connect_timeout_ms;
    bool insecure, follow;
    struct buf out_headers;
    long code;
    char error[CURL_ERROR_SIZE], *effective_url;
};

static void transfer_free(struct lua_job *job)
{
    struct transfer *t = job->own;
    curl_slist_free_all(t->headers);
    free(t->url);
    free(t->method);
    free(t->user);
    free(t->proxy);
    free(t->body);
    free(t->effective_url);
    buf_free(&t->out_headers);
    free(t);
}

static size_t body_came(char *data, size_t size, size_t count, void *context)
{
    struct lua_job *job = context;
    struct transfer *t = job->own;
    if (job->text.length + size * count > t->max_bytes) return 0;
    return buf_put(&job->text, data, size * count) ? 0 : size * count;
}

static size_t header_came(char *data, size_t size, size_t count, void *context)
{
    struct transfer *t = context;
    return t->out_headers.length > 256 * 1024 || buf_put(&t->out_headers, data, size * count) ? 0 : size * count;
}

static void global_begin(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static void options_set(CURL *curl, struct lua_job *job, struct transfer *t)
{
    curl_easy_setopt(curl, CURLOPT_URL, t->url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_came);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, job);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_came);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, t->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, t->connect_timeout_ms);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, t->follow ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "carillon");
    if (t->headers) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, t->headers);
    if (t->user) {
        curl_easy_setopt(curl, CURLOPT_USERPWD, t->user);
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_ANY);
    }
    if (t->proxy) curl_easy_setopt(curl, CURLOPT_PROXY, t->proxy);
    if (t->insecure) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (t->body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_length);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, t->body);
    }
    if (!strcmp(t->method, "HEAD"))
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (strcmp(t->method, t->body ? "POST" : "GET") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, t->method);
}

static void transfer_run(struct lua_job *job)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct transfer *t = job->own;
    CURL *curl;
    CURLcode code;
    char *url = NULL;
    pthread_once(&once, global_begin);
    curl = curl_easy_init();
    if (!curl) {
        strcpy(t->error, "cannot start libcurl");
        return;
    }
    options_set(curl, job, t);
    code = curl_easy_perform(curl);
    if (code != CURLE_OK && !t->error[0]) snprintf(t->error, sizeof t->error, "%s", curl_easy_strerror(code));
    if (code == CURLE_OK) t->error[0] = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &t->code);
    curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
    if (url) t->effective_url = strdup(url);
    curl_easy_cleanup(curl);
}

static void transfer_push(struct lua_job *job, lua_State *L)
{
    struct transfer *t = job->own;
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, t->code);
    lua_setfield(L, -2, "code");
    lua_pushlstring(L, buf_text(&job->text), job->text.length);
    lua_setfield(L, -2, "body");
    lua_pushlstring(L, buf_text(&t->out_headers), t->out_headers.length);
    lua_setfield(L, -2, "headers");
    lua_pushstring(L, t->effective_url);
    lua_setfield(L, -2, "url");
    if (t->error[0]) {
        lua_pushstring(L, t->error);
        lua_setfield(L, -2, "error");
    }
}

static char *text_take(lua_State *L, const char *name, const char *otherwise)
{
    char *copy = NULL;
    lua_getfield(L, 1, name);
    const char *text = lua_tostring(L, -1);
    if (!text) text = otherwise;
    if (text) copy = strdup(text);
    lua_pop(L, 1);
    return copy;
}

static double number_take(lua_State *L, const char *name, double otherwise)
{
    lua_getfield(L, 1, name);
    double n = lua_isnumber(L, -1) ? lua_tonumber(L, -1) : otherwise;
    lua_pop(L, 1);
    return n;
}

static bool flag_take(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    bool yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

static void body_take(lua_State *L, struct transfer *t)
{
    size_t length;
    lua_getfield(L, 1, "body");
    const char *body = lua_tolstring(L, -1, &length);
    if (body) {
        t->body = malloc(length + 1);
        CHECK(t->body);
        memcpy(t->body, body, length + 1);
        t->body_length = length;
    }
    lua_pop(L, 1);
}

static void headers_take(lua_State *L, struct transfer *t)
{
    lua_getfield(L, 1, "headers");
    for (int i = 1; lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        const char *line = lua_tostring(L, -1);
        if (line) t->headers = curl_slist_append(t->headers, line);
        lua_pop(L, 1);
        if (!line) break;
    }
    lua_pop(L, 1);
}

static int lua_curl(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "url");
    luaL_argcheck(L, lua_isstring(L, -1), 1, "url is missing");
    lua_settop(L, 1);
    struct transfer *t = calloc(1, sizeof *t);
    struct lua_job *job = lua_job_new();
    CHECK(t);
    job->own = t;
    job->run = transfer_run;
    job->push = transfer_push;
    job->clean = transfer_free;
    t->url = text_take(L, "url", NULL);
    body_take(L, t);
    t->method = text_take(L, "method", t->body ? "POST" : "GET");
    t->user = text_take(L, "user", NULL);
    t->proxy = text_take(L, "proxy", NULL);
    t->timeout_ms = (long)(number_take(L, "timeout_s", 60) * 1000);
    t->connect_timeout_ms = (long)(number_take(L, "connect_timeout_s", 10) * 1000);
    t->max_bytes = (size_t)number_take(L, "max_bytes", BODY_MAX);
    t->insecure = flag_take(L, "insecure");
    t->follow = flag_take(L, "follow");
    headers_take(L, t);
    return lua_job_start(L, job);
}

void curl_open(lua_State *L)
{
    lua_pushcfunction(L, lua_curl);
    lua_setfield(L, -2, "curl");
}
