/* dtmf.h: digits in the audio (ITU-T Q.23, Q.24), by spandsp: 8 kHz. */
#ifndef MEDIA_DTMF_H
#define MEDIA_DTMF_H

#include <stddef.h>
#include <stdint.h>

struct dtmf_in;
struct dtmf_out;

struct dtmf_in *dtmf_in_new(void);
void dtmf_in_free(struct dtmf_in *in);
/* Hears `samples` at 8 kHz; writes digits that ended to `digits` (at most `size`), returns how many. */
size_t dtmf_in_hear(struct dtmf_in *in, const int16_t *pcm, size_t samples, char *digits, size_t size);

/* One digit after the other; `on_ms` long with `off_ms` of silence behind each. */
struct dtmf_out *dtmf_out_new(void);
void dtmf_out_free(struct dtmf_out *out);
int dtmf_out_digit(struct dtmf_out *out, char digit, uint32_t on_ms, uint32_t off_ms);
/* Fills up to `samples`; 0 when the digit is over. */
size_t dtmf_out_make(struct dtmf_out *out, int16_t *pcm, size_t samples);

#endif
