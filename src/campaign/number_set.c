/* number_set.c: see number_set.h. */
#include "campaign/number_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

struct number_list {
    uint64_t *value;
    size_t count, size;
};

struct number_set {
    struct number_list sorted, recent, removed;
    bool sealed;
};

struct number_set *number_set_new(void) { return calloc(1, sizeof(struct number_set)); }

void number_set_free(struct number_set *set)
{
    if (!set) return;
    free(set->sorted.value);
    free(set->recent.value);
    free(set->removed.value);
    free(set);
}

uint64_t number_value(const char *e164)
{
    uint64_t value = 0;
    size_t n = 0;
    for (; e164[n]; n++) {
        if (e164[n] < '0' || e164[n] > '9' || n >= 15) return 0;
        value = value * 10 + (uint64_t)(e164[n] - '0');
    }
    return n && e164[0] != '0' ? value : 0;
}

static int list_grow(struct number_list *list, size_t first)
{
    if (list->count < list->size) return 0;
    size_t size = list->size ? list->size * 2 : first;
    uint64_t *bigger = realloc(list->value, size * sizeof *bigger);
    if (!bigger) return -ENOMEM;
    list->value = bigger;
    list->size = size;
    return 0;
}

/* The place of a value in a sorted list, or where it would be. */
static size_t list_place(const struct number_list *list, uint64_t value)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->value[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool list_has(const struct number_list *list, uint64_t value)
{
    size_t at = list_place(list, value);
    return at < list->count && list->value[at] == value;
}

static int list_insert(struct number_list *list, uint64_t value)
{
    size_t at = list_place(list, value);
    if (at < list->count && list->value[at] == value) return 0;
    if (list->count >= NUMBER_SET_RECENT_MAX) return -ENOSPC;
    if (list_grow(list, 64) < 0) return -ENOMEM;
    memmove(&list->value[at + 1], &list->value[at], (list->count - at) * sizeof *list->value);
    list->value[at] = value;
    list->count++;
    return 0;
}

static void list_take_out(struct number_list *list, uint64_t value)
{
    size_t at = list_place(list, value);
    if (at == list->count || list->value[at] != value) return;
    list->count--;
    memmove(&list->value[at], &list->value[at + 1], (list->count - at) * sizeof *list->value);
}

int number_set_append(struct number_set *set, const char *e164)
{
    uint64_t value = number_value(e164);
    CHECK(!set->sealed);
    if (!value) return -EINVAL;
    if (list_grow(&set->sorted, 4096) < 0) return -ENOMEM;
    set->sorted.value[set->sorted.count++] = value;
    return 0;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void number_set_seal(struct number_set *set)
{
    struct number_list *list = &set->sorted;
    size_t kept = 0;
    if (list->count) qsort(list->value, list->count, sizeof *list->value, compare);
    for (size_t i = 0; i < list->count; i++)
        if (!kept || list->value[i] != list->value[kept - 1]) list->value[kept++] = list->value[i];
    list->count = kept;
    set->sealed = true;
}

int number_set_add(struct number_set *set, const char *e164)
{
    uint64_t value = number_value(e164);
    CHECK(set->sealed);
    if (!value) return -EINVAL;
    list_take_out(&set->removed, value);
    return list_has(&set->sorted, value) ? 0 : list_insert(&set->recent, value);
}

void number_set_remove(struct number_set *set, const char *e164)
{
    uint64_t value = number_value(e164);
    list_take_out(&set->recent, value);
    if (list_has(&set->sorted, value)) list_insert(&set->removed, value);
}

bool number_set_has(const struct number_set *set, const char *e164)
{
    uint64_t value = number_value(e164);
    CHECK(set->sealed);
    if (!value || list_has(&set->removed, value)) return false;
    return list_has(&set->recent, value) || list_has(&set->sorted, value);
}

size_t number_set_count(const struct number_set *set) { return set->sorted.count + set->recent.count - set->removed.count; }
