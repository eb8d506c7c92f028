/* Sound files: any bytes under the name of a WAV are audio or a clear error. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/check.h"
#include "media/audio_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct audio audio;
    char path[64];
    if (fd < 0) fd = memfd_create("fuzz.wav", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size) return 0;
    int result = audio_file_read(&audio, path, 8000);
    CHECK(result <= 0);
    if (!result) CHECK(audio.rate == 8000 && audio.file_rate >= 1000 && (audio.pcm || !audio.samples));
    free(audio.pcm);
    return 0;
}
