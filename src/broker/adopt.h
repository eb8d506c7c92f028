/* adopt.h: the calls of a broker that died: their slots hold all that is needed. */
#ifndef BROKER_ADOPT_H
#define BROKER_ADOPT_H

#include "broker/state.h"

/* At the start, once all doors are open. Answered calls live on (audio never stopped); ringing ones get CANCEL and end as
 * interrupted; ending ones are brought to their end. */
void adopt_calls(struct broker *broker);

#endif
