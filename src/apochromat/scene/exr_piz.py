"""PIZ, the wavelet compression of OpenEXR: Huffman codes, then a Haar-like wavelet, then a table of the values that occur.

Source: the description in "Technical introduction to OpenEXR" and the format's file layout. Instead of following codes bit by bit,
the length of the code that would start at every bit is found at once; only the walk from code to code is serial.
"""

from __future__ import annotations

import struct

import numpy as np

from apochromat.scene.errors import SceneError

_SYMBOLS = 65537  # 16-bit values and one that means: repeat
_LONGEST = 57  # bits of a code that a 64-bit window holds at any bit offset
_SHORT_RUN, _LONG_RUN = 59, 63  # in the table of lengths: so many zeros follow


def unpack_piz(block: bytes, rows: int, width: int, channels: list[tuple[str, np.dtype]]) -> dict[str, np.ndarray]:
    """Channels (rows, width) of a block by name."""
    first, last = struct.unpack_from("<2H", block)
    bitmap = np.zeros(8192, np.uint8)
    at = 4
    if first <= last:
        stored = np.frombuffer(block, np.uint8, last - first + 1, at)
        bitmap[first : last + 1] = stored
        at += len(stored)
    used = np.unpackbits(bitmap, bitorder="little").astype(bool)
    used[0] = True
    values = np.flatnonzero(used).astype(np.uint16)
    words = [kind.itemsize // 2 for _, kind in channels]
    (length,) = struct.unpack_from("<i", block, at)
    packed = _huffman(block[at + 4 : at + 4 + length], rows * width * sum(words))
    planes, at = {}, 0
    for (name, kind), size in zip(channels, words, strict=True):
        part = packed[at : at + rows * width * size].reshape(rows, width, size)
        for word in range(size):
            _unwavelet(part[..., word], len(values) - 1 < 1 << 14)
        looked = values[np.minimum(part, len(values) - 1)]
        planes[name] = np.ascontiguousarray(looked).view(kind)[..., 0]
        at += rows * width * size
    return planes


def _lengths(data: bytes, first: int, last: int) -> tuple[np.ndarray, int]:
    """Bits of each symbol's code (65537,) and the bytes that the table takes."""
    bits = int.from_bytes(data, "big")
    total, at = len(data) * 8, 0

    def take(count: int) -> int:
        nonlocal at
        at += count
        if at > total:
            raise SceneError("expected a whole table of PIZ codes, found its end too early")
        return (bits >> (total - at)) & ((1 << count) - 1)

    found = np.zeros(_SYMBOLS, np.int64)
    symbol = first
    while symbol <= last:
        length = take(6)
        if length == _LONG_RUN:
            symbol += take(8) + _LONG_RUN - _SHORT_RUN + 2
        elif length >= _SHORT_RUN:
            symbol += length - _SHORT_RUN + 2
        else:
            found[symbol] = length
            symbol += 1
    return found, (at + 7) // 8


def _huffman(data: bytes, count: int) -> np.ndarray:
    """The `count` 16-bit symbols of a Huffman stream."""
    first, last, _, bits = struct.unpack_from("<4I", data)
    if not first <= last < _SYMBOLS:
        raise SceneError(f"expected PIZ symbols up to {_SYMBOLS - 1}, found {first} to {last}")
    room = min(len(data) - 20, 6 * _SYMBOLS // 8 + 8)
    lengths, taken = _lengths(data[20 : 20 + room], first, last)
    if lengths.max() > _LONGEST or not lengths.any():
        raise SceneError(f"expected PIZ codes of 1 to {_LONGEST} bits, found {lengths.max()}")
    stream = np.frombuffer(data[20 + taken :], np.uint8)
    if bits > stream.size * 8:
        raise SceneError(f"expected {bits} bits of PIZ codes, found {stream.size * 8}")
    windows = _windows(stream, bits)
    symbols, steps = _codes(windows, lengths)
    repeat = symbols == last
    walk, at, jumps = [], 0, (steps + 8 * repeat).tolist()
    while at < bits:
        walk.append(at)
        at += jumps[at]
    return _expanded(symbols, steps, repeat, windows, np.array(walk, np.int64), count)


def _windows(stream: np.ndarray, bits: int) -> np.ndarray:
    """The 57 bits that start at every bit of a stream, as numbers (bits,)."""
    padded = np.concatenate([stream, np.zeros(16, np.uint8)]).astype(np.uint64)
    size = (bits + 7) // 8
    word = np.zeros(size, np.uint64)
    for i in range(8):
        word |= padded[i : i + size] << np.uint64(8 * (7 - i))
    shifts = np.arange(8, dtype=np.uint64)
    return ((word[:, None] << shifts) >> np.uint64(64 - _LONGEST)).ravel()[:bits]


def _codes(windows: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Symbol and length of the canonical code at the head of each window; longer codes have smaller numbers."""
    tally = np.bincount(lengths, minlength=_LONGEST + 1)
    firsts, code = {}, 0
    for length in range(_LONGEST, 0, -1):
        firsts[length] = code
        code = (code + int(tally[length])) >> 1
    in_use = [n for n in range(_LONGEST, 0, -1) if tally[n]]
    starts = np.array([firsts[n] << (_LONGEST - n) for n in in_use], np.uint64)
    order = np.lexsort((np.arange(_SYMBOLS), -lengths))  # longest first, then by symbol; unused ones last
    base = np.concatenate([[0], np.cumsum([tally[n] for n in in_use])])
    which = np.maximum(np.searchsorted(starts, windows, side="right") - 1, 0)
    steps = np.array(in_use, np.int64)[which]
    rank = (windows >> (_LONGEST - steps).astype(np.uint64)).astype(np.int64) - np.array([firsts[n] for n in in_use])[which]
    return order[np.clip(base[which] + rank, 0, _SYMBOLS - 1)], steps


def _expanded(symbols: np.ndarray, steps: np.ndarray, repeat: np.ndarray, windows: np.ndarray, walk: np.ndarray, count: int) -> np.ndarray:
    """Symbols along the walk, runs written out."""
    runs = repeat[walk]
    if runs[:1].any():
        raise SceneError("expected a PIZ symbol before a run, found none")
    head = walk[runs]
    after = windows[np.minimum(head + steps[head], len(windows) - 1)] >> np.uint64(_LONGEST - 8)
    times = np.ones(len(walk), np.int64)
    times[runs] = after.astype(np.int64)
    source = np.maximum.accumulate(np.where(runs, 0, np.arange(len(walk))))
    found = np.repeat(symbols[walk[source]], times)
    if len(found) != count:
        raise SceneError(f"expected {count} PIZ symbols, found {len(found)}")
    return found.astype(np.uint16)


def _unwavelet(plane: np.ndarray, small: bool) -> None:
    """Undo the wavelet of one plane (rows, width) in place; `small`: the values need fewer than 14 bits."""
    decode = _pair_small if small else _pair
    rows, width = plane.shape
    step = 1 << (min(rows, width).bit_length() - 1) >> 1
    while step >= 1:
        twice = 2 * step
        down, across = rows // twice * twice, width // twice * twice
        quad = [plane[y:down:twice, x:across:twice] for y in (0, step) for x in (0, step)]
        left = decode(quad[0], quad[2])
        right = decode(quad[1], quad[3])
        quad[0][:], quad[1][:] = decode(left[0], right[0])
        quad[2][:], quad[3][:] = decode(left[1], right[1])
        if width & step:
            a, b = plane[0:down:twice, across], plane[step:down:twice, across]
            a[:], b[:] = decode(a, b)
        if rows & step:
            a, b = plane[down, 0:across:twice], plane[down, step:across:twice]
            a[:], b[:] = decode(a, b)
        step >>= 1


def _pair_small(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two values from their mean and difference."""
    mean, difference = low.astype(np.int16).astype(np.int32), high.astype(np.int16).astype(np.int32)
    first = mean + (difference & 1) + (difference >> 1)
    return first.astype(np.uint16), (first - difference).astype(np.uint16)


def _pair(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same modulo 2^16."""
    mean, difference = low.astype(np.int32), high.astype(np.int32)
    second = (mean - (difference >> 1)) & 0xFFFF
    return ((difference + second - 0x8000) & 0xFFFF).astype(np.uint16), second.astype(np.uint16)
