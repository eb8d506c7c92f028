"""Sound files for tests: WAV, 8 kHz, mono, 16 bit."""

import math
import struct
import wave


def tone(path, seconds=1.0, hz=440, rate=8000):
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(rate)
        f.writeframes(b"".join(struct.pack("<h", int(8000 * math.sin(2 * math.pi * hz * i / rate))) for i in range(int(seconds * rate))))
    return path


def read(path):
    """(seconds, samples) of a WAV with 16-bit samples."""
    with wave.open(path, "rb") as f:
        n = f.getnframes()
        data = f.readframes(n)
        return n / f.getframerate(), struct.unpack("<%dh" % (len(data) // 2), data)
