"""The rivals: installed compressors behind the one signature of `invae.evaluation.rates.Codec`.

Each is the real library: HDF5's filters through hdf5plugin, the others through imagecodecs where it is
installed. ``grid + best lossless`` is the trivial coder that anything learned must beat first.
"""

from __future__ import annotations

import bz2
import importlib.util
import lzma
from typing import Any

import numpy as np

from invae.errors import InputError
from invae.evaluation.rates import Codec

__all__ = [
    "Bitshuffle",
    "JpegXl",
    "JpegXlGrid",
    "Pcodec",
    "Sperr",
    "Sz3",
    "TrivialGrid",
    "Zfp",
    "Zstd",
    "codecs",
]


class Zstd(Codec):
    """Zstandard of the raw bytes."""

    def __init__(self, level: int = 19):
        self.level = level
        self.name = f"zstd-{level}"

    def supports(self, array, abs_bound=None):
        return abs_bound is None and array.dtype.kind in "biuf"

    def _encode(self, array, tolerance):
        import zstandard

        return zstandard.ZstdCompressor(level=self.level).compress(array.tobytes())

    def _decode(self, blob, shape, dtype):
        import zstandard

        return np.frombuffer(zstandard.ZstdDecompressor().decompress(blob), dtype)


class Bitshuffle(Codec):
    """The HDF5 filter that detectors write: bits transposed, then LZ4 or Zstandard (hdf5plugin)."""

    def __init__(self, backend: str = "lz4"):
        self.backend = backend
        self.name = f"bitshuffle-{backend}"

    def supports(self, array, abs_bound=None):
        return abs_bound is None and array.dtype.kind in "biuf" and 0 < array.nbytes < 2**31

    def _filter(self) -> Any:
        import hdf5plugin

        return hdf5plugin.Bitshuffle(cname="zstd" if self.backend == "zstd" else "lz4")

    def _encode(self, array, tolerance):
        with _memory_file() as file:
            flat = file.create_dataset(
                "x", data=array.ravel(), chunks=(array.size,), compression=self._filter()
            )
            return flat.id.read_direct_chunk((0,))[1]

    def _decode(self, blob, shape, dtype):
        size = int(np.prod(shape))
        with _memory_file() as file:
            flat = file.create_dataset("x", (size,), dtype, chunks=(size,), compression=self._filter())
            flat.id.write_direct_chunk((0,), blob)
            return flat[()]


class Sz3(Codec):
    """SZ3 with an absolute bound (imagecodecs)."""

    name = "SZ3"

    def supports(self, array, abs_bound=None):
        return (
            abs_bound is not None
            and array.dtype in (np.float32, np.float64)
            and 1 <= array.ndim <= 4
            and _finite(array)
        )

    def _encode(self, array, tolerance):
        import imagecodecs

        return imagecodecs.sz3_encode(array, mode="abs", abs=tolerance)

    def _decode(self, blob, shape, dtype):
        import imagecodecs

        return imagecodecs.sz3_decode(blob, shape, dtype)


class Zfp(Codec):
    """ZFP in fixed-accuracy mode, or reversible when lossless (imagecodecs)."""

    name = "ZFP"

    def supports(self, array, abs_bound=None):
        return array.dtype in (np.float32, np.float64) and 1 <= array.ndim <= 4 and _finite(array)

    def _encode(self, array, tolerance):
        import imagecodecs

        if tolerance is None:
            return imagecodecs.zfp_encode(array, mode="reversible")
        return imagecodecs.zfp_encode(array, tolerance, mode="a")

    def _decode(self, blob, shape, dtype):
        import imagecodecs

        return imagecodecs.zfp_decode(blob)


