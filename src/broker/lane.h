/* lane.h: what the broker and the workers say to each other about calls (bus/protocol.h). */
#ifndef BROKER_LANE_H
#define BROKER_LANE_H

#include "broker/state.h"

/* The post office's handlers. */
void lane_message(void *broker, const struct post_message *message);
void lane_process_changed(void *broker, uint32_t process, bool alive);
/* At the broker's start: workers that serve already. */
void lane_workers_look(struct broker *broker);

void lane_tell_progress(struct call *call, const char *what, int status);
/* Early media runs: a note, or the DIAL's end where it asked for that. */
void lane_tell_early(struct call *call, int status, const sip_t *sip);
/* Answered: the DIAL's reply, CALL_ANSWERED after early media, or CALL_RUN for a campaign's call. */
void lane_tell_answered(struct call *call, const sip_t *sip);
void lane_tell_end(struct call *call, const sip_t *sip);
/* user: what the directory says of the caller, as in user_auth.h; empty if it is none of its users. */
void lane_tell_offered(struct call *call, const sip_t *sip, const char *script, const char *context, struct kv_view user);
void lane_tell_info(struct call *call, const char *content_type, const char *body, size_t length);
void lane_tell_media_changed(struct call *call);
/* Answers a REINVITE's or REFER's request, if one waits. */
void lane_reply_status(struct call *call, int status);

/* lane_dial.c */
void lane_dial(struct broker *broker, const struct post_message *message);
/* engine_commands.c */
void engine_command_answer(struct broker *broker, const struct post_message *message);

#endif
