"""A value by its difference to a guess: the length of the difference under adaptive odds, the rest raw."""

from __future__ import annotations

from numba import njit

from invae.codec.coding.coder import decode_bit, decode_raw, encode_bit, encode_raw

__all__ = ["code_first"]


@njit(cache=True, nogil=True)
def code_first(state, stream, decoding, value, above, F):
    """The first value of a row from the one above: length of the difference adaptive, the rest raw."""
    r = value - above
    v = 2 * r if r >= 0 else -2 * r - 1
    length = 0
    if not decoding:
        while v >> length:
            length += 1
    k = 0
    while k < 60:
        chance, count = F[k, 0], F[k, 1]
        if decoding:
            one = decode_bit(state, stream, chance)
        else:
            one = 1 if k < length else 0
            encode_bit(state, stream, one, chance)
        F[k, 0] = min(max(chance + (one * 65535 - chance) // (count + 2), 64), 65472)
        F[k, 1] = min(count + 1, 60)
        if not one:
            break
        k += 1
    if decoding:
        v = (1 << (k - 1)) | decode_raw(state, stream, k - 1) if k > 0 else 0
        return above + (v >> 1 if v & 1 == 0 else -(v >> 1) - 1)
    encode_raw(state, stream, v, max(k - 1, 0))
    return value
