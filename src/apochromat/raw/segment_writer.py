"""The samples of a frame to strips or tiles of a DNG, compressed (Adobe DNG specification 1.7.1; lossless JPEG: ITU-T T.81, annex H)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from apochromat.light.raw_frame import RawFrame


def compressed(frame: RawFrame, compression: str, bits: int, tile: int, threads: int = 1) -> list[Any]:
    """The stored bytes of a frame's one strip (tile 0), or of each square tile of that side, row by row.

    compression: "none", "deflate", "ljpeg", "jpegxl" or "jpeg"; bits: a sample's, 8 to 16, or 32 for floats; threads: tiles that are
    compressed at a time (the compressors let go of the interpreter). The bytes do not depend on threads.
    """
    encode, blocks = _encoder(compression, bits, frame.is_mosaic), _blocks(frame.samples, tile)
    if threads == 1 or not tile:
        return [encode(block) for block in blocks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(encode, blocks))


def _blocks(samples: np.ndarray, tile: int) -> Iterator[np.ndarray]:
    """One strip, or tiles, those at the right and bottom filled up by repeating the last samples."""
    height, width = samples.shape[:2]
    for y in range(0, height, tile or height):
        for x in range(0, width, tile or width):
            block = samples[y : y + tile, x : x + tile] if tile else samples
            missing = [(0, max(0, tile - n)) for n in block.shape[:2]]
            yield np.pad(block, missing + [(0, 0)] * (samples.ndim - 2), mode="edge") if tile > min(block.shape[:2]) else block


def _encoder(compression: str, bits: int, is_mosaic: bool) -> Callable[[np.ndarray], Any]:
    """A function from a block of samples to its stored bytes."""
    if compression == "none":
        return lambda block: _packed(block, bits)
    if compression == "deflate":
        return lambda block: zlib.compress(_differenced(block), 6)
    import imagecodecs

    if compression == "jpegxl":
        return lambda block: imagecodecs.jpegxl_encode(_integers(block, bits), lossless=True, bitspersample=bits)
    if compression == "jpeg":
        return lambda block: imagecodecs.jpeg8_encode(_integers(block, 8), 95, subsampling="444")
    return lambda block: imagecodecs.jpeg8_encode(_paired(_integers(block, bits), is_mosaic), lossless=True, bitspersample=bits)


def _integers(block: np.ndarray, bits: int) -> np.ndarray:
    return np.ascontiguousarray(block, np.uint8 if bits == 8 else np.uint16)


def _paired(block: np.ndarray, is_mosaic: bool) -> np.ndarray:
    """A mosaic's columns as two components, so that each sample is predicted from one of its own colour."""
    height, width = block.shape[:2]
    return block.reshape(height, width // 2, 2) if is_mosaic and width % 2 == 0 else block


def _packed(block: np.ndarray, bits: int) -> bytes:
    """Uncompressed samples: whole bytes little-endian, odd depths packed from the most significant bit, rows on byte borders."""
    if bits in (8, 16, 32):
        return block.astype({8: "<u1", 16: "<u2", 32: "<f4"}[bits]).tobytes()
    octets = block.astype(">u2").reshape(len(block), -1, 1).view(np.uint8)
    return np.packbits(np.unpackbits(octets, axis=-1)[:, :, 16 - bits :].reshape(len(block), -1), axis=1).tobytes()


def _differenced(block: np.ndarray) -> bytes:
    """32-bit floats as rows of byte planes, most significant first, each byte less the one before it (TIFF predictor 3)."""
    planes = 1 if block.ndim == 2 else block.shape[2]
    octets = np.ascontiguousarray(block, ">f4").view(np.uint8).reshape(len(block), -1, 4).transpose(0, 2, 1).reshape(len(block), -1)
    return np.concatenate([octets[:, :planes], octets[:, planes:] - octets[:, :-planes]], axis=1).tobytes()
