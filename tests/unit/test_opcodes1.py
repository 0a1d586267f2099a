"""OpcodeList1 on stored samples."""

from dataclasses import replace

import numpy as np
import pytest
from frames import frame_of, scene_frame

from apochromat.develop import opcodes1
from apochromat.light import opcodes as dng
from apochromat.light.development import Development
from apochromat.light.raw_frame import Box


def run(frame):
    return opcodes1.run(Development(frame=frame), opcodes1.Opcodes1Params()).frame


def frame_with(*opcodes, **facts):
    return replace(scene_frame(40, 56, **facts), opcodes1=opcodes)


def test_without_opcodes_nothing_is_copied():
    frame = frame_with()
    assert run(frame) is frame


def test_pixels_of_the_bad_value_take_their_neighbours():
    frame = frame_of(np.full((24, 24), 0.4))
    level = frame.samples[0, 0]
    frame.samples[[3, 10, 0], [4, 10, 0]] = 7
    got = run(replace(frame, opcodes1=(dng.FixBadPixelsConstant(constant=7, phase=0),)))
    assert np.all(got.samples == level)
    assert got.samples.dtype == np.uint16
    assert frame.samples[3, 4] == 7  # the caller's samples stay


def test_listed_pixels_count_from_the_stored_corner():
    frame = replace(frame_of(np.full((24, 24), 0.4)), active=Box(2, 2, 24, 24))
    level = frame.samples[0, 0]
    frame.samples[5, 6] = 4000
    opcode = dng.FixBadPixelsList(phase=0, points=np.array([[5, 6]]), boxes=np.zeros((0, 4), int))
    assert np.all(run(replace(frame, opcodes1=(opcode,))).samples == level)


def test_maps_act_on_stored_numbers():
    table = dng.MapTable(area=dng.Area(4, 6, 20, 30, row_pitch=2, col_pitch=3), table=np.arange(10, 3010, dtype=np.uint16))
    frame = frame_with(table)
    expected = frame.samples.copy()
    expected[4:20:2, 6:30:3] = np.minimum(expected[4:20:2, 6:30:3], 2999) + 10
    np.testing.assert_array_equal(run(frame).samples, expected)
    polynomial = dng.MapPolynomial(area=dng.Area(0, 0, 40, 56), coefficients=np.array([5.0, 0.5, 1e-4]))
    frame = frame_with(polynomial)
    stored = frame.samples.astype(float)
    np.testing.assert_allclose(run(frame).samples, 5 + 0.5 * stored + 1e-4 * stored**2, atol=0.51)


def test_gain_map_multiplies_the_whole_stored_image():
    gains = np.linspace(1, 3, 12).reshape(3, 4, 1).astype(np.float32)
    frame = frame_with(dng.GainMap(area=dng.Area(1, 0, 40, 56, row_pitch=2), spacing=(0.5, 1 / 3), origin=(0.0, 0.0), gains=gains))
    v, u = (np.arange(40) + 0.5) / 40 / 0.5, (np.arange(56) + 0.5) / 56 * 3
    across = np.stack([np.interp(u, np.arange(4), line) for line in gains[..., 0]])
    gain = np.stack([np.interp(v, np.arange(3), column) for column in across.T], 1)
    gain[0::2] = 1
    np.testing.assert_allclose(run(frame).samples, frame.samples * gain, atol=0.51)


def test_trim_bounds_moves_the_active_area():
    frame = replace(frame_with(dng.TrimBounds(top=5, left=3, bottom=38, right=50)), active=Box(4, 4, 36, 52), crop=Box(0, 0, 32, 48))
    got = run(frame)
    assert got.samples.shape == (33, 47)
    assert got.active == Box(0, 1, 31, 47)
    assert got.cfa == "GBRG"  # the first active row was cut
    np.testing.assert_array_equal(got.samples[0, 1], frame.samples[5, 4])
    assert got.crop == Box(0, 0, 31, 46)


def test_unknown_opcodes():
    with pytest.raises(ValueError, match="opcode 77"):
        run(frame_with(dng.UnknownOpcode(id=77, data=b"")))
    done = opcodes1.run(Development(frame=frame_with(dng.UnknownOpcode(id=77, data=b"", optional=True))), opcodes1.Opcodes1Params())
    assert "opcode 77" in done.notes[0]


def test_a_gain_map_of_wide_pitch_touches_its_own_plane_alone():
    """A linear RGB image: the map for plane 1 multiplies every third row of green."""
    samples = np.full((24, 30, 3), 1000, np.uint16)
    opcode = dng.GainMap(
        area=dng.Area(0, 0, 24, 30, plane=1, planes=1, row_pitch=3), spacing=(1.0, 1.0), origin=(0.0, 0.0), gains=np.full((1, 1, 1), 2)
    )
    got = run(replace(frame_with(opcode), samples=samples, cfa="")).samples
    expected = samples.copy()
    expected[::3, :, 1] = 2000
    np.testing.assert_array_equal(got, expected)
