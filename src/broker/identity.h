/* identity.h: who calls: From, P-Asserted-Identity (RFC 3325), Remote-Party-ID, Privacy (RFC 3323), Diversion (RFC 5806), as the
 * trunk wants it. */
#ifndef BROKER_IDENTITY_H
#define BROKER_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

struct call;
struct buf;

enum identity { IDENTITY_NONE = 0, IDENTITY_PAI = 1, IDENTITY_RPID = 2, IDENTITY_BOTH = 3 };

/* "none", "pai" ("pid" as FreeSWITCH says), "rpid", "both"; -1 = another word. */
int identity_parse(const char *word);
/* The From header's value with the call's tag. */
void identity_from_write(const struct call *call, char *out, size_t size);
/* The other headers, each with its line break; none if the trunk wants none. */
void identity_headers_write(const struct call *call, struct buf *out);

#endif
