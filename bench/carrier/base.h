/* The small things every file of the carrier uses: text slices, bounded text, hashing, random numbers, clocks.
 *
 * Nothing here comes from the engine: the carrier is a second, independent book, so it shares no code with what it measures.
 */
#ifndef CARRIER_BASE_H
#define CARRIER_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stays on in release builds. For broken code only: bad input is an error with a message. */
#define ENSURE(x) ((x) ? (void)0 : base_fail(#x, __FILE__, __LINE__))
_Noreturn void base_fail(const char *what, const char *file, int line);

/* A slice of somebody else's text. Not NUL-terminated; p may be NULL when n is 0. */
struct str {
	const char *p;
	size_t n;
};

bool str_is(struct str a, const char *b);
bool str_is_nocase(struct str a, const char *b);
bool str_same(struct str a, struct str b);
struct str str_of(const char *s);
struct str str_trim(struct str s);
/* A heap copy with a NUL; the caller frees it. Characters below space become spaces. */
char *str_copy(struct str s);
/* The decimal number that is the whole of s, or -1. */
int64_t str_number(struct str s);
/* Splits *rest at the first `sep`; false when *rest was empty. */
bool str_cut(struct str *rest, char sep, struct str *part);

/* Text under construction. With `fixed` the memory is the caller's and never grows: what does not fit sets `full`. */
struct text {
	char *p;
	size_t n, cap;
	bool fixed, full;
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_bytes(struct text *t, const void *p, size_t n);
void text_str(struct text *t, struct str s);
/* s as a JSON string with its quotes; bytes outside printable ASCII are escaped. NULL gives null. */
void text_json(struct text *t, const char *s);
void text_free(struct text *t);

/* Allocation that ends the program with a message when memory is exhausted. */
void *mem_new(size_t n);
void *mem_grow(void *p, size_t n);

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);
uint64_t rng_next(uint64_t *state);
/* Uniform in lo..hi, both included. */
int64_t rng_between(uint64_t *state, int64_t lo, int64_t hi);

int64_t clock_utc_us(void);
int64_t clock_mono_us(void);

#endif
