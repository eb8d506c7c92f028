/* protocol.h: what processes say to each other over lanes. Numbers are never reused.
 *
 * Each kind lists its pairs. `uuid` is the channel's; slot and generation are decimal. Times are µs UTC. A pair named h.X is
 * the SIP header X, a pair named v.X the channel variable X. Causes are FreeSWITCH names ("USER_BUSY"). */
#ifndef BUS_PROTOCOL_H
#define BUS_PROTOCOL_H

enum message_kind {
    /* --- worker → broker ------------------------------------------------------------------------------------- */

    /* Request: one outgoing SIP leg. The reply comes when its fate is known: status 0 and result=answered | early | failed.
     *   uuid            of the channel, made by the worker
     *   trunk           names in order, comma-separated ("acme,backup"); or
     *   uri             sip:user@host[:port][;transport=tcp] with profile=NAME of a listener; route = a SIP URI to send it to instead
     *   number          what to dial on the trunk (before its prefix rules)
     *   cid_number cid_name privacy   caller identity; absent = the trunk's; identity = none | pai | rpid | both: its headers
     *   timeout_ms      ringing time
     *   progress_timeout_ms
     *   early           ignore | listen | answer: 183 ignored | reported by a note | ends the request with result=early
     *   codecs          "PCMU,PCMA" in order; absent = the trunk's
     *   campaign lead   for the ledger
     *   max_s           longest duration; absent = the engine's
     *   h.X             headers for the INVITE;  to_display, from_user, from_domain, auth_user, auth_password …
     * Reply: result, slot, generation, cause, q850, sip_status, sip_phrase, sip_call_id, trunk, media_ip, media_port,
     *   remote_ip, remote_port, codec, ptime, h.X of the final response (X- headers and Reason), and for failed
     *   `refused` = the permit's reason code if no INVITE left. */
    MSG_DIAL = 1,
    /* Note: give up a DIAL that is not yet answered. uuid, cause. The DIAL is answered failed. */
    MSG_DIAL_CANCEL = 2,
    /* Note: end a call in any state. uuid, slot, generation, cause; or status (SIP code for an unanswered inbound call) and
     * phrase; contact = redirect target for 3xx; h.X = headers for BYE or response. */
    MSG_CALL_HANGUP = 3,
    /* Notes for an inbound call not yet answered. uuid, slot, generation, h.X. The broker starts media for early and answer. */
    MSG_CALL_RING = 4,   /* 180 */
    MSG_CALL_EARLY = 5,  /* 183 with SDP */
    MSG_CALL_ANSWER = 6, /* 200 */
    /* Note: uuid, slot, generation, content_type, body: INFO on the dialog. */
    MSG_CALL_INFO = 7,
    /* Request: uuid, slot, generation, to: blind REFER. Reply after NOTIFY: sip_status. */
    MSG_CALL_REFER = 8,
    /* Request: uuid, slot, generation, action = hold | unhold | codec: a re-INVITE of ours. */
    MSG_CALL_REINVITE = 9,
    /* Note: worker finished the script of a campaign call. uuid, lead, disposition (script's v.disposition or empty),
     * result = ok | script_error, digits (all that were pressed), error (first line). */
    MSG_CALL_SCRIPT_DONE = 10,
    /* Note at each worker's start: worker's slots are bound. slots, media_ok = 1. */
    MSG_WORKER_READY = 11,

    /* --- broker → worker ------------------------------------------------------------------------------------- */

    /* Note while a DIAL is pending: uuid, what = ringing | early | trying, slot, generation, sip_status, codec, media_* as in DIAL. */
    MSG_DIAL_PROGRESS = 20,
    /* Note: a leg whose DIAL ended `early` was answered now. uuid, sip_status, h.X. */
    MSG_CALL_ANSWERED = 21,
    /* Note: a campaign's call was answered: run its script. uuid, slot, generation, script (absolute path), args,
     * campaign, lead, trunk, number, cid_number, sip_call_id, media_* and codec as in DIAL, v.X = lead columns and more. */
    MSG_CALL_RUN = 22,
    /* Note: an inbound call. uuid, slot, generation, trunk or profile, script | context, from, from_user, from_display, to_user,
     * request_user, sip_call_id, network_ip, network_port, codec, media_* , h.X, and for users' calls v.X. The worker answers, rings or
     * hangs up. */
    MSG_CALL_OFFERED = 23,
    /* Note: the call is over (BYE, CANCEL, failure, our own hangup, adoption failed). uuid, slot, generation, cause, q850,
     * sip_status, by = us | them, h.X, invite_us ring_us answer_us end_us. */
    MSG_CALL_ENDED = 24,
    /* Note: INFO came. uuid, slot, generation, content_type, body. (DTMF by INFO: application/dtmf-relay, application/dtmf.) */
    MSG_CALL_INFO_IN = 25,
    /* Note: media changed by re-INVITE. uuid, slot, generation, codec, media_*, hold = 0 | 1. */
    MSG_CALL_MEDIA_CHANGED = 26,

    /* --- anybody ↔ anybody ----------------------------------------------------------------------------------- */

    /* Request to a worker: an API command as FreeSWITCH has them. command, args; from_call = uuid (optional). Of an HTTP request
     * also e.NAME (headers of the script's `env`) and body.
     * Reply: text. Control sends all commands of users here; a worker asks the broker for what is engine-wide. */
    MSG_API = 40,
    /* Request to the broker: engine-wide state and operators' commands (trunks, campaigns, counters).
     * command, a1, a2, …. Reply: text (and json=… where it says so). Commands: docs/architecture.md. */
    MSG_ENGINE = 41,
    /* Note broker → workers and back: a global variable changed. name, value (absent = unset). Replicated everywhere. */
    MSG_GLOBAL_SET = 42,
    /* Requests worker → broker: shared tables. op = insert | insert_ifempty | select | delete | delete_ifmatch | list, realm, key, value.
     * Table `hash` in memory, `db` persistent. Reply: value, found=0|1. */
    MSG_TABLE = 43,
    /* Request worker → worker: a method on a call that lives there, by a remote handle. handle (the asker's name for it), method, state,
     * args; `:open` also uuid. Reply: results | error | ask, of, data (the script is asked; it answers by the method `:answer`) | lost |
     * found. `:release` is a note. How it goes and how values are written: src/lua/fs/remote.lua. */
    MSG_CALL_METHOD = 44,
    /* Note worker ↔ worker: a lent call and its guest inform each other (src/worker/channel_guest.c). uuid, loan, do = facts | set |
     * profile | digit | event | break (home → guest), set | profile | answer | early | ring | respond | hangup | bridged (guest → home),
     * and what it needs. */
    MSG_CALL_GUEST = 45,
    /* Request control → broker: somebody changed something; for the ledger's table `audit`. id (UUIDv7), time_us, who, role, origin, what,
     * argument, result. The reply comes when it is on disk; without one control asks again, and the id makes it one row. */
    MSG_AUDIT = 46,
};

#endif
