"""A value by its difference to a guess: the length of the difference under adaptive odds, the rest raw."""

from __future__ import annotations

from invae.codec.coding.coder import code_bit, code_raw
from invae.codec.coding.compiled import step

__all__ = ["code_first"]

LONGEST = 60  # bits of a difference: twice the largest code of a model, and its sign, are fewer
LIMIT = 60  # of counts: lengths of rows that are alike settle within some tens of them
LEAST_CHANCE = 64  # of 2^16: a surprise costs ten bits


@step
def code_first(coder, value, above, F):
    """The first value of a row from the one above: length of the difference adaptive, the rest raw."""
    r = value - above
    v = 2 * r if r >= 0 else -2 * r - 1
    length = 0
    if not coder.decoding:
        while v >> length:
            length += 1
    k = 0
    while k < LONGEST:
        chance, count = F[k, 0], F[k, 1]
        one = code_bit(coder, k < length, chance)
        target = chance + (one * 65535 - chance) // (count + 2)
        F[k, 0] = min(max(target, LEAST_CHANCE), 65536 - LEAST_CHANCE)
        F[k, 1] = min(count + 1, LIMIT)
        if not one:
            break
        k += 1
    low = code_raw(coder, v, max(k - 1, 0))
    if not coder.decoding:
        return value
    v = (1 << (k - 1)) | low if k > 0 else 0
    return above + (v >> 1 if v & 1 == 0 else -(v >> 1) - 1)
