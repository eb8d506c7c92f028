/* media.h: the broker's end of the media rings: start, update and stop a call's RTP; its totals come back. */
#ifndef BROKER_MEDIA_H
#define BROKER_MEDIA_H

#include "broker/state.h"

/* Media agreed (call->media): MEDIA_START, or MEDIA_UPDATE if it runs already. */
void media_run(struct call *call);
/* MEDIA_STOP if it runs; the slot is freed by RELEASED. A call without media frees its slot at once. */
void call_media_stop(struct call *call);
/* Takes what the workers' media threads said (a source of the post office). */
void media_poll(void *broker);
/* Which media addresses suit a call by that trunk (NULL: its listener): the trunk's own, else those of its listener's family, else all. */
uint32_t media_mask(const struct call *call, const struct trunk *trunk);
/* Our RTP address for the call's slot. */
void media_local(struct call *call, const char **address, uint16_t *port);

#endif
