#include "media/playlist.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "media/audio_file.h"

struct builder {
    struct playlist *list;
    struct prompt_cache *cache;
    const struct codec *codec;
    const char *sounds_dir;
    unsigned depth;
};

static int add_source(struct builder *b, const char *source);

static struct playlist_item *add_item(struct builder *b)
{
    return b->list->count < PLAYLIST_ITEMS_MAX ? &b->list->items[b->list->count++] : NULL;
}

static int add_prompt(struct builder *b, const char *name)
{
    struct prompt *prompt;
    int result = prompt_get(b->cache, name, b->codec, &prompt);
    if (result) return result;
    struct playlist_item *item = add_item(b);
    if (!item) {
        prompt_release(prompt);
        return -E2BIG;
    }
    *item = (struct playlist_item) { .prompt = prompt, .loops = prompt->loops ? prompt->loops : 1 };
    if (!b->list->rate) b->list->rate = prompt->file_rate;
    b->list->samples += prompt->samples;
    return 0;
}

static int add_silence(struct builder *b, const char *text)
{
    char *end;
    long ms = strtol(text, &end, 10);
    if (end == text || (*end && *end != ',')) return -EINVAL;
    struct playlist_item *item = add_item(b);
    if (!item) return -E2BIG;
    *item = (struct playlist_item) { .silence_samples = UINT64_MAX, .loops = 1 };
    if (ms > 0) {
        item->silence_samples = (uint64_t)ms * b->codec->rate / 1000;
        b->list->samples += item->silence_samples;
    }
    if (*end == ',' && atoi(end + 1) > 0) item->noise = (uint32_t)atoi(end + 1);
    return 0;
}

/* A file; without a suffix the leg's codec and then wav are tried. */
static int add_file(struct builder *b, const char *name)
{
    struct buf path = BUF_INIT;
    if (name[0] == '/' || !b->sounds_dir)
        buf_puts(&path, name);
    else
        buf_printf(&path, "%s/%s", b->sounds_dir, name);
    int result;
    if (*audio_file_suffix(buf_text(&path))) {
        result = add_prompt(b, buf_text(&path));
    } else {
        struct buf other = BUF_INIT;
        buf_printf(&other, "%s.%s", buf_text(&path), b->codec->name);
        result = add_prompt(b, buf_text(&other));
        if (result) {
            buf_clear(&other);
            buf_printf(&other, "%s.wav", buf_text(&path));
            result = add_prompt(b, buf_text(&other));
        }
        buf_free(&other);
    }
    buf_free(&path);
    return result;
}

/* a!b!c: what is missing is skipped; only if nothing is left it is an error (the first one's). */
static int add_files(struct builder *b, const char *text)
{
    char *copy = strdup(text), *rest = copy, *part;
    int first = -EINVAL;
    uint32_t before = b->list->count;
    while (copy && (part = strsep(&rest, "!"))) {
        int result = *part ? add_source(b, part) : 0;
        if (result && first == -EINVAL) first = result;
    }
    free(copy);
    return b->list->count > before ? 0 : first;
}

static int add_local_stream(struct builder *b, const char *name)
{
    struct buf dir = BUF_INIT;
    struct dirent **files = NULL;
    buf_printf(&dir, "%s/music/%s", b->sounds_dir ? b->sounds_dir : "", *name ? name : "default");
    int count = strstr(name, "..") ? -1 : scandir(buf_text(&dir), &files, NULL, alphasort);
    uint32_t before = b->list->count;
    for (int i = 0; i < count; i++) {
        if (files[i]->d_name[0] != '.') {
            struct buf path = BUF_INIT;
            buf_printf(&path, "%s/%s", buf_text(&dir), files[i]->d_name);
            (void)add_prompt(b, buf_text(&path)); /* what is no sound file is passed over */
            buf_free(&path);
        }
        free(files[i]);
    }
    free(files);
    buf_free(&dir);
    b->list->shared_clock = true;
    return b->list->count > before ? 0 : -ENOENT;
}

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) ? NULL : text + length;
}

static int add_source(struct builder *b, const char *source)
{
    const char *rest;
    if (++b->depth > 512) return -E2BIG;
    if (after(source, "speak://")) return add_prompt(b, source);
    if (*source == '{' && strchr(source, '}')) source = strchr(source, '}') + 1;
    if (!*source) return -EINVAL;
    if (after(source, "tone_stream://")) return add_prompt(b, source);
    if ((rest = after(source, "silence_stream://"))) return add_silence(b, rest);
    if ((rest = after(source, "file_string://"))) return add_files(b, rest);
    if ((rest = after(source, "local_stream://"))) return add_local_stream(b, rest);
    if ((rest = after(source, "file://"))) return add_file(b, rest);
    if (strstr(source, "://")) return -EINVAL;
    return add_file(b, source);
}

int playlist_open(struct playlist **out, struct prompt_cache *cache, const char *source, const struct codec *codec, const char *sounds_dir)
{
    struct playlist *list = calloc(1, sizeof *list + PLAYLIST_ITEMS_MAX * sizeof list->items[0]);
    if (!list) return -ENOMEM;
    list->codec = codec;
    struct builder builder = { list, cache, codec, sounds_dir, 0 };
    int result = add_source(&builder, source);
    if (result) {
        playlist_close(list);
        return result;
    }
    if (!list->rate) list->rate = codec->rate;
    struct playlist *fitting = realloc(list, sizeof *list + list->count * sizeof list->items[0]);
    *out = fitting ? fitting : list;
    return 0;
}

void playlist_close(struct playlist *playlist)
{
    for (uint32_t i = 0; playlist && i < playlist->count; i++) prompt_release(playlist->items[i].prompt);
    free(playlist);
}
