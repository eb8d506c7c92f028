/* number_file.c: see number_file.h. */
#include "campaign/number_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/numbers.h"

/* The first field, without quotes and comment. */
static char *field_of(char *line)
{
    line[strcspn(line, "#,;\t\r\n")] = 0;
    line += strspn(line, " \"");
    for (size_t n = strlen(line); n && (line[n - 1] == ' ' || line[n - 1] == '"'); n--) line[n - 1] = 0;
    return line;
}

static int line_take(struct number_file *file, uint64_t line, char *text)
{
    char number[NUMBER_SIZE];
    const char *reason, *field = field_of(text);
    if (!*field || (line == 1 && !strpbrk(field, "0123456789"))) return 0;
    if (number_to_e164(field, file->default_country, number, &reason) == 0) return file->number(file, number);
    file->bad(file, line, field, reason);
    return 0;
}

int number_file_read(struct number_file *file, const char *path, struct buf *error)
{
    FILE *in = fopen(path, "re");
    char *text = NULL;
    size_t size = 0;
    int e = in ? 0 : -errno;
    if (e) return buf_printf(error, "%s: %s", path, strerror(-e)), e;
    for (uint64_t line = 1; e == 0 && getline(&text, &size, in) >= 0; line++) e = line_take(file, line, text);
    if (e == 0 && ferror(in)) e = (buf_printf(error, "%s: it cannot be read to its end", path), -EIO);
    free(text);
    fclose(in);
    return e;
}
