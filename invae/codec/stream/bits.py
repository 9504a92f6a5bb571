"""Whole numbers that kernels share: lengths, logarithmic classes, the fold of signed into unsigned."""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["LOG2", "bit_length", "drop_bits", "fold", "log2_sum", "log_class", "unfold"]

LOG2 = np.array([0] + [round(4096 * math.log2(i)) for i in range(1, 4097)], dtype=np.int64)  # 2^-12 bits


@intrinsic
def _leading_zeros(typing_context, value):
    def generate(context, builder, signature, arguments):
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


@njit(cache=True, nogil=True)
def bit_length(value):
    """Bits of ``value`` read as unsigned 64-bit number."""
    return 64 - _leading_zeros(np.int64(value))  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def log_class(value, parts):
    """Class of ``value`` >= 0 with 2^parts classes an octave; values below 2^(parts + 1) are their own."""
    octave = max(0, bit_length(value) - 1 - parts)
    return (octave << parts) + (value >> octave)


@njit(cache=True, nogil=True)
def drop_bits(value, n):
    """``value``, read as unsigned 64-bit number, without its ``n`` low bits."""
    return np.int64(np.uint64(value) >> np.uint64(n))


@njit(cache=True, nogil=True)
def fold(value):
    """0, -1, 1, -2, 2, .. to 0, 1, 2, 3, 4, ..: the bits of an unsigned 64-bit number."""
    return (value << 1) ^ (value >> 63)


@njit(cache=True, nogil=True)
def unfold(value):
    """Inverse of `fold`."""
    return drop_bits(value, 1) ^ -(value & 1)


@njit(cache=True, nogil=True)
def log2_sum(n):
    """n log2 n in 2^-12 bits, by a table: the same on every machine."""
    octave = max(0, bit_length(n) - 12)
    return n * (LOG2[n >> octave] + (octave << 12))
