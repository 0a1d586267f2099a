"""What LibRaw does not tell: saturation below the stated white, and metadata in RAF, CR3 and CRW containers."""

import struct

import numpy as np
import pytest

from apochromat.raw import containers
from apochromat.raw.errors import DamagedError
from apochromat.raw.libraw import saturation_spike
from apochromat.raw.tags import Tag
from apochromat.raw.tiff_writer import ASCII, RATIONAL, SHORT, Directory, tiff_bytes


def exposed(mean, saturation, seed=0, full_well=6000, size=200_000):
    """Samples of a 10-bit sensor with shot noise that saturates at `saturation`, light falling off over the picture."""
    rng = np.random.default_rng(seed)
    light = mean * np.linspace(0.2, 1.0, size)
    noisy = light + rng.standard_normal(size) * np.sqrt(light * 1023 / full_well)
    return np.clip(np.rint(noisy + 32), 0, saturation).astype(np.uint16)


def test_a_spike_below_the_stated_white_is_found():
    assert saturation_spike(exposed(1200, 990), 1023) == 988


@pytest.mark.parametrize("mean", [30, 700, 900, 1200])
def test_no_spike_where_nothing_saturates_early(mean):
    assert saturation_spike(exposed(mean, 1023), 1023) is None


def test_a_bright_even_wall_is_no_spike():
    wall = np.rint(900 + 12 * np.random.default_rng(1).standard_normal(200_000)).astype(np.uint16)
    assert saturation_spike(wall, 1023) is None


def exif_block():
    """A TIFF block with camera, shot and place."""
    exif = Directory()
    exif.put(Tag.ExposureTime, RATIONAL, 0.004)
    exif.put(Tag.ISOSpeedRatings, SHORT, 320)
    exif.put(Tag.DateTimeOriginal, ASCII, "2023:01:02 03:04:05")
    main = Directory(children={Tag.ExifIFD: [exif]})
    main.put(Tag.Make, ASCII, "Maker")
    main.put(Tag.Model, ASCII, "Model X")
    return b"".join(tiff_bytes(main))


SHOT = {"make": "Maker", "model": "Model X", "exposure_s": 0.004, "iso": 320.0, "datetime": "2023:01:02 03:04:05"}


def raf(layout=0x08):
    """A RAF head: preview with EXIF, one tag directory, a RAW block of 100 bytes at the end."""
    jpeg = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(exif_block()) + 8) + b"Exif\0\0" + exif_block() + b"\xff\xd9"
    tags = struct.pack(">IHHBB", 1, 0x130, 2, 0, layout)
    head = bytearray(160)
    head[:16] = b"FUJIFILMCCD-RAW "
    struct.pack_into(">6I", head, 84, 160, len(jpeg), 160 + len(jpeg), len(tags), 160 + len(jpeg) + len(tags), 100)
    return memoryview(bytes(head) + jpeg + tags + bytes(100))


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


def cr3():
    gps = Directory()
    gps.put(Tag.NewSubfileType, ASCII, "N")
    inner = bytes(containers.CR3_METADATA) + box(b"CMT1", exif_block()) + box(b"CMT4", b"".join(tiff_bytes(gps)))
    return memoryview(box(b"ftyp", b"crx \0\0\0\1") + box(b"moov", box(b"uuid", inner)) + box(b"mdat", bytes(500)))


def test_a_preview_in_a_raf_file_tells_the_shot():
    assert containers.metadata(raf()) == SHOT


def test_a_cr3_file_tells_the_shot_and_the_place():
    assert containers.metadata(cr3()) == {**SHOT, "gps": {254: "N"}}


def test_a_plain_tiff_file_tells_the_shot():
    assert containers.metadata(memoryview(exif_block())) == SHOT


def test_files_known_to_be_longer_are_refused():
    for whole in (raf(), cr3()):
        containers.check_complete(whole)
        with pytest.raises(DamagedError, match=f"at least {len(whole)} bytes"):
            containers.check_complete(whole[:-50])


def test_a_super_ccd_is_recognised():
    assert not containers.is_rotated_fuji(raf(0x08))
    assert containers.is_rotated_fuji(raf(0x00))
    assert not containers.is_rotated_fuji(cr3())


def test_containers_cut_anywhere_tell_what_they_can():
    for whole in (raf(), cr3()):
        for end in range(0, len(whole), 7):
            assert set(containers.metadata(whole[:end])) <= {*SHOT, "gps"}
            containers.is_rotated_fuji(whole[:end])
