"""Frequencies of tokens by context: contexts that behave alike share a table, tables are told roughly.

Contexts are rows (secondary class; first for first frames, then for later ones) of primary classes. Along a
row, neighbours are joined while that shortens tables and tokens together; then a table may be joined with
that of the row before at the same place (the row before the first one of later frames is the first one).

Numbers, by kind: for each row ROW_FIRST the first context that has a table (PRIMARY: none) and ROW_LENGTH
their number less one; for each of these contexts but the first JOIN, 0: the table of the context before it;
then, if the row before has a table at this place, JOIN + 1, 0: that table; else a new one. Then FRACTION m,
and for each table LAST, its last token, and the levels of all tokens up to it, folded differences to a
guess (`_guess`), of kind LEVEL + min(2, size of the difference before). Level 0 is frequency 0, level 1 +
2^m e + r means (2^m + r) 2^e. Frequencies are scaled to a sum of 2^PRECISION, rounded down but not to 0;
what is left goes to the first of the highest levels. Contexts without a table use the first one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from invae.codec.stream.bits import bit_length, fold, log2_sum, unfold
from invae.codec.stream.contexts import N_CONTEXTS, PRIMARY, SECONDARY
from invae.codec.stream.lanes import N_TOKENS, PRECISION, Tables
from invae.codec.stream.numbers import NumberReader, NumberWriter, next_number
from invae.errors import FormatError

__all__ = ["choose_tables", "estimated_bits", "read_tables"]

N_ROWS = 2 * SECONDARY
ROW_FIRST, ROW_LENGTH, JOIN, FRACTION, LAST, LEVEL = 0, 1, 2, 4, 5, 6
MOST_LEVELS = 256
FINEST = 3
HEAD_BITS = 10 << 12
ENTRY_BITS = 10240  # 2.5 bits in 2^-12


def choose_tables(counts: np.ndarray, numbers: NumberWriter) -> Tables:
    """Tables for ``counts`` (2 * N_CONTEXTS, N_TOKENS), described in ``numbers``."""
    labels, tables, _ = _join(counts.reshape(N_ROWS, PRIMARY, N_TOKENS))
    fraction = FINEST - 1 if counts.sum() < 1 << 16 else FINEST
    levels, values, kinds = _describe(labels, tables, fraction)
    numbers.put_all(kinds, values)
    return _expand(labels, levels, fraction)


def estimated_bits(counts: np.ndarray) -> int:
    """Length in bits of tokens and tables, without raw bits; ``counts`` (2 * N_CONTEXTS, N_TOKENS)."""
    return int(_join(counts.reshape(N_ROWS, PRIMARY, N_TOKENS))[2]) >> 12


def read_tables(numbers: NumberReader) -> Tables:
    """Inverse of `choose_tables`."""
    labels = np.full((N_ROWS, PRIMARY), -1, dtype=np.int64)
    n = int(_read_labels(numbers.state, numbers.stream, numbers.odds, labels))
    fraction = numbers.take(FRACTION, FINEST + 1) if n >= 0 else 0
    levels = np.zeros((max(n, 0), N_TOKENS), dtype=np.int64)
    if n < 0 or not _read_levels(numbers.state, numbers.stream, numbers.odds, levels):
        raise FormatError("the tables of a block of frames are damaged")
    return _expand(labels, levels, fraction)


def _expand(labels: np.ndarray, levels: np.ndarray, fraction: int) -> Tables:
    n = max(len(levels), 1)
    slots = np.zeros((n, 1 << PRECISION), dtype=np.uint8)
    ranges = np.zeros((n, N_TOKENS), dtype=np.uint32)
    ranges[0, 0] = 1 << PRECISION
    if not _frequencies(levels, fraction, slots, ranges):
        raise FormatError("a table of a block of frames is empty: it is damaged")
    index = np.maximum(labels, 0).astype(np.uint16)
    return Tables(index.reshape(2, N_CONTEXTS), slots.ravel(), ranges.ravel())


@njit(cache=True, nogil=True)
def _bits(first, second):
    """Estimated length of the tokens of two contexts under one table, and of the table, in 2^-12 bits."""
    total, spent, used = 0, 0, 0
    for s in range(N_TOKENS):
        n = first[s] + second[s]
        if n:
            total += n
            spent += log2_sum(n)
            used += 1
    return log2_sum(total) - spent + used * ENTRY_BITS + HEAD_BITS if total else 0


@njit(cache=True, nogil=True)
def _used(counts):
    for n in counts:
        if n > 0:
            return True
    return False


@njit(cache=True, nogil=True)
def _add(total, counts):
    for s in range(counts.size):
        total[s] += counts[s]


@njit(cache=True, nogil=True)
def _join_row(block, costs, places, after):
    """Join neighbours of one row of contexts (PRIMARY, tokens); returns how many groups there were.

    Group k begins at context places[k], is followed by group after[k], and its tokens stand in its first
    context of ``block``.
    """
    none = np.zeros(N_TOKENS, np.int64)
    joined = np.zeros(PRIMARY, np.int64)
    n = 0
    for q in range(PRIMARY):
        if _used(block[q]):
            places[n] = q
            costs[n] = _bits(block[q], none)
            after[n] = n + 1
            n += 1
    for k in range(n - 1):
        joined[k] = _bits(block[places[k]], block[places[k + 1]])
    while n > 0:
        best, gain, ahead, k, last = -1, 0, -1, 0, -1
        while after[k] < n:
            g = costs[k] + costs[after[k]] - joined[k]
            if g > gain:
                best, gain, ahead = k, g, last
            last = k
            k = after[k]
        if best < 0:
            break
        _add(block[places[best]], block[places[after[best]]])
        costs[best] = joined[best]
        after[best] = after[after[best]]
        if after[best] < n:
            joined[best] = _bits(block[places[best]], block[places[after[best]]])
        if ahead >= 0:
            joined[ahead] = _bits(block[places[ahead]], block[places[best]])
    return n


@njit(cache=True, nogil=True)
def _join(counts):
    """Table of each context (rows, PRIMARY; -1: none), the tables' counts, all in all in 2^-12 bits."""
    costs, places, after = (
        np.zeros(PRIMARY, np.int64),
        np.zeros(PRIMARY, np.int64),
        np.zeros(PRIMARY, np.int64),
    )
    labels = np.full((N_ROWS, PRIMARY), -1, np.int64)
    room = 0
    for row in range(N_ROWS):
        for q in range(PRIMARY):
            room += _used(counts[row, q])
    tables, table_costs = np.zeros((room, N_TOKENS), np.int64), np.zeros(room, np.int64)
    n_tables = 0
    for row in range(N_ROWS):
        block = counts[row].copy()
        n = _join_row(block, costs, places, after)
        before = row - 1 if row != SECONDARY else 0
        k = 0
        while k < n:
            q, stop = places[k], places[after[k]] if after[k] < n else places[n - 1] + 1
            label = labels[before, q] if row > 0 else -1
            if label >= 0:
                both = _bits(tables[label], block[q])
                if both >= table_costs[label] + costs[k]:
                    label = -1
                else:
                    table_costs[label] = both
            if label < 0:
                label = n_tables
                n_tables += 1
                table_costs[label] = costs[k]
            _add(tables[label], block[q])
            for place in range(q, stop):
                labels[row, place] = label
            k = after[k]
    total = 0
    for t in range(n_tables):
        total += table_costs[t]
    return labels, tables[:n_tables], total


