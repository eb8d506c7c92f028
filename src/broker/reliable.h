/* reliable.h: provisional responses that must arrive: RFC 3262, both roles.
 *
 *   INVITE   Supported: 100rel  ──▶                 trunk.reliable = "supported" | "required"
 *   183      RSeq: 7, Require: 100rel ◀──           each early dialog (To tag) counts for itself; a gap waits for its retransmission,
 *   PRACK    RAck: 7 1 INVITE   ──▶                 a repeated one is passed over: our PRACK is on its way
 *
 * Of an early dialog also the media is kept that its responses agreed on, since the 200 of that dialog may say nothing of it. */
#ifndef BROKER_RELIABLE_H
#define BROKER_RELIABLE_H

#include <stdbool.h>

#include "broker/sofia.h"
#include "bus/limits.h"
#include "bus/slot.h"

#define EARLY_DIALOGS_MAX 8

enum reliable { RELIABLE_OFF, RELIABLE_SUPPORTED, RELIABLE_REQUIRED };

struct early_dialog {
    char tag[BUS_TAG_MAX];
    uint32_t rseq; /* the last one taken, 0 = none */
    bool agreed;   /* `media` is what its responses said */
    struct slot_media media;
};
struct early_dialogs {
    struct early_dialog *list; /* grows with each; most calls have one or none */
    unsigned count;
};

enum reliable reliable_parse(const char *word);
/* A provisional response to our INVITE: acknowledged if it wants to be. False: one that came before, or out of turn; nothing more is done
 * with it. */
bool reliable_take(struct call *call, const sip_t *sip);
/* The early dialog of a response, good until the next one is asked for; NULL without a tag, or beyond EARLY_DIALOGS_MAX. */
struct early_dialog *early_dialog_of(struct call *call, const sip_t *sip);
/* Their UPDATE or PRACK agreed to something else before the answer. */
void early_dialog_changed(struct call *call, const char *tag, const struct slot_media *media);
void early_dialogs_free(struct call *call);

/* Their INVITE asks for it, or may have it. */
bool reliable_wanted(const struct call *call, const sip_t *invite);

#endif
