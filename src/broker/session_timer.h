/* session_timer.h: is the dialog still there? RFC 4028: one side refreshes the session in time, the other ends the call when no refresh
 * came.
 *
 *   INVITE  Session-Expires: 1800, Min-SE: 90 ──▶        if the trunk has session_timer_s; Supported: timer always
 *   422     Min-SE: 3600                      ◀──        asked again with that
 *   200     Session-Expires: 1800;refresher=uas ◀──      they refresh: silent for 1800 − 32 s, and we send BYE
 *                                 refresher=uac          we refresh at half: UPDATE where they allow it, re-INVITE otherwise
 *
 * Both ways and in each later INVITE and UPDATE anew. What was agreed stands in the slot, for the broker after this one. */
#ifndef BROKER_SESSION_TIMER_H
#define BROKER_SESSION_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/sofia.h"
#include "core/loop.h"

#define SESSION_EXPIRES_MAX_S 86400u
#define SESSION_MIN_S         90u /* RFC 4028 §4: nobody may want less */

enum session_refresher { SESSION_NOBODY, SESSION_WE, SESSION_THEY };

struct session_timer {
    uint32_t expires_s, min_s; /* agreed, 0 = none; the Min-SE of a 422 */
    enum session_refresher refresher;
    bool update;     /* their Allow has UPDATE */
    int64_t ends_ns; /* without a refresh */
    struct loop_timer timer;
};

/* Room for the headers' values. */
struct session_headers {
    char expires[48], min[16];
    bool require;
};

/* The INVITE of ours: "" where the trunk wants none. */
void session_offer_write(const struct call *call, struct session_headers *out);
/* A 422 came: true if asking again with its Min-SE makes sense. */
bool session_too_brief(struct call *call, const sip_t *sip);
/* A 2xx to our INVITE or UPDATE. */
void session_answered(struct call *call, const sip_t *sip);
/* Their INVITE or UPDATE: 0, or 422 (then `out->min` is what we want). The agreement is made; its headers go into the 2xx. */
int session_asked(struct call *call, const sip_t *sip, struct session_headers *out);
/* Our refresh was refused: once more while there is time. */
void session_refresh_failed(struct call *call);
/* Our 200 to their INVITE: what session_asked agreed, and the time begins. */
void session_accept(struct call *call, struct session_headers *out);
/* Another broker's call: the time begins anew. */
void session_resume(struct call *call);
void session_stop(struct call *call);

#endif
