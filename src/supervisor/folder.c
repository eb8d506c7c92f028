/* folder.c: see folder.h. */
#include "supervisor/folder.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_make(const char *path)
{
    char part[1024];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) return -ENAMETOOLONG;
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p != 0) continue;
        char was = *p;
        *p = 0;
        if (mkdir(part, 0755) < 0 && errno != EEXIST) return -errno;
        if (was == 0) return access(path, W_OK | X_OK) < 0 ? -errno : 0;
        *p = was;
    }
}
