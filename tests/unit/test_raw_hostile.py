"""Files that lie: every answer is a frame or one sentence, quickly and in bounded memory."""

import random
import struct
import time

import pytest
from dng_samples import pixel_like, proraw_like, samsung_like, write_changed

from apochromat import raw
from apochromat.raw.errors import DamagedError, NotRawError, RawError, UnsupportedError
from apochromat.raw.tags import Tag
from apochromat.raw.tiff import read_directories
from apochromat.raw.tiff_writer import LONG


def entry_of(data, tag):
    """Where a tag's entry stands in the first directory of a little-endian file."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    return next(at for at in range(start + 2, start + 2 + 12 * count, 12) if struct.unpack_from("<H", data, at)[0] == tag)


@pytest.fixture
def phone_file(tmp_path):
    return raw.write_dng(pixel_like(), tmp_path / "a.dng", tile=32)


def outcome(path, data):
    """The error of reading these bytes, or None."""
    path.write_bytes(data)
    error = None
    try:
        raw.read(path)
    except RawError as raised:
        error = raised
    assert error is None or (str(error).startswith(f"{path}: expected ") and "\n" not in str(error))
    return error


@pytest.mark.parametrize("content", [b"", b"once upon a time " * 500, b"\x89PNG\r\n\x1a\n" + bytes(400)])
def test_what_is_no_raw_file_is_called_so(content, tmp_path):
    assert isinstance(outcome(tmp_path / "a.dng", content), NotRawError)


def test_folders_and_missing_files_are_named(tmp_path):
    with pytest.raises(NotRawError, match="found a folder"):
        raw.read(tmp_path)
    with pytest.raises(NotRawError, match="No such file"):
        raw.read(tmp_path / "none.dng")


@pytest.mark.parametrize("options", [{"compression": "none"}, {"compression": "ljpeg"}, {"compression": "ljpeg", "tile": 32}])
def test_a_file_cut_at_each_tenth_is_refused(options, tmp_path):
    data = raw.write_dng(pixel_like(), tmp_path / "whole.dng", **options).read_bytes()
    for tenth in range(10):
        assert outcome(tmp_path / "cut.dng", data[: len(data) * tenth // 10]) is not None, tenth


def test_a_jpeg_that_ends_early_inside_its_strip_is_refused(tmp_path):
    data = bytearray(raw.write_dng(pixel_like(), tmp_path / "a.dng").read_bytes())
    middle = len(data) - 6000
    data[middle : middle + 2] = b"\xff\xd9"
    assert isinstance(outcome(tmp_path / "b.dng", data), DamagedError)


def test_directories_in_a_loop_are_refused(phone_file, tmp_path):
    data = bytearray(phone_file.read_bytes())
    (count,) = struct.unpack_from("<H", data, 8)
    struct.pack_into("<I", data, 10 + 12 * count, 8)
    assert "found a loop" in str(outcome(tmp_path / "next.dng", data))
    path = write_changed(samsung_like(), tmp_path / "sub.dng", {Tag.SubIFDs: (LONG, [8])})
    with pytest.raises(DamagedError, match="found a loop"):
        raw.read(path)


def test_endless_directories_are_refused():
    chain = b"".join(struct.pack("<HI", 0, 8 + 6 * (i + 1)) for i in range(5000))
    with pytest.raises(DamagedError, match="at most 100 TIFF directories"):
        read_directories(memoryview(b"II*\0" + struct.pack("<I", 8) + chain + bytes(8)))


def test_big_tiff_is_named(tmp_path):
    assert isinstance(outcome(tmp_path / "a.dng", b"II+\0\x08\0\0\0" + bytes(100)), (UnsupportedError, NotRawError))


def test_every_entry_may_lie_about_type_count_and_place(phone_file, tmp_path):
    """Each tag in turn gets each false type, count and offset; nothing else than a frame or a RawError comes back, at once."""
    original = phone_file.read_bytes()
    (count,) = struct.unpack_from("<H", original, 8)
    began = time.process_time()
    for entry in range(10, 10 + 12 * count, 12):
        for place, value in ((2, "<H1"), (2, "<H5"), (2, "<H12"), (4, "<I0"), (4, "<I4294967295"), (8, "<I4294967295"), (8, "<I8")):
            data = bytearray(original)
            struct.pack_into(value[:2], data, entry + place, int(value[2:]))
            outcome(tmp_path / "b.dng", data)
    assert time.process_time() - began < 20


def test_a_strip_that_claims_more_than_it_holds_costs_no_memory(tmp_path):
    """A JPEG XL stream and a Deflate stream whose sizes are not the file's."""
    import zlib

    bomb = zlib.compress(bytes(200_000_000), 9)
    frame = samsung_like()
    path = write_changed(frame, tmp_path / "a.dng", {Tag.Compression: (3, 8)}, segments=[bomb])
    assert raw.read(path).samples.max() == 0
    small = raw.write_dng(proraw_like(), tmp_path / "b.dng", compression="jpegxl").read_bytes()
    data = bytearray(small)
    struct.pack_into("<I", data, entry_of(data, Tag.ImageWidth) + 8, 126)
    struct.pack_into("<I", data, entry_of(data, Tag.RowsPerStrip) + 8, 96)
    assert outcome(tmp_path / "c.dng", data) is not None


def test_random_damage_in_the_head_is_a_frame_or_a_sentence(tmp_path):
    rng = random.Random(7)
    bases = [
        raw.write_dng(pixel_like(), tmp_path / "p.dng").read_bytes(),
        raw.write_dng(proraw_like(bits=8), tmp_path / "q.dng", compression="jpeg").read_bytes(),
    ]
    refused = 0
    for turn in range(300):
        data = bytearray(bases[turn % 2])
        for _ in range(rng.choice((1, 3, 9))):
            data[rng.randrange(8, 1400)] = rng.randrange(256)
        refused += outcome(tmp_path / "b.dng", data) is not None
    assert 0 < refused < 300, "some damage matters, some does not"
