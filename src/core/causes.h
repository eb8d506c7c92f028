/* causes.h: hangup causes: Q.850's numbers and FreeSWITCH's beyond 127, with their names and both SIP mappings. */
#ifndef CORE_CAUSES_H
#define CORE_CAUSES_H

#define CAUSE_NORMAL_CLEARING 16
#define CAUSE_SUCCESS         142
#define CAUSE_MEDIA_TIMEOUT   804

/* Names in any case; a leading digit is taken as the number; an unknown name is NORMAL_CLEARING (16). */
int cause_number(const char *name);
/* "UNKNOWN" for a number that has no name. */
const char *cause_name(int number);
/* 0 if there is no such name. */
int cause_number_exact(const char *name);
/* The final response that refuses an unanswered inbound INVITE with this cause (RFC 3398 §8.2.6.1 as FreeSWITCH has it). */
int cause_to_sip(int number);
/* The cause of a final response ≥ 300 to our INVITE, without a Reason header. */
int cause_from_sip(int status);

#endif