@njit(cache=True, nogil=True)
def _level(count, fraction):
    """Level of a count: its leading ``fraction`` + 1 bits, rounded down."""
    if count == 0:
        return 0
    count <<= fraction
    e = bit_length(count) - 1 - fraction
    return 1 + (e << fraction) + ((count >> e) & ((1 << fraction) - 1))


@njit(cache=True, nogil=True)
def _guess(levels, before, s):
    """Level foreseen for token ``s``, from the table itself and the one ``before``."""
    last = levels[s - 1] if s > 0 else before[0]
    if before[s] > 0 and s > 0:
        return max(before[s] + ((last - before[s - 1]) >> 1), 0)
    second = levels[s - 2] if s > 1 else last
    return (last + second) >> 1


@njit(cache=True, nogil=True)
def _describe(labels, tables, fraction):
    """Levels of the tables, and all numbers with their kinds."""
    room = N_ROWS * (2 + 2 * PRIMARY) + 1 + tables.shape[0] * (N_TOKENS + 1)
    values, kinds = np.empty(room, np.int64), np.empty(room, np.int64)
    n, seen = 0, 0
    for row in range(N_ROWS):
        own = labels[row]
        before = labels[row - 1 if row != SECONDARY else 0]
        first, stop = 0, PRIMARY
        while first < PRIMARY and own[first] < 0:
            first += 1
        while stop > first and own[stop - 1] < 0:
            stop -= 1
        values[n], kinds[n] = first, ROW_FIRST
        n += 1
        if first == PRIMARY:
            continue
        values[n], kinds[n] = stop - first - 1, ROW_LENGTH
        n += 1
        for q in range(first, stop):
            if q > first:
                values[n], kinds[n] = own[q] != own[q - 1], JOIN
                n += 1
                if own[q] == own[q - 1]:
                    continue
            if row > 0 and before[q] >= 0:
                values[n], kinds[n] = own[q] != before[q], JOIN + 1
                n += 1
                if own[q] == before[q]:
                    continue
            seen += 1
    values[n], kinds[n] = fraction, FRACTION
    n += 1
    levels = np.zeros(tables.shape, np.int64)
    before = np.zeros(N_TOKENS, np.int64)
    for t in range(tables.shape[0]):
        last = 0
        for s in range(N_TOKENS):
            levels[t, s] = min(_level(tables[t, s], fraction), MOST_LEVELS - 1)
            if levels[t, s]:
                last = s
        values[n], kinds[n] = last, LAST
        n += 1
        size = 0
        for s in range(last + 1):
            d = levels[t, s] - _guess(levels[t], before, s)
            values[n], kinds[n] = fold(d), LEVEL + size
            n += 1
            size = min(abs(d), 2)
        before = levels[t]
    return levels, values[:n], kinds[:n]


