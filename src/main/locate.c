/* locate.c: which configuration is meant. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "main/command.h"

const char *config_locate(const char *given)
{
    static const char *const defaults[] = { "conf/carillon.lua", "/etc/carillon/carillon.lua" };
    if (given != NULL) return given;
    const char *from_environment = getenv("CARILLON_CONFIG");
    if (from_environment != NULL && *from_environment != 0) return from_environment;
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (access(defaults[i], F_OK) == 0) return defaults[i];
    fprintf(stderr, "carillon: no configuration: there is neither ./%s nor %s; name one with -c FILE\n", defaults[0], defaults[1]);
    return NULL;
}

struct config *config_open(const char *given, const char **path)
{
    struct config *config = NULL;
    struct buf errors = BUF_INIT;
    *path = config_locate(given);
    if (*path == NULL) return NULL;
    if (config_load(&config, *path, &errors) < 0) {
        fprintf(stderr, "carillon: the configuration cannot be used:\n%s", buf_text(&errors));
        config = NULL;
    }
    buf_free(&errors);
    return config;
}
