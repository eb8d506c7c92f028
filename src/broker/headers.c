/* headers.c: see headers.h. */
#include "broker/headers.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "broker/reason.h"
#include "broker/state.h"
#include "core/check.h"

#define HEADERS_IN_MAX   32
#define HEADER_VALUE_MAX 1024

static bool is_token(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~");
    return n > 0 && n <= 128 && !name[n];
}

static bool is_value(const char *value)
{
    for (; *value; value++)
        if ((unsigned char)*value < 0x20 && *value != '\t') return false;
    return true;
}

/* What the signalling writes itself; a second one would break the message or the dialog. Short forms too. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = { "Via",
                                        "From",
                                        "To",
                                        "Call-ID",
                                        "CSeq",
                                        "Contact",
                                        "Content-Length",
                                        "Content-Type",
                                        "Max-Forwards",
                                        "Route",
                                        "Record-Route",
                                        "Authorization",
                                        "Proxy-Authorization",
                                        "Require",
                                        "Proxy-Require",
                                        "RSeq",
                                        "RAck",
                                        "Replaces" };
    if (!name[1]) return true;
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (!strcasecmp(ours[i], name)) return true;
    return false;
}

int headers_add(struct buf *text, const char *name, const char *value)
{
    if (!is_token(name) || is_ours(name) || !is_value(value)) return -EINVAL;
    if (text->length + strlen(name) + strlen(value) + 4 > CALL_HEADERS_MAX) return -EMSGSIZE;
    return buf_printf(text, "%s: %s\r\n", name, value);
}

static char *from(struct kv_view pairs, const char *prefix)
{
    struct buf text = BUF_INIT;
    struct kv_pair pair;
    size_t at = 0, skip = strlen(prefix);
    while (kv_next(pairs, &at, &pair))
        if (!strncmp(pair.name, prefix, skip)) headers_add(&text, pair.name + skip, pair.value);
    if (text.length) return buf_take(&text);
    buf_free(&text);
    return NULL;
}

char *headers_from_pairs(struct kv_view pairs) { return from(pairs, "h."); }

char *headers_from_list(struct kv_view pairs) { return from(pairs, ""); }

static void reason_pair(struct kv *pairs, const sip_t *sip)
{
    char text[HEADER_VALUE_MAX];
    if (!sip->sip_reason) return;
    issize_t n = sip_header_field_e(text, sizeof text, (sip_header_t const *)sip->sip_reason, 0);
    if (n > 0 && (size_t)n < sizeof text) kv_add(pairs, "h.Reason", text);
}

void headers_to_pairs(struct kv *pairs, const sip_t *sip)
{
    unsigned count = 0;
    if (!sip) return;
    for (const sip_unknown_t *u = sip->sip_unknown; u && count < HEADERS_IN_MAX; u = u->un_next) {
        if (!u->un_name || !u->un_value || strncasecmp(u->un_name, "X-", 2)) continue;
        if (!is_token(u->un_name) || strlen(u->un_value) > HEADER_VALUE_MAX) continue;
        char name[136];
        snprintf(name, sizeof name, "h.%s", u->un_name);
        kv_add(pairs, name, u->un_value);
        count++;
    }
    reason_pair(pairs, sip);
}

bool headers_reason(const sip_t *sip, int *cause)
{
    char text[512];
    for (const sip_reason_t *r = sip ? sip->sip_reason : NULL; r; r = r->re_next) {
        issize_t n = sip_header_field_e(text, sizeof text, (sip_header_t const *)r, 0);
        if (n > 0 && (size_t)n < sizeof text && cause_from_reason(text, cause)) return true;
    }
    return false;
}

void display_clean(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; name && *name && n + 1 < size; name++)
        if ((unsigned char)*name >= 0x20 && *name != '"' && *name != '\\') out[n++] = *name;
    out[n] = 0;
}

void uri_part_clean(const char *value, char *out, size_t size)
{
    size_t n = 0;
    for (; value && *value && n + 1 < size; value++)
        if (isalnum((unsigned char)*value) || strchr("-_.!~*'()&=+$,;?/%#[]:", *value)) out[n++] = *value;
    out[n] = 0;
}