@njit(cache=True, nogil=True)
def _no(state, stream, odds, kind):
    return next_number(state, stream, odds, np.int64(kind)) == 0


@njit(cache=True, nogil=True)
def _read_labels(state, stream, odds, labels):
    """Fill ``labels``; returns the number of tables, -1 where it cannot be."""
    seen = 0
    for row in range(N_ROWS):
        first = next_number(state, stream, odds, ROW_FIRST)
        if first == PRIMARY:
            continue
        if first > PRIMARY:
            return -1
        stop = first + 1 + next_number(state, stream, odds, ROW_LENGTH)
        if stop > PRIMARY:
            return -1
        before = row - 1 if row != SECONDARY else 0
        for q in range(first, stop):
            if q > first and _no(state, stream, odds, JOIN):
                labels[row, q] = labels[row, q - 1]
            elif (
                row > 0
                and labels[before, q] >= 0
                and next_number(state, stream, odds, np.int64(JOIN + 1)) == 0
            ):
                labels[row, q] = labels[before, q]
            else:
                labels[row, q] = seen
                seen += 1
    return seen


@njit(cache=True, nogil=True)
def _read_levels(state, stream, odds, levels):
    """Fill ``levels`` (tables, tokens); False where they cannot be."""
    before = np.zeros(N_TOKENS, np.int64)
    for t in range(levels.shape[0]):
        last = next_number(state, stream, odds, np.int64(LAST))
        if last >= N_TOKENS:
            return False
        size = 0
        for s in range(last + 1):
            d = unfold(next_number(state, stream, odds, np.int64(LEVEL + size)))
            size = min(abs(d), 2)
            levels[t, s] = _guess(levels[t], before, s) + d
            if levels[t, s] < 0 or levels[t, s] >= MOST_LEVELS:
                return False
        before = levels[t]
    return True


@njit(cache=True, nogil=True)
def _frequencies(levels, fraction, slots, ranges):
    """Fill the tables; False where one has no tokens."""
    weights = np.zeros(N_TOKENS, np.int64)
    for t in range(levels.shape[0]):
        total, best = 0, 0
        for s in range(N_TOKENS):
            weights[s] = 0
            if levels[t, s] > 0:
                e = min((levels[t, s] - 1) >> fraction, 40)
                weights[s] = ((1 << fraction) + ((levels[t, s] - 1) & ((1 << fraction) - 1))) << e
                total += weights[s]
                if levels[t, s] > levels[t, best]:
                    best = s
        if total == 0:
            return False
        shift = max(bit_length(total) - 40, 0)
        left = 1 << PRECISION
        for s in range(N_TOKENS):
            if weights[s] > 0:
                weights[s] = max(((weights[s] >> shift) << PRECISION) // (total >> shift), 1)
                left -= weights[s]
        weights[best] += left
        start = 0
        for s in range(N_TOKENS):
            slots[t, start : start + weights[s]] = s
            ranges[t, s] = weights[s] | (start << 16)
            start += weights[s]
    return True
