"""Opcode lists: bytes as the DNG specification lays them out, both ways, and lists that lie."""

import struct

import numpy as np
import pytest

from apochromat.light import opcodes as dng
from apochromat.raw.errors import DamagedError
from apochromat.raw.facts import plain
from apochromat.raw.opcodes import pack, parse

AREA = dng.Area(1, 2, 30, 40, plane=0, planes=1, row_pitch=2, col_pitch=2)
EVERY = (
    dng.WarpRectilinear(coefficients=np.arange(18.0).reshape(3, 6), center=(0.5, 0.25), optional=True),
    dng.FixVignetteRadial(coefficients=np.array([0.1, 0.2, -0.3, 0.4, 0.5]), center=(0.4, 0.6), preview_skip=True),
    dng.FixBadPixelsConstant(constant=7, phase=2),
    dng.FixBadPixelsList(phase=1, points=np.array([[3, 4], [5, 6]]), boxes=np.array([[1, 2, 3, 4]])),
    dng.TrimBounds(top=1, left=2, bottom=3, right=4),
    dng.MapTable(area=AREA, table=np.array([0, 5, 65535], np.uint16)),
    dng.MapPolynomial(area=AREA, coefficients=np.array([0.0, 1.0, -0.5])),
    dng.GainMap(area=AREA, spacing=(0.5, 1.0), origin=(0.0, 0.1), gains=np.arange(12, dtype=np.float32).reshape(2, 3, 2)),
    dng.UnknownOpcode(id=10, data=b"abcd", optional=True),
)


def listed(number, body, flags=0, claimed=None):
    """An opcode list of one opcode."""
    return struct.pack(">II4BII", 1, number, 1, 3, 0, 0, flags, len(body) if claimed is None else claimed) + body


def test_every_opcode_survives_the_way_to_bytes_and_back():
    back = parse(pack(EVERY), "OpcodeList1")
    assert [type(o) for o in back] == [type(o) for o in EVERY]
    assert [plain(o) for o in back] == [plain(o) for o in EVERY]


def test_warp_is_read_at_the_bytes_of_the_specification():
    body = struct.pack(">I", 1) + struct.pack(">6d", 1.0, 0.01, 0.02, 0.03, 0.001, 0.002) + struct.pack(">2d", 0.48, 0.52)
    (warp,) = parse(listed(1, body, flags=3), "OpcodeList3")
    assert warp.coefficients.tolist() == [[1.0, 0.01, 0.02, 0.03, 0.001, 0.002]]
    assert warp.center == (0.48, 0.52)
    assert warp.optional
    assert warp.preview_skip
    assert warp.version == (1, 3, 0, 0)


def test_gain_map_is_read_at_the_bytes_of_the_specification():
    head = struct.pack(">8I", 0, 1, 100, 200, 0, 1, 2, 2)
    grid = struct.pack(">2I4dI", 2, 2, 1.0, 0.5, 0.0, 0.25, 1) + struct.pack(">4f", 1.0, 2.0, 3.0, 4.0)
    (gain,) = parse(listed(9, head + grid), "OpcodeList2")
    assert gain.area == dng.Area(0, 1, 100, 200, 0, 1, 2, 2)
    assert gain.spacing == (1.0, 0.5)
    assert gain.origin == (0.0, 0.25)
    assert gain.gains[:, :, 0].tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected 4 more bytes in OpcodeList2"),
        (struct.pack(">I", 2**32 - 1), "expected 4 more bytes"),
        (listed(9, b"", claimed=2**32 - 1), "expected 4294967295 more bytes"),
        (listed(1, struct.pack(">I", 2**28)), "more bytes in opcode 1 \\(WarpRectilinear\\)"),
        (listed(1, struct.pack(">I8d", 1, *[np.nan] * 8)), "expected finite numbers"),
        (listed(5, struct.pack(">3I", 0, 2**31, 0)), "more bytes in opcode 1 \\(FixBadPixelsList\\)"),
        (listed(6, struct.pack(">4I", 5, 5, 5, 9)), "expected bounds that hold pixels"),
        (listed(7, struct.pack(">8II", 0, 0, 9, 9, 0, 1, 1, 1, 2**31)), "expected 1 to 65536 entries"),
        (listed(8, struct.pack(">8II", 0, 0, 9, 9, 0, 1, 1, 1, 2**31)), "expected a degree of at most 8"),
        (listed(9, struct.pack(">8I2I4dI", 0, 0, 9, 9, 0, 1, 1, 0, 2, 2, 1, 1, 0, 0, 1)), "expected an area of pixels"),
        (listed(9, struct.pack(">8I2I4dI", 0, 0, 9, 9, 0, 1, 1, 1, 2**16, 2**16, 1, 1, 0, 0, 2**16)), "more bytes"),
        (listed(9, struct.pack(">8I2I4dI", 0, 0, 9, 9, 0, 1, 1, 1, 0, 2, 1, 1, 0, 0, 1)), "at least one point"),
        (listed(9, struct.pack(">8I2I4dIf", 0, 0, 9, 9, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, -2.0)), "gains of zero or more"),
    ],
)
def test_a_list_that_lies_is_refused_in_one_sentence(data, words):
    with pytest.raises(DamagedError, match=words):
        parse(data, "OpcodeList2")