class Sperr(Codec):
    """SPERR (wavelets with outlier correction) with a point-wise bound, 2-D and 3-D (imagecodecs)."""

    name = "SPERR"

    def supports(self, array, abs_bound=None):
        floats = array.dtype in (np.float32, np.float64)
        return (
            abs_bound is not None
            and floats
            and array.ndim in (2, 3)
            and min(array.shape) >= 8
            and _finite(array)
        )

    def _encode(self, array, tolerance):
        import imagecodecs

        return imagecodecs.sperr_encode(array, tolerance, mode="pwe", numthreads=1)

    def _decode(self, blob, shape, dtype):
        import imagecodecs

        return imagecodecs.sperr_decode(blob, numthreads=1)


class Pcodec(Codec):
    """pcodec: lossless coding of numeric sequences (imagecodecs)."""

    def __init__(self, level: int = 8):
        self.level = level
        self.name = "pcodec"

    def supports(self, array, abs_bound=None):
        kinds = array.dtype.kind in "iuf" and array.dtype.itemsize in (2, 4, 8)
        return abs_bound is None and kinds and array.size > 0

    def _encode(self, array, tolerance):
        import imagecodecs

        return imagecodecs.pcodec_encode(array.ravel(), level=self.level)

    def _decode(self, blob, shape, dtype):
        import imagecodecs

        return imagecodecs.pcodec_decode(blob, (int(np.prod(shape)),), dtype)


class JpegXl(Codec):
    """JPEG XL, lossless, of integer frames; values above 16 bits need a second plane.

    Detectors mark masked pixels by the largest integer: the maximum is replaced by the first free value above
    the other data, and 25 bytes (offset, maximum, replacement, planes) are counted for that.
    """

    name = "JPEG XL"

    def __init__(self, effort: int = 7):
        self.effort = effort

    def supports(self, array, abs_bound=None):
        integers = array.dtype.kind in "iu" and array.dtype.itemsize <= 4
        return abs_bound is None and integers and array.ndim in (2, 3) and array.size > 0

    def _encode(self, array, tolerance):
        import imagecodecs

        stack = array.reshape(-1, *array.shape[-2:]).astype(np.int64)
        low, top = int(stack.min()), int(stack.max())
        below = stack[stack < top]
        free = int(below.max()) + 1 if below.size else top
        stack = np.where(stack == top, free, stack) - low
        n_planes = 1 if free - low < 2**16 else 2
        head = np.array([low, top, free], np.int64).tobytes() + bytes([n_planes])
        parts = []
        for image in stack:
            for plane in range(n_planes):
                words = (image >> (16 * plane) & 0xFFFF).astype(np.uint16)
                part = imagecodecs.jpegxl_encode(words, lossless=True, effort=self.effort, numthreads=1)
                parts.append(len(part).to_bytes(4, "little") + part)
        return head + b"".join(parts)

    def _decode(self, blob, shape, dtype):
        import imagecodecs

        low, top, free = (int(v) for v in np.frombuffer(blob, np.int64, 3))
        n_planes, place = blob[24], 25
        stack = np.zeros((int(np.prod(shape[:-2])), *shape[-2:]), np.int64)
        for image in stack:
            for plane in range(n_planes):
                size = int.from_bytes(blob[place : place + 4], "little")
                words = imagecodecs.jpegxl_decode(blob[place + 4 : place + 4 + size], numthreads=1)
                image |= words.astype(np.int64).reshape(image.shape) << (16 * plane)
                place += 4 + size
        stack += low
        return np.where(stack == free, top, stack)


class JpegXlGrid(Codec):
    """A uniform grid of step 2 eps, its integers as lossless JPEG XL images; 8 bytes more for the step."""

    name = "grid + JPEG XL"

    def __init__(self, effort: int = 7):
        self.images = JpegXl(effort)

    def supports(self, array, abs_bound=None):
        return (
            abs_bound is not None
            and array.dtype in (np.float32, np.float64)
            and array.ndim in (2, 3)
            and _finite(array)
            and float(np.abs(array).max()) / (2 * abs_bound) < 2**30
        )

    def _encode(self, array, tolerance):
        step = 2 * tolerance
        grid = np.rint(array.astype(np.float64) / step).astype(np.int32)
        return np.float64(step).tobytes() + self.images._encode(grid, None)

    def _decode(self, blob, shape, dtype):
        step = float(np.frombuffer(blob, np.float64, 1)[0])
        return (self.images._decode(blob[8:], shape, np.dtype(np.int32)) * step).astype(dtype)


