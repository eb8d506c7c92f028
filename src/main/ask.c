/* ask.c: a word with the running engine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/client.h"
#include "main/command.h"

/* The socket's path into out: --socket, or the configuration's run_dir. */
static int socket_locate(const char *config_given, const char *socket, struct buf *out)
{
    if (socket != NULL) return buf_puts(out, socket) < 0 ? EXIT_FAILED : 0;
    const char *path;
    struct config *config = config_open(config_given, &path);
    if (config == NULL) return EXIT_FAILED;
    int rc = buf_printf(out, "%s/control.sock", config_str(config_root(config), "run_dir", "run"));
    config_free(config);
    return rc < 0 ? EXIT_FAILED : 0;
}

int ask_engine(const char *config, const char *socket, const struct kv *request, struct kv *reply)
{
    struct buf path = BUF_INIT, error = BUF_INIT;
    struct control_client client = { -1 };
    int rc = socket_locate(config, socket, &path);
    if (rc == 0 && (control_connect(&client, buf_text(&path), &error) < 0 || control_ask(&client, request, reply, &error) < 0)) {
        fprintf(stderr, "carillon: %s\n", buf_text(&error));
        rc = EXIT_FAILED;
    }
    if (rc == 0 && kv_get_int(kv_view(reply), "status", 0) != 0) {
        const char *text = kv_get_or(kv_view(reply), "text", ""); /* says more than the number's usual words */
        if (*text == 0) text = kv_get_or(kv_view(reply), "error", "the engine refused this");
        text += strncmp(text, "-ERR ", 5) == 0 ? 5 : 0;
        fprintf(stderr, "carillon: %s%s", text, *text != 0 && text[strlen(text) - 1] == '\n' ? "" : "\n");
        rc = EXIT_FAILED;
    }
    control_close(&client);
    buf_free(&path);
    buf_free(&error);
    return rc;
}

void print_text(const char *text, size_t length)
{
    fwrite(text, 1, length, stdout);
    if (length > 0 && text[length - 1] != '\n') putchar('\n');
}

int ask_command(const char *config, const char *socket, const char *command, int argc, char **argv)
{
    struct kv request = KV_INIT, reply = KV_INIT;
    char name[16];
    kv_add(&request, "verb", "engine");
    kv_add(&request, "command", command);
    for (int i = 0; i < argc; i++) {
        snprintf(name, sizeof name, "a%d", i + 1);
        kv_add(&request, name, argv[i]);
    }
    int rc = ask_engine(config, socket, &request, &reply);
    size_t length = 0;
    const char *text = rc == 0 ? kv_get_bytes(kv_view(&reply), "text", &length) : NULL;
    if (text != NULL) {
        print_text(text, length);
        if (strncmp(text, "-ERR", 4) == 0) rc = EXIT_FAILED;
    }
    kv_free(&request);
    kv_free(&reply);
    return rc;
}
