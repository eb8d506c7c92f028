/* numbers.h: what people write as telephone numbers → E.164 digits (ITU-T E.164 §6: country code and national number, 15 digits at most).
 */
#ifndef CAMPAIGN_NUMBERS_H
#define CAMPAIGN_NUMBERS_H

#define NUMBER_SIZE 16 /* 15 digits and the zero */

/* "+1 (212) 555-0123", "0044 20 7946 0123", "tel:+4930123456" → "12125550123" … without '+'. Without an international prefix ('+', 00, and
 * 011 where `country` is 1) the number is national to `country` (E.164 country code, e.g. "1", "49"; NULL or "" = none: such numbers are
 * refused); a leading 0 of it is the trunk prefix and goes (not in Italy, 39, where it belongs to the number). 0, or -EINVAL and *reason: a
 * short phrase for the bad-row report. */
int number_to_e164(const char *text, const char *country, char out[NUMBER_SIZE], const char **reason);

#endif
