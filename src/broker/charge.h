/* charge.h: what one call costs: told to the day's sum when it is answered and when it ends, and written into its row. */
#ifndef BROKER_CHARGE_H
#define BROKER_CHARGE_H

#include "broker/state.h"

/* It is answered (also: adopted while it talks). Nothing happens where no rate is known. */
void charge_begin(struct call *call);
/* It has ended: its cost in millionths; 0 = nothing, or nobody knows. Once per call. */
int64_t charge_end(struct call *call);

#endif
