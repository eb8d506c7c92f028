/* options.c: the command line, for all subcommands alike. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "main/command.h"

static void usage_print(const struct usage *usage)
{
    printf("usage: carillon %s\n\n%s\n\noptions:\n", usage->synopsis, usage->about);
    for (unsigned i = 0; i < usage->count; i++) {
        const struct option_row *row = &usage->rows[i];
        char left[64];
        int n = row->letter != 0 ? snprintf(left, sizeof left, "-%c, ", row->letter) : snprintf(left, sizeof left, "    ");
        snprintf(left + n, sizeof left - (size_t)n, "--%s%s%s", row->word, row->argument != NULL ? " " : "",
                 row->argument != NULL ? row->argument : "");
        printf("  %-22s %s\n", left, row->help);
    }
    printf("  %-22s %s\n", "-h, --help", "this text");
}

static const struct option_row *row_find(const struct usage *usage, const char *word, size_t length)
{
    for (unsigned i = 0; i < usage->count; i++) {
        const struct option_row *row = &usage->rows[i];
        bool is_word = length > 3 && strncmp(word, "--", 2) == 0 && strlen(row->word) == length - 2 &&
                       strncmp(word + 2, row->word, length - 2) == 0;
        bool is_letter = length == 2 && word[0] == '-' && row->letter != 0 && word[1] == row->letter;
        if (is_word || is_letter) return row;
    }
    return NULL;
}

int usage_wrong(const char *command, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "carillon %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry `carillon %s --help`.\n", command);
    va_end(args);
    return EXIT_USAGE;
}

int options_read(const struct usage *usage, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != 0; i++) {
        const char *word = argv[i], *equal = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
        if (strcmp(word, "--") == 0) return i + 1;
        if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
            usage_print(usage);
            return -1;
        }
        const struct option_row *row = row_find(usage, word, equal != NULL ? (size_t)(equal - word) : strlen(word));
        if (row == NULL) {
            usage_wrong(argv[0], "unknown option %s", word);
            return -2;
        }
        if (row->flag != NULL) {
            if (equal != NULL) {
                usage_wrong(argv[0], "--%s takes no value", row->word);
                return -2;
            }
            *row->flag = true;
        } else if (equal != NULL) {
            *row->value = equal + 1;
        } else if (i + 1 < argc) {
            *row->value = argv[++i];
        } else {
            usage_wrong(argv[0], "%s needs a value: %s", word, row->argument);
            return -2;
        }
    }
    return i;
}

int options_exit(int result) { return result == -1 ? EXIT_OK : EXIT_USAGE; }
