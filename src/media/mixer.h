/* mixer.h: N parties, each hears all the others. Sums are kept in 32 bits (65,536 parties fit) and saturated once at the end, so
 * the order of parties does not matter and the vectorised mixer equals the plain one bit for bit. */
#ifndef MEDIA_MIXER_H
#define MEDIA_MIXER_H

#include <stddef.h>
#include <stdint.h>

/* sum += in */
void mix_add(int32_t *sum, const int16_t *in, size_t samples);
/* out = saturate(sum − self); self NULL = a mere listener. */
void mix_minus(int16_t *out, const int32_t *sum, const int16_t *self, size_t samples);
/* out = saturate(a + b); out may be a or b. */
void mix_two(int16_t *out, const int16_t *a, const int16_t *b, size_t samples);
/* FreeSWITCH's gain levels −4..4 (switch_change_sln_volume's steps): level n multiplies by 1.3, 2.3, 3.3, 4.3 or 0.8, 0.6, 0.4, 0.2. */
void mix_gain(int16_t *pcm, size_t samples, int level);

/* The plain reference for tests: all parties at once, written the obvious way. out[i] excludes in[i]. */
void mix_reference(int16_t *const *out, const int16_t *const *in, size_t parties, size_t samples);

#endif
