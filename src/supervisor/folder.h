/* folder.h: data_dir and run_dir. */
#ifndef SUPERVISOR_FOLDER_H
#define SUPERVISOR_FOLDER_H

/* Makes a folder with those above it; 0 if it is there and this process may write to it, otherwise -errno. */
int folder_make(const char *path);

#endif
