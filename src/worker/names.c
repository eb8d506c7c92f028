#include "worker/names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* FNV-1a over the lower-case name. A call has some dozens of variables: a scan over hashes in one cache-friendly array beats
 * a table with buckets, and keeps the order of setting for dumps. */
static uint32_t name_hash(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++) h = (h ^ (uint32_t)tolower((unsigned char)*name)) * 16777619u;
    return h ? h : 1;
}

static struct name *names_find(const struct names *names, const char *name)
{
    uint32_t hash = name_hash(name);
    for (size_t i = 0; i < names->count; i++)
        if (names->entries[i].hash == hash && strcasecmp(names->entries[i].text, name) == 0) return &names->entries[i];
    return NULL;
}

const char *names_get(const struct names *names, const char *name)
{
    const struct name *found = names_find(names, name);
    return found ? found->text + found->value_at : NULL;
}

static void names_compact(struct names *names)
{
    size_t to = 0;
    for (size_t i = 0; i < names->count; i++)
        if (names->entries[i].hash) names->entries[to++] = names->entries[i];
    names->count = to;
    names->removed = 0;
}

static int names_room(struct names *names)
{
    if (names->count < names->size) return 0;
    if (names->removed > names->size / 2) {
        names_compact(names);
        return 0;
    }
    size_t size = names->size ? names->size * 2 : 16;
    struct name *entries = realloc(names->entries, size * sizeof(*entries));
    if (!entries) return -ENOMEM;
    names->entries = entries;
    names->size = size;
    return 0;
}

static char *name_text(const char *name, const char *value, uint32_t *value_at)
{
    size_t name_length = strlen(name), value_length = strlen(value);
    char *text = malloc(name_length + value_length + 2);
    if (!text) return NULL;
    memcpy(text, name, name_length + 1);
    memcpy(text + name_length + 1, value, value_length + 1);
    *value_at = (uint32_t)name_length + 1;
    return text;
}

int names_set(struct names *names, const char *name, const char *value)
{
    struct name *found = names_find(names, name);
    if (!value) {
        if (found) {
            free(found->text);
            *found = (struct name) { 0 };
            names->removed++;
        }
        return 0;
    }
    uint32_t value_at;
    char *text = name_text(found ? found->text : name, value, &value_at);
    if (!text) return -ENOMEM;
    if (!found) {
        if (names_room(names) < 0) {
            free(text);
            return -ENOMEM;
        }
        found = &names->entries[names->count++];
        found->hash = name_hash(name);
    } else {
        free(found->text);
    }
    found->text = text;
    found->value_at = value_at;
    return 0;
}

bool names_next(const struct names *names, size_t *at, const char **name, const char **value)
{
    while (*at < names->count) {
        const struct name *entry = &names->entries[(*at)++];
        if (!entry->hash) continue;
        *name = entry->text;
        *value = entry->text + entry->value_at;
        return true;
    }
    return false;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) free(names->entries[i].text);
    free(names->entries);
    *names = (struct names) { 0 };
}
