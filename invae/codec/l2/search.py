"""Sparse integer codes of least estimated length for a given error: quantised matching pursuit.

A row x (in units of its error budget, so that the aim is ||x - D z step|| <= 1) is coded by integers z on a
dictionary D. Each move adds an integer to one code and is chosen by error removed per bit spent; then codes
that can be shrunk or dropped within the budget are, those that save most first. The error is always that of
the quantised codes, so nothing is lost when they are rounded. Bits are estimates; the bytes come from
`invae.codec.l2.entropy`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["search_codes"]


@njit(cache=True, nogil=True)
def value_bits(z):
    """Estimated bits of a non-zero integer: sign, and its size in a falling distribution."""
    size = abs(z)
    bits = 2.0
    while size > 1:
        size >>= 1
        bits += 1.6
    return bits


@njit(cache=True, nogil=True)
def _pursue(G, alpha, energy, step, atom_bits, z, most):
    """Fill z until the squared error is at most 1; return it (above 1 where this step cannot get there)."""
    l = len(G)
    for j in range(l):
        z[j] = 0
    error = energy
    for _ in range(most):
        if error <= 1.0:
            break
        best, chosen, amount = 0.0, -1, 0
        for j in range(l):
            unit = step * G[j, j]
            move = np.rint(alpha[j] / unit)
            if move == 0:
                continue
            gain = min(2 * move * step * alpha[j] - move * move * step * unit, error)
            # what is removed beyond the budget is worth nothing
            gain = min(gain, error - 0.9)
            bits = 1.5 if z[j] != 0 else atom_bits[j] + value_bits(int(move))
            if gain > best * bits:
                best, chosen, amount = gain / bits, j, int(move)
        if chosen < 0:
            return error
        shift = amount * step
        error += shift * shift * G[chosen, chosen] - 2 * shift * alpha[chosen]
        z[chosen] += amount
        for j in range(l):
            alpha[j] -= shift * G[chosen, j]
    return error


@njit(cache=True, nogil=True)
def _polish(G, alpha, error, step, z):
    """Move used codes by one, best first, while that lowers the squared error; return it."""
    l = len(G)
    while True:
        best, chosen, amount = 1e-9, -1, 0
        for j in range(l):
            if z[j] == 0:
                continue
            move = 1 if alpha[j] > 0 else -1
            if z[j] + move == 0:
                continue
            gain = 2 * move * step * alpha[j] - step * step * G[j, j]
            if gain > best:
                best, chosen, amount = gain, j, move
        if chosen < 0:
            return error
        shift = amount * step
        for j in range(l):
            alpha[j] -= shift * G[chosen, j]
        z[chosen] += amount
        error -= best


@njit(cache=True, nogil=True)
def _trim(G, alpha, error, step, atom_bits, z):
    """Shrink or drop codes while the squared error stays within 1; return it."""
    l = len(G)
    while True:
        best, chosen, amount, after = 0.0, -1, 0, error
        for j in range(l):
            if z[j] == 0:
                continue
            for drop in range(2):
                move = -z[j] if drop else (-1 if z[j] > 0 else 1)
                if not drop and abs(z[j]) == 1:
                    continue
                shift = move * step
                new = error + shift * shift * G[j, j] - 2 * shift * alpha[j]
                if new > 1.0:
                    continue
                left = z[j] + move
                saved = value_bits(z[j]) - (value_bits(left) if left else -atom_bits[j])
                score = saved / (max(new - error, 0.0) + 1e-3)
                if saved > 0 and score > best:
                    best, chosen, amount, after = score, j, move, new
        if chosen < 0:
            return error
        shift = amount * step
        for j in range(l):
            alpha[j] -= shift * G[chosen, j]
        z[chosen] += amount
        error = after


@njit(cache=True, nogil=True)
def code_bits(z, atom_bits):
    """Estimated bits of a code."""
    bits = 0.0
    for j in range(len(z)):
        if z[j] != 0:
            bits += atom_bits[j] + value_bits(z[j])
    return bits


@njit(cache=True, nogil=True)
def search_codes(G, correlations, energies, steps, atom_bits, codes, choices, most):
    """Best of all steps for every row.

    Parameters
    ----------
    G : ndarray of shape (l, l)
        Gram matrix of the dictionary.
    correlations : ndarray of shape (N, l)
        X D, rows in units of their budgets.
    energies : ndarray of shape (N,)
        ||x||^2.
    steps : ndarray of shape (S,)
        Candidate steps.
    atom_bits : ndarray of shape (l,)
        Estimated bits to name an atom.
    codes : ndarray of shape (N, l), int64, filled
    choices : ndarray of shape (N,), int64, filled
        Chosen step, -1 where none reaches the budget.
    most : int
        Most moves for a row.
    """
    l = len(G)
    z, alpha = np.zeros(l, np.int64), np.zeros(l)
    for i in range(len(correlations)):
        least = np.inf
        choices[i] = -1
        for s in range(len(steps)):
            alpha[:] = correlations[i]
            error = _pursue(G, alpha, energies[i], steps[s], atom_bits, z, most)
            if error > 1.0:
                continue
            for _ in range(3):
                before = error
                error = _polish(G, alpha, error, steps[s], z)
                error = _trim(G, alpha, error, steps[s], atom_bits, z)
                if error >= before:
                    break
            bits = code_bits(z, atom_bits)
            if bits < least:
                least = bits
                choices[i] = s
                codes[i] = z
