/* names.h: a small ordered map of names (any case) to text: channel variables, profile fields, global variables. */
#ifndef WORKER_NAMES_H
#define WORKER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name {
    uint32_t hash; /* of the lower-case name; 0 = a removed entry */
    uint32_t value_at;
    char *text; /* name, 0, value, 0 in one allocation */
};

struct names {
    struct name *entries;
    size_t count, size, removed;
};

const char *names_get(const struct names *names, const char *name);
/* NULL value removes. The first spelling of a name is kept. 0 or -ENOMEM. */
int names_set(struct names *names, const char *name, const char *value);
/* size_t at = 0; while (names_next(…)) */
bool names_next(const struct names *names, size_t *at, const char **name, const char **value);
void names_free(struct names *names);

#endif
