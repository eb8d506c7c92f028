#include "base.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

_Noreturn void base_fail(const char *what, const char *file, int line)
{
	fprintf(stderr, "carillon-carrier: broken code: %s (%s:%d)\n", what, file, line);
	abort();
}

bool str_is(struct str a, const char *b)
{
	size_t n = strlen(b);

	return a.n == n && memcmp(a.p ? a.p : "", b, n) == 0;
}

bool str_is_nocase(struct str a, const char *b)
{
	return a.n == strlen(b) && strncasecmp(a.p ? a.p : "", b, a.n) == 0;
}

bool str_same(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

struct str str_of(const char *s)
{
	return (struct str){s, s ? strlen(s) : 0};
}

struct str str_trim(struct str s)
{
	while (s.n && isspace((unsigned char)s.p[0]))
		s.p++, s.n--;
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

char *str_copy(struct str s)
{
	char *p = mem_new(s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i];
	return p;
}

int64_t str_number(struct str s)
{
	int64_t v = 0;

	if (s.n == 0 || s.n > 17)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		v = v * 10 + (s.p[i] - '0');
	}
	return v;
}

bool str_cut(struct str *rest, char sep, struct str *part)
{
	const char *at;

	if (rest->n == 0)
		return false;
	at = memchr(rest->p, sep, rest->n);
	if (!at) {
		*part = *rest;
		*rest = (struct str){NULL, 0};
		return true;
	}
	*part = (struct str){rest->p, (size_t)(at - rest->p)};
	rest->n -= part->n + 1;
	rest->p = at + 1;
	return true;
}

/* Makes room for n more bytes and a NUL. */
static bool text_room(struct text *t, size_t n)
{
	size_t cap;

	if (t->n + n + 1 <= t->cap)
		return true;
	if (t->fixed) {
		t->full = true;
		return false;
	}
	for (cap = t->cap ? t->cap : 512; cap < t->n + n + 1;)
		cap *= 2;
	t->p = mem_grow(t->p, cap);
	t->cap = cap;
	return true;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap, again;
	size_t left = t->cap > t->n ? t->cap - t->n : 0;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(left ? t->p + t->n : NULL, left, fmt, ap);
	va_end(ap);
	ENSURE(n >= 0);
	if ((size_t)n >= left) {
		if (text_room(t, (size_t)n))
			vsnprintf(t->p + t->n, (size_t)n + 1, fmt, again);
		else
			n = 0;
	}
	va_end(again);
	t->n += (size_t)n;
}

void text_bytes(struct text *t, const void *p, size_t n)
{
	if (n == 0 || !text_room(t, n))
		return;
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = 0;
}

void text_str(struct text *t, struct str s)
{
	text_bytes(t, s.p, s.n);
}

void text_json(struct text *t, const char *s)
{
	if (!s) {
		text_bytes(t, "null", 4);
		return;
	}
	text_bytes(t, "\"", 1);
	for (; *s; s++) {
		unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			text_add(t, "\\%c", ch);
		else if (ch < ' ' || ch > '~')
			text_add(t, "\\u%04x", ch);
		else
			text_bytes(t, s, 1);
	}
	text_bytes(t, "\"", 1);
}

void text_free(struct text *t)
{
	if (!t->fixed)
		free(t->p);
	*t = (struct text){0};
}

void *mem_new(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	if (!p) {
		fprintf(stderr, "carillon-carrier: out of memory (%zu bytes wanted); use --max-calls to hold fewer calls\n", n);
		exit(1);
	}
	return p;
}

void *mem_grow(void *p, size_t n)
{
	p = realloc(p, n);
	if (!p) {
		fprintf(stderr, "carillon-carrier: out of memory (%zu bytes wanted); use --max-calls to hold fewer calls\n", n);
		exit(1);
	}
	return p;
}

/* FNV-1a, finished with splitmix64's mixer so that near-equal numbers draw unrelated behaviours. */
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed)
{
	const unsigned char *b = p;
	uint64_t h = 1469598103934665603ull ^ (seed * 0x9e3779b97f4a7c15ull);

	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 1099511628211ull;
	return rng_next(&h);
}

uint64_t rng_next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

int64_t rng_between(uint64_t *state, int64_t lo, int64_t hi)
{
	uint64_t r = rng_next(state);

	return hi <= lo ? lo : lo + (int64_t)(r % (uint64_t)(hi - lo + 1));
}

static int64_t clock_read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_utc_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}
