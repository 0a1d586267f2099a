"""EXIF and GPS to plain values."""

import pytest
from dng_samples import SHOT, pixel_like, write_changed

from apochromat import raw
from apochromat.raw.metadata import from_directories
from apochromat.raw.tags import Tag
from apochromat.raw.tiff import read_directories
from apochromat.raw.tiff_writer import ASCII, LONG, RATIONAL, SRATIONAL, Directory, tiff_bytes


def facts_of(directory):
    return from_directories(*read_directories(memoryview(b"".join(tiff_bytes(directory)))))


def test_a_phones_metadata_survives_the_file(tmp_path):
    found = raw.read(raw.write_dng(pixel_like(), tmp_path / "a.dng")).metadata
    expected = {"make": "Google", "model": "Pixel-like", "software": "test", **SHOT}
    assert found.pop("gps") == expected.pop("gps")
    assert found == pytest.approx(expected)


def test_exposure_comes_from_apex_where_there_is_no_time():
    exif = Directory()
    exif.put(Tag.ShutterSpeedValue, SRATIONAL, 7.0)
    assert facts_of(Directory(children={Tag.ExifIFD: [exif]})) == {"exposure_s": 1 / 128}


def test_the_files_date_serves_where_the_shot_has_none():
    main = Directory()
    main.put(Tag.DateTime, ASCII, "2020:02:02 02:02:02")
    assert facts_of(main) == {"datetime": "2020:02:02 02:02:02"}


def test_impossible_numbers_and_lost_directories_are_left_out():
    main = Directory()
    main.put(Tag.Model, ASCII, "X")
    main.put(Tag.FNumber, RATIONAL, float("nan"))
    main.put(Tag.FocalLength, RATIONAL, 0.0)
    main.put(Tag.ExifIFD, LONG, 4_000_000_000)
    main.put(Tag.GPSInfo, LONG, 4_000_000_000)
    assert facts_of(main) == {"model": "X"}


def test_the_dngs_own_camera_name_serves_where_there_is_no_model(tmp_path):
    path = write_changed(pixel_like(), tmp_path / "a.dng", {Tag.Model: None, Tag.UniqueCameraModel: (ASCII, "A Phone")})
    assert raw.read(path).metadata["model"] == "A Phone"
