/* adopt.h: the calls of a broker or a whole engine that died: their slots hold all that is needed.
 *
 *   adopt.c          a slot → a call → what becomes of it
 *   adopt_old.c      calls without a slot of ours: ended ones whose rows may be unwritten, and those of a dead engine's segment
 *   adopt_inbound.c  refusing a caller whose INVITE another broker had taken */
#ifndef BROKER_ADOPT_H
#define BROKER_ADOPT_H

#include "broker/state.h"

/* Before anything is adopted, once the slots are repaired: attempts that no slot knows become interrupted in the ledger, and their leads
 * follow the campaign's rule; those of slots are left to adopt_calls, which writes their real outcome. 0 or -errno. */
int adopt_recover(struct broker *broker);

/* At the start, once all doors are open. Answered calls live on (audio never stopped); ringing ones get CANCEL and end as
 * interrupted; ending ones are brought to their end; unanswered callers are refused. Then the dead engine's segment, if there is one: BYE,
 * CANCEL or a refusal to each of its dialogs, and it is removed. */
void adopt_calls(struct broker *broker);

#endif
