/* identity.c: see identity.h. */
#include "broker/identity.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "broker/headers.h"
#include "broker/state.h"

int identity_parse(const char *word)
{
    static const struct {
        const char *word;
        enum identity identity;
    } words[] = {
        { "none", IDENTITY_NONE }, { "pai", IDENTITY_PAI }, { "pid", IDENTITY_PAI }, { "rpid", IDENTITY_RPID }, { "both", IDENTITY_BOTH }
    };
    for (size_t i = 0; word && i < sizeof words / sizeof words[0]; i++)
        if (!strcasecmp(words[i].word, word)) return words[i].identity;
    return -1;
}

static const char *host_of(const struct call *call)
{
    if (*call->from_domain) return call->from_domain;
    return call->trunk ? call->trunk->domain : call->listener->advertised;
}

/* "Name" <sip:user@host> */
static void party_write(const struct call *call, const char *user, char *out, size_t size)
{
    char name[104], part[80];
    const char *host = host_of(call);
    display_clean(call->caller_name, name, sizeof name);
    uri_part_clean(user, part, sizeof part);
    bool six = *host != '[' && strchr(host, ':') != strrchr(host, ':');
    snprintf(out, size, "%s%s%s<sip:%s@%s%s%s>", *name ? "\"" : "", name, *name ? "\" " : "", part, six ? "[" : "", host, six ? "]" : "");
}

static const char *number_of(const struct call *call) { return *call->caller_number ? call->caller_number : "anonymous"; }

/* A trunk that knows us by our account has it in From, and the caller beside. */
static const char *from_user(const struct call *call)
{
    if (*call->from_user) return call->from_user;
    return call->trunk && *call->trunk->from_user ? call->trunk->from_user : number_of(call);
}

void identity_from_write(const struct call *call, char *out, size_t size)
{
    char party[BUS_URI_MAX];
    party_write(call, from_user(call), party, sizeof party);
    snprintf(out, size, "%s;tag=%s", call->privacy ? "\"Anonymous\" <sip:anonymous@anonymous.invalid>" : party, call->local_tag);
}

void identity_headers_write(const struct call *call, struct buf *out)
{
    char party[BUS_URI_MAX];
    const struct trunk *trunk = call->trunk;
    int identity = call->identity >= 0 ? call->identity : trunk ? (int)trunk->identity : IDENTITY_NONE;
    party_write(call, number_of(call), party, sizeof party);
    if (identity & IDENTITY_PAI) buf_printf(out, "P-Asserted-Identity: %s\r\n", party);
    if (identity & IDENTITY_RPID)
        buf_printf(out, "Remote-Party-ID: %s;party=calling;screen=yes;privacy=%s\r\n", party, call->privacy ? "full" : "off");
    if (call->privacy) buf_puts(out, "Privacy: id\r\n");
    if (trunk && *trunk->diversion) buf_printf(out, "Diversion: <sip:%s@%s>;reason=unconditional\r\n", trunk->diversion, host_of(call));
}
