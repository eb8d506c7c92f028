/* media_words.h: the words in which scripts and the media thread talk about playing and recording. */
#ifndef LUA_MEDIA_WORDS_H
#define LUA_MEDIA_WORDS_H

#include <stdbool.h>
#include <stdint.h>

/* PLAY_BESIDE: in place of whatever else is sent, which goes on unheard; with PLAY_MIX together with it. */
enum play_flags { PLAY_LOOP = 1, PLAY_BESIDE = 2, PLAY_MIX = 4 };

/* How an operation ended. */
enum media_reason {
    MEDIA_FINISHED,
    MEDIA_STOPPED,
    MEDIA_REPLACED,
    MEDIA_GONE,
    MEDIA_NOT_FOUND,
    MEDIA_CANNOT_OPEN,
    MEDIA_BAD_SOURCE,
    MEDIA_LIMIT,
    MEDIA_SILENCE,
    MEDIA_DISK
};

/* What can be asked while it plays or records. Values as the callback words mean them (lua-api: speed -2..2, volume -4..4, seek in ms). */
enum media_control {
    CONTROL_PAUSE_TOGGLE,
    CONTROL_RESTART,
    CONTROL_SPEED,
    CONTROL_SPEED_BY,
    CONTROL_VOLUME,
    CONTROL_VOLUME_BY,
    CONTROL_SEEK_MS,
    CONTROL_SEEK_BY_MS,
    CONTROL_TRUNCATE,
    CONTROL_MASK,
    CONTROL_UNMASK,
    CONTROL_PAUSE,
    CONTROL_RESUME
};

/* A recording. */
struct record_params {
    const char *path;           /* absolute; the suffix chooses the format: wav, flac, ogg, PCMU, PCMA, raw … */
    uint32_t limit_ms;          /* 0 = none */
    uint32_t silence_threshold; /* average sample energy as FreeSWITCH counts it; 0 = no silence detection */
    uint32_t silence_ms;
    uint32_t rate; /* 0 = the leg's */
    bool append, stereo;
    bool read, write;     /* the far end's audio, ours; both = mix, or one side each with stereo */
    bool both_directions; /* a session recording (bug) as against recordFile */
    uint32_t min_ms;      /* shorter ones are deleted */
    bool comfort_noise;   /* send it while recording (recordFile) */
    const char *title, *artist, *comment, *copyright, *software, *date; /* NULL = none */
};

/* A member of a room, and what is told of it. */
struct room_member {
    uint32_t rate;   /* the room's, if this is its first member: 8000, 16000, 32000, 48000 */
    uint32_t energy; /* mean absolute sample above which it is heard; 0 = always */
    bool muted, deaf;
    bool mute_detect; /* talking is told while it is muted, too */
    bool voice;       /* speaks what it plays instead of hearing it */
};
enum room_news { ROOM_TALKS = 1, ROOM_QUIET, ROOM_FLOOR };

/* What can be listened for. */
enum media_detector { DETECT_TONE, DETECT_INBAND_DIGITS, DETECT_ENERGY, DETECT_PROGRESS, DETECT_ANSWER };
struct detect_params {
    enum media_detector what;
    uint32_t hz[4];      /* DETECT_TONE: all of them at once, 0-terminated */
    bool write;          /* listen to what we send instead of what we hear */
    uint32_t threshold;  /* DETECT_ENERGY */
    uint32_t hits;       /* consecutive 20 ms frames */
    char classifier[16]; /* DETECT_ANSWER: by name, "" = the usual one; its parameters as media/amd.h has them, in that order, 0 = its
                            default */
    uint32_t answer[9];
};

/* What a hit says. DETECT_TONE: the first frequency; DETECT_ENERGY: the score when it becomes loud, 0 when it is quiet again. */
/* DETECT_PROGRESS: enum progress_sound (media/progress.h) and the frequency where it was one tone. */
#define DETECTED_SOUND(sound, hz) ((int64_t)(hz) << 8 | (int64_t)(sound))
/* DETECT_ANSWER, once: status, cause and their two numbers (media/amd.h), 47 bits, so that Lua's numbers hold it. */
#define DETECTED_ANSWER_BITS 20
#define DETECTED_ANSWER(status, cause, found, wanted)                                                                                      \
    ((((int64_t)(status) << 4 | (int64_t)(cause)) << DETECTED_ANSWER_BITS | (int64_t)(found)) << DETECTED_ANSWER_BITS | (int64_t)(wanted))

#endif
