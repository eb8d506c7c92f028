#include "auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "carrier.h"

#define NONCE_LIFE_US (300 * 1000000ll)

/* A nonce is its own time and a hash of it with a secret: nothing to remember, and nobody else can make one. */
static void nonce_write(struct carrier *c, uint64_t at_us, char out[64])
{
	char text[96], hash[33];

	snprintf(text, sizeof text, "%016llx:%016llx", (unsigned long long)at_us, (unsigned long long)c->secret);
	md5_hex(hash, text, strlen(text));
	snprintf(out, 64, "%012llx%s", (unsigned long long)at_us, hash);
}

void auth_challenge(struct carrier *c, struct text *out, bool stale)
{
	char nonce[64];

	nonce_write(c, (uint64_t)clock_mono_us(), nonce);
	text_add(out, "%s: Digest realm=\"%s\", nonce=\"%s\", algorithm=MD5, qop=\"auth\"%s\r\n",
		 c->options.auth_code == 407 ? "Proxy-Authenticate" : "WWW-Authenticate", c->options.realm, nonce, stale ? ", stale=true" : "");
}

/* The value of one parameter of a Digest header, quotes removed. */
static struct str digest_param(struct str v, const char *name)
{
	size_t i = 0;

	while (i < v.n && v.p[i] != ' ')
		i++;
	while (i < v.n) {
		struct str key, value;
		size_t start;

		while (i < v.n && (v.p[i] == ' ' || v.p[i] == ','))
			i++;
		for (start = i; i < v.n && v.p[i] != '=' && v.p[i] != ',';)
			i++;
		key = str_trim((struct str){v.p + start, i - start});
		if (i < v.n && v.p[i] == '=')
			i++;
		if (i < v.n && v.p[i] == '"') {
			for (start = ++i; i < v.n && v.p[i] != '"';)
				i++;
			value = (struct str){v.p + start, i - start};
			while (i < v.n && v.p[i] != ',')
				i++;
		} else {
			for (start = i; i < v.n && v.p[i] != ',';)
				i++;
			value = str_trim((struct str){v.p + start, i - start});
		}
		if (str_is_nocase(key, name))
			return value;
	}
	return (struct str){NULL, 0};
}

struct digest {
	struct str realm, nonce, uri, qop, nc, cnonce;
	const char *user, *password, *method;
};

static void digest_response(const struct digest *d, char out[33])
{
	char a1[33], a2[33];
	struct text t = {0};

	text_add(&t, "%s:%.*s:%s", d->user, (int)d->realm.n, d->realm.p, d->password);
	md5_hex(a1, t.p, t.n);
	t.n = 0;
	text_add(&t, "%s:%.*s", d->method, (int)d->uri.n, d->uri.p);
	md5_hex(a2, t.p, t.n);
	t.n = 0;
	text_add(&t, "%s:%.*s:", a1, (int)d->nonce.n, d->nonce.p);
	if (d->qop.n)
		text_add(&t, "%.*s:%.*s:%.*s:", (int)d->nc.n, d->nc.p, (int)d->cnonce.n, d->cnonce.p, (int)d->qop.n, d->qop.p);
	text_add(&t, "%s", a2);
	md5_hex(out, t.p, t.n);
	text_free(&t);
}

static bool nonce_good(struct carrier *c, struct str nonce)
{
	char copy[64], at[13], again[64];
	int64_t age;
	uint64_t at_us;

	if (nonce.n != 44)
		return false;
	memcpy(copy, nonce.p, nonce.n);
	copy[nonce.n] = 0;
	memcpy(at, copy, 12);
	at[12] = 0;
	at_us = strtoull(at, NULL, 16);
	nonce_write(c, at_us, again);
	age = clock_mono_us() - (int64_t)at_us;
	return strcmp(again, copy) == 0 && age >= 0 && age < NONCE_LIFE_US;
}

enum auth_result auth_check(struct carrier *c, const struct sip_message *m)
{
	struct str v = sip_get(m, c->options.auth_code == 407 ? HDR_PROXY_AUTHORIZATION : HDR_AUTHORIZATION);
	struct digest d = {.user = c->options.auth_user, .password = c->options.auth_password, .method = "INVITE"};
	char want[33];

	if (v.n < 7 || strncasecmp(v.p, "Digest ", 7) != 0)
		return AUTH_MISSING;
	d.realm = digest_param(v, "realm");
	d.nonce = digest_param(v, "nonce");
	d.uri = digest_param(v, "uri");
	d.qop = digest_param(v, "qop");
	d.nc = digest_param(v, "nc");
	d.cnonce = digest_param(v, "cnonce");
	if (!nonce_good(c, d.nonce))
		return AUTH_STALE;
	digest_response(&d, want);
	if (!str_is(d.realm, c->options.realm) || !str_is(digest_param(v, "username"), d.user) || !str_is_nocase(digest_param(v, "response"), want))
		return AUTH_WRONG;
	return AUTH_OK;
}

bool auth_answer(struct carrier *c, const struct sip_message *m, const char *method, const char *uri, struct text *out)
{
	bool proxy = m->status == 407;
	struct str v = sip_get(m, proxy ? HDR_PROXY_AUTHENTICATE : HDR_WWW_AUTHENTICATE);
	struct str algorithm = digest_param(v, "algorithm"), qop = digest_param(v, "qop"), opaque = digest_param(v, "opaque");
	struct digest d = {.user = c->options.auth_user, .password = c->options.auth_password, .method = method};
	char response[33], cnonce[20];

	if (!d.user || v.n < 7 || strncasecmp(v.p, "Digest ", 7) != 0 || (algorithm.n && !str_is_nocase(algorithm, "MD5")))
		return false;
	d.realm = digest_param(v, "realm");
	d.nonce = digest_param(v, "nonce");
	d.uri = str_of(uri);
	snprintf(cnonce, sizeof cnonce, "%016llx", (unsigned long long)rng_next(&c->rng));
	if (qop.n) {
		d.qop = str_of("auth");
		d.nc = str_of("00000001");
		d.cnonce = str_of(cnonce);
	}
	digest_response(&d, response);
	text_add(out, "%s: Digest username=\"%s\", realm=\"%.*s\", nonce=\"%.*s\", uri=\"%s\", response=\"%s\", algorithm=MD5",
		 proxy ? "Proxy-Authorization" : "Authorization", d.user, (int)d.realm.n, d.realm.p, (int)d.nonce.n, d.nonce.p, uri, response);
	if (qop.n)
		text_add(out, ", qop=auth, nc=00000001, cnonce=\"%s\"", cnonce);
	if (opaque.n)
		text_add(out, ", opaque=\"%.*s\"", (int)opaque.n, opaque.p);
	text_add(out, "\r\n");
	return true;
}
