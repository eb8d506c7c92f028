/* The reader that finds the lines of keys sees any file that calls itself a configuration: it must end, and stay within it. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/config_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line_map *map = NULL;
    /* A copy of exactly this size, so that a byte too far is seen. */
    char *copy = malloc(size ? size : 1);
    if (copy == NULL) return 0;
    for (size_t i = 0; i < size; i++) copy[i] = (char)data[i];
    if (line_map_new(&map, copy, size) == 0) (void)line_map_find(map, "trunks.acme.cps");
    line_map_free(map);
    free(copy);
    return 0;
}