class TrivialGrid(Codec):
    """The coder to beat first: a uniform grid of step 2 eps, differences, the best general lossless coder.

    Orders 0, 1 and 2 of differences along the last axis and zstd, bz2, LZMA, bitshuffle-zstd and (where
    installed) pcodec are tried; the smallest wins, at the price of 3 bytes.
    """

    name = "grid + best lossless"

    def supports(self, array, abs_bound=None):
        if (
            abs_bound is None
            or array.dtype not in (np.float32, np.float64)
            or array.ndim == 0
            or not array.size
        ):
            return False
        return _finite(array) and float(np.abs(array).max()) / (2 * abs_bound) < 2**52

    def _encode(self, array, tolerance):
        step = 2 * tolerance
        grid = np.rint(array.astype(np.float64) / step).astype(np.int64)
        best: bytes | None = None
        for order in range(min(3, array.shape[-1])):
            values = (
                np.diff(grid, order, axis=-1, prepend=np.zeros((*grid.shape[:-1], order), np.int64))
                if order
                else grid
            )
            narrow = values.astype(np.min_scalar_type(-max(1, int(np.abs(values).max()))))
            for index, pack in enumerate(_packers()):
                body = pack[0](narrow)
                if body is not None and (best is None or len(body) + 3 < len(best)):
                    best = bytes([order, narrow.dtype.itemsize, index]) + body
        if best is None:
            raise InputError(f"no lossless coder took the grid of an array of shape {array.shape}")
        return np.float64(step).tobytes() + best

    def _decode(self, blob, shape, dtype):
        step = float(np.frombuffer(blob, np.float64, 1)[0])
        order, itemsize, index = blob[8:11]
        values = (
            _packers()[index][1](blob[11:], shape, np.dtype(f"i{itemsize}")).reshape(shape).astype(np.int64)
        )
        for _ in range(order):
            values = np.cumsum(values, axis=-1)
        return (values * step).astype(dtype)


def codecs() -> dict[str, Codec]:
    """Every rival that is installed, by name; those of imagecodecs only where it is importable."""
    installed: list[Codec] = [Zstd(), Bitshuffle("lz4"), Bitshuffle("zstd"), TrivialGrid()]
    if importlib.util.find_spec("imagecodecs"):
        installed += [Sz3(), Zfp(), Sperr(), JpegXl(), Pcodec()]
    return {codec.name: codec for codec in installed}


def _packers() -> list[tuple[Any, Any]]:
    zstd, shuffled, packed = Zstd(), Bitshuffle("zstd"), Pcodec()
    has_pcodec = importlib.util.find_spec("imagecodecs") is not None

    def pcodec(values):
        return packed._encode(values, None) if has_pcodec and packed.supports(values) else None

    return [
        (lambda v: zstd._encode(v, None), zstd._decode),
        (lambda v: bz2.compress(v.tobytes(), 9), lambda b, s, d: np.frombuffer(bz2.decompress(b), d)),
        (
            lambda v: lzma.compress(v.tobytes(), lzma.FORMAT_ALONE),
            lambda b, s, d: np.frombuffer(lzma.decompress(b), d),
        ),
        (lambda v: shuffled._encode(v, None), shuffled._decode),
        (pcodec, packed._decode),
    ]


def _memory_file() -> Any:
    import h5py

    return h5py.File("memory.h5", "w", driver="core", backing_store=False)


def _finite(array: np.ndarray) -> bool:
    return array.size > 0 and bool(np.isfinite(array).all())
