"""Ogg Opus (RFC 7845), as little of it as tests need: packets into a file, and out of one."""

import struct

TABLE = []
for byte in range(256):
    crc = byte << 24
    for _ in range(8):
        crc = (crc << 1 ^ 0x04C11DB7) & 0xFFFFFFFF if crc & 0x80000000 else crc << 1
    TABLE.append(crc)


def checksum(data):
    crc = 0
    for byte in data:
        crc = (crc << 8 ^ TABLE[(crc >> 24) ^ byte]) & 0xFFFFFFFF
    return crc


def page(packet, sequence, granule, kind):
    lacing = bytes([255] * (len(packet) // 255) + [len(packet) % 255])
    head = b"OggS" + struct.pack("<BBqIII", 0, kind, granule, 1, sequence, 0) + bytes([len(lacing)]) + lacing
    whole = head + packet
    return whole[:22] + struct.pack("<I", checksum(whole)) + whole[26:]


def write(path, packets, frame=960):
    """A file of packets, each of `frame` samples at 48 kHz, one a page."""
    with open(path, "wb") as f:
        f.write(page(b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 0, 48000, 0, 0), 0, 0, 2))
        f.write(page(b"OpusTags" + struct.pack("<I", 4) + b"test" + struct.pack("<I", 0), 1, 0, 0))
        for i, packet in enumerate(packets):
            f.write(page(packet, i + 2, (i + 1) * frame, 4 if i == len(packets) - 1 else 0))


def read(path):
    """The audio packets of a file with one stream."""
    with open(path, "rb") as f:
        data = f.read()
    packets, rest, at = [], b"", 0
    while at < len(data):
        assert data[at:at + 4] == b"OggS"
        count = data[at + 26]
        lacing = data[at + 27:at + 27 + count]
        at += 27 + count
        for length in lacing:
            rest += data[at:at + length]
            at += length
            if length < 255:
                packets.append(rest)
                rest = b""
    return packets[2:]
