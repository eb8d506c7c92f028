#include "media/tone.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tone_state {
    struct tone *out;
    size_t size, samples_max;
    uint32_t rate;
    double volume, fade_step_db;
    int fade; /* −1 out, 1 in, 0 none */
    uint32_t fade_samples, digit_samples, wait_samples;
    int repeat;       /* l= */
    int script_loops; /* L= */
    int error;
};

struct tone_spec {
    double hz[TONE_FREQUENCIES_MAX];
    unsigned count;
    uint32_t on, off; /* samples */
};

int tone_dtmf(char digit, double *low, double *high)
{
    static const char keys[] = "123A456B789C*0#D";
    static const double rows[] = { 697, 770, 852, 941 }, columns[] = { 1209, 1336, 1477, 1633 };
    const char *at = digit ? strchr(keys, toupper((unsigned char)digit)) : NULL;
    if (!at) return -EINVAL;
    *low = rows[(at - keys) / 4];
    *high = columns[(at - keys) % 4];
    return 0;
}

double tone_amplitude(double db) { return pow(10.0, (db - 6.16) / 20.0) * 32767.0 * M_SQRT2; }

static int tone_room(struct tone_state *s, size_t more)
{
    size_t need = s->out->samples + more;
    if (need > s->samples_max) return -E2BIG;
    if (need <= s->size) return 0;
    size_t size = need * 2 < 4096 ? 4096 : need * 2;
    int16_t *pcm = realloc(s->out->pcm, size * sizeof *pcm);
    if (!pcm) return -ENOMEM;
    s->out->pcm = pcm;
    s->size = size;
    return 0;
}

/* sin() per sample: a helper thread renders a tone once per codec, so exactness is worth more than speed. */
static void tone_sound(struct tone_state *s, const struct tone_spec *spec)
{
    double volume = s->volume, amplitude = tone_amplitude(volume) / spec->count;
    uint32_t held = 0;
    int16_t *at = s->out->pcm + s->out->samples;
    for (uint32_t i = 0; i < spec->on; i++) {
        if (s->fade && ++held >= s->fade_samples) {
            double next = volume + s->fade * s->fade_step_db;
            if (next <= 0 && next >= -63) {
                volume = next;
                amplitude = tone_amplitude(volume) / spec->count;
                held = 0;
            }
        }
        double sum = 0;
        for (unsigned f = 0; f < spec->count; f++) sum += sin(2 * M_PI * spec->hz[f] * i / s->rate);
        double value = sum * amplitude;
        at[i] = (int16_t)lrint(value > 32767 ? 32767 : value < -32768 ? -32768 : value);
    }
    memset(at + spec->on, 0, spec->off * sizeof *at);
    s->out->samples += (size_t)spec->on + spec->off;
}

static void tone_play(struct tone_state *s, const struct tone_spec *spec)
{
    if (s->repeat < 0) { /* l=-1: for ever */
        s->out->loops = -1;
        s->repeat = 0;
    }
    if (!spec->on && !spec->off) return;
    do {
        s->error = tone_room(s, (size_t)spec->on + spec->off);
        if (s->error) return;
        tone_sound(s, spec);
        if (s->repeat > 0) s->repeat--;
    } while (s->repeat);
}

static uint32_t tone_ms(const struct tone_state *s, double ms)
{
    if (!(ms > 0)) return 0;
    return ms > TONE_SECONDS_MAX * 1000.0 ? TONE_SECONDS_MAX * s->rate + 1 : (uint32_t)(ms * s->rate / 1000);
}

/* "(on,off[,f…])": returns behind the bracket, NULL on bad syntax. */
static const char *tone_brackets(struct tone_state *s, const char *at, struct tone_spec *spec)
{
    unsigned n = 0;
    for (at++; *at; at++) {
        char *end;
        double value = strtod(at, &end);
        if (end == at || !isfinite(value)) return NULL;
        if (n == 0)
            spec->on = tone_ms(s, value);
        else if (n == 1)
            spec->off = tone_ms(s, value);
        else if (spec->count < TONE_FREQUENCIES_MAX && value > 0)
            spec->hz[spec->count++] = value;
        n++;
        while (isspace((unsigned char)*end)) end++;
        at = end;
        if (*at == ')') return n >= 2 ? at + 1 : NULL;
        if (*at != ',') return NULL;
    }
    return NULL;
}

static const char *tone_one(struct tone_state *s, const char *at)
{
    struct tone_spec spec = { .on = s->digit_samples, .off = s->wait_samples };
    char key = *at++;
    if (key != '%' && !islower((unsigned char)key) && tone_dtmf(key, &spec.hz[0], &spec.hz[1]) == 0) spec.count = 2;
    if (*at == '(') {
        unsigned pair = spec.count;
        at = tone_brackets(s, at, &spec);
        if (!at || (key != '%' && spec.count != pair)) return NULL;
    } else if (key == '%') {
        return NULL;
    }
    if (spec.count) tone_play(s, &spec);
    return at;
}

static void tone_set(struct tone_state *s, char what, const char *value)
{
    double number = strtod(value, NULL);
    switch (what) {
    case 'v':
        if (number <= 0 && number >= -63) s->volume = number;
        break;
    case 'd':
        s->digit_samples = tone_ms(s, number);
        break;
    case 'w':
        s->wait_samples = tone_ms(s, number);
        break;
    case 'l':
        s->repeat = number > 1e6 ? 1000000 : (int)number;
        break;
    case 'L':
        if (!s->script_loops && number > 0) s->script_loops = number > 1e6 ? 1000000 : (int)number;
        break;
    case '>':
    case '<':
        s->fade = what == '>' ? -1 : 1;
        s->fade_samples = tone_ms(s, number);
        break;
    case '+':
        s->fade_step_db = number > 0 && number <= 63 ? number : 1;
        break;
    default:
        break; /* c=, r= and what later versions may bring */
    }
}

static int tone_statement(struct tone_state *s, const char *at, const char *end)
{
    if (end - at > 6 && !strncmp(at, "loops=", 6)) {
        s->out->loops = atoi(at + 6);
        return 0;
    }
    if (end - at >= 2 && at[1] == '=') {
        tone_set(s, at[0], at + 2);
        return 0;
    }
    while (at < end && !s->error) {
        if (isspace((unsigned char)*at)) {
            at++;
            continue;
        }
        at = tone_one(s, at);
        if (!at) return -EINVAL;
    }
    return s->error;
}

static int tone_pass(struct tone_state *s, const char *script)
{
    for (const char *at = script; *at;) {
        while (isspace((unsigned char)*at) || *at == ';') at++;
        const char *end = strchrnul(at, ';');
        int result = tone_statement(s, at, end);
        if (result) return result;
        at = end;
    }
    return 0;
}

int tone_render(struct tone *out, const char *script, uint32_t rate)
{
    *out = (struct tone) { .loops = 1 };
    struct tone_state s = { .out = out,
                            .rate = rate,
                            .volume = -7,
                            .fade_step_db = 1,
                            .samples_max = (size_t)TONE_SECONDS_MAX * rate,
                            .digit_samples = rate / 4,
                            .wait_samples = rate / 16 };
    int result;
    int rounds = 0;
    do {
        result = tone_pass(&s, script);
    } while (!result && ++rounds < s.script_loops);
    if (!result && !out->samples) result = -EINVAL;
    if (result) {
        free(out->pcm);
        *out = (struct tone) { 0 };
    }
    return result;
}
