/* playlist.h: a source as scripts name it, taken apart and loaded: what a play walks through. Made by helper threads. */
#ifndef MEDIA_PLAYLIST_H
#define MEDIA_PLAYLIST_H

#include "media/prompt.h"

#define PLAYLIST_ITEMS_MAX 256u

struct playlist_item {
    struct prompt *prompt;    /* NULL = silence */
    uint64_t silence_samples; /* at the codec's rate; UINT64_MAX = for ever */
    uint32_t noise;           /* FreeSWITCH's divisor of silence_stream://ms,n; 0 = true silence */
    int loops;                /* 1, n, −1 = for ever */
};

struct playlist {
    const struct codec *codec;
    uint32_t count;
    uint32_t rate;     /* of the first item's file: start offsets and results are told in it */
    bool shared_clock; /* local_stream: all listeners hear the same moment; starts at a position taken from the clock */
    uint64_t samples;  /* of all items together, where finite */
    struct playlist_item items[];
};

/* `source`:
 *   /abs/file.ext or relative to `sounds_dir`; without suffix: .CODEC, then .wav; {params} before it are skipped
 *   tone_stream://TGML, silence_stream://ms[,noise], file_string://a!b!c (missing ones are skipped, as FreeSWITCH does),
 *   speak://VOICE|TEXT: synthesised by flite (speech.h)
 *   local_stream://name: all files of sounds_dir/music/name (default: sounds_dir/music/default), looped
 * 0; -ENOENT; -EINVAL (bad source or no sound file); others as prompt_get. */
int playlist_open(struct playlist **out, struct prompt_cache *cache, const char *source, const struct codec *codec, const char *sounds_dir);
/* Gives the prompts back and frees the list. */
void playlist_close(struct playlist *playlist);

#endif
