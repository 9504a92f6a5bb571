"""Weights of the polynomial experts: least squares through the last values, in whole numbers."""

from __future__ import annotations

from fractions import Fraction

__all__ = ["polynomial_taps"]


def polynomial_taps(degree: int, window: int, bits: int) -> list[int]:
    """Weights (2^-bits) on the last ``window`` values, newest first: what their polynomial says is next."""
    rows = [[Fraction((-(k + 1)) ** p) for p in range(degree + 1)] for k in range(window)]
    n = degree + 1
    gram = [[sum((r[a] * r[b] for r in rows), Fraction(0)) for b in range(n)] for a in range(n)]
    # Solve gram c = e_0 by elimination: the prediction at 0 is c . (A^T values).
    system = [gram[a] + [Fraction(int(a == 0))] for a in range(n)]
    for a in range(n):
        system[a] = [value / system[a][a] for value in system[a]]
        for b in range(n):
            if b != a:
                system[b] = [x - system[b][a] * y for x, y in zip(system[b], system[a])]
    weights = [sum((system[p][n] * row[p] for p in range(n)), Fraction(0)) for row in rows]
    taps = [round(weight * (1 << bits)) for weight in weights]
    taps[0] += (1 << bits) - sum(taps)
    return taps
