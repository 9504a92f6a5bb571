"""Dictionaries of the L2 mode: 8-bit atoms, how often they are used, how they are learned and stored."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from invae.codec.coding.entropy import decode_plane, encode_plane
from invae.codec.coding.varint import Reader, Writer
from invae.codec.l2.bases import CURVE_ATOMS, analytic_atoms, default_usage
from invae.codec.l2.search import search_codes
from invae.errors import FormatError, InputError

__all__ = ["STEPS", "L2Model", "analytic_model", "checked", "search"]

MODEL_MAGIC = b"IL2M\x01"
STEPS = (1.3, 0.9, 0.63, 0.44, 0.31, 0.22, 0.15)  # in units of the error budget of a row
SCALE_BITS = 20
TIE = 1e-9
MOST_LENGTH, MOST_ATOMS = 1 << 14, 1 << 15


@dataclass(frozen=True, eq=False)
class L2Model:
    """A quantised dictionary and how often its atoms are used.

    Parameters
    ----------
    atoms : ndarray of shape (n, l), int8
    scales : ndarray of shape (l,), int64
        Atom j is ``atoms[:, j] * scales[j] / 2^20``, of norm close to 1.
    usage : ndarray of shape (l,), int64
        Probability of use in 1/65536, between 1 and 65535.
    analytic : tuple of str
        Names of the atoms that are not stored (`invae.codec.l2.bases`); they come last.
    """

    atoms: np.ndarray
    scales: np.ndarray
    usage: np.ndarray
    analytic: tuple[str, ...] = ()

    @classmethod
    def from_dictionary(cls, D: np.ndarray, usage: np.ndarray, analytic: tuple[str, ...] = ()) -> L2Model:
        """Quantise unit-norm atoms (n, l), analytic ones included, to 8 bits; ``usage`` (l,) in [0, 1]."""
        atoms, scales = _quantised(np.asarray(D, np.float64))
        steps = np.clip(np.rint(np.asarray(usage) * 65536), 24, 65000).astype(np.int64)
        return cls(atoms, scales, steps, tuple(analytic))

    @cached_property
    def dictionary(self) -> np.ndarray:
        """Atoms as decoded, (n, l) float64."""
        return self.atoms * (self.scales / 2.0**SCALE_BITS)

    @cached_property
    def gram(self) -> np.ndarray:
        """Gram matrix of the dictionary, (l, l)."""
        return self.dictionary.T @ self.dictionary

    @cached_property
    def identity(self) -> bytes:
        """First 8 bytes of the SHA-256 of all that decoding uses."""
        arrays = (self.atoms.astype(np.int8), self.scales.astype("<i8"), self.usage.astype("<i8"))
        return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).digest()[:8]

    @property
    def atom_bits(self) -> np.ndarray:
        """Estimated bits that naming an atom takes."""
        return np.maximum(np.log2(65536.0 / self.usage), 0.7)

    @property
    def stride(self) -> int:
        """Distance of the neighbours that the entropy coder looks at: the width of the first windows."""
        widths = [name.lstrip("cosinedt") for name in self.analytic]
        return next((int(width) for width in widths if width.isdigit()), 8)

    def to_bytes(self) -> bytes:
        """The model as it is stored: its size counts in every rate that includes the model."""
        n, l = self.atoms.shape
        stored = l - analytic_atoms(n, self.analytic).shape[1]
        writer = Writer()
        writer.raw(MODEL_MAGIC).number(n).number(stored).block(" ".join(self.analytic).encode())
        plane = self.atoms[:, :stored].T.astype(np.int64)
        plane[:, 1:] -= plane[:, :-1].copy()
        writer.block(encode_plane(plane))
        rest = self.scales[:stored].astype("<u4").tobytes() + self.usage.astype("<u2").tobytes()
        writer.block(zlib.compress(rest, 9)).raw(self.identity)
        data = bytes(writer.data)
        return data + zlib.crc32(data).to_bytes(4, "little")

    @classmethod
    def from_bytes(cls, data: bytes) -> L2Model:
        """Rebuild a stored model.

        Raises
        ------
        FormatError
            Damaged, or not a model.
        """
        reader = Reader(checked(data, MODEL_MAGIC, "an L2 model"))
        reader.raw(len(MODEL_MAGIC))
        n, stored = reader.number(), reader.number()
        if not 0 < n <= MOST_LENGTH or stored > MOST_ATOMS:
            raise reader.fail(f"a dictionary of {stored} atoms of length {n} is not possible")
        names = tuple(reader.block().decode("ascii", "replace").split())
        atoms, scales = _quantised(analytic_atoms(n, names))
        plane = np.cumsum(decode_plane(reader.block(), stored, n), axis=1)
        try:
            rest = zlib.decompress(reader.block())
        except zlib.error as error:
            raise reader.fail(f"scales cannot be unpacked ({error})") from error
        l = stored + atoms.shape[1]
        if len(rest) != 4 * stored + 2 * l or np.abs(plane).max(initial=0) > 127:
            raise reader.fail("the dictionary is not whole")
        own = np.frombuffer(rest[: 4 * stored], "<u4").astype(np.int64)
        model = cls(
            np.hstack([plane.T.astype(np.int8), atoms]),
            np.append(own, scales),
            np.frombuffer(rest[4 * stored :], "<u2").astype(np.int64),
            names,
        )
        if reader.raw(8) != model.identity:
            raise reader.fail("the atoms rebuilt here differ from those of the machine that wrote the model")
        return model


def analytic_model(n: int, analytic: tuple[str, ...] = CURVE_ATOMS) -> L2Model:
    """The model that needs no training and no bytes: analytic atoms, rows of any length n >= 1.

    Examples
    --------
    >>> model = analytic_model(32)
    >>> model.dictionary.shape[1] > 32
    True
    """
    if not 1 <= n <= MOST_LENGTH:
        raise InputError(
            f"rows of length {n} cannot be coded in one piece; cut them to at most {MOST_LENGTH}"
        )
    return L2Model.from_dictionary(analytic_atoms(n, analytic), default_usage(n, analytic), analytic)


def search(target: np.ndarray, model: L2Model) -> tuple[np.ndarray, np.ndarray]:
    """Codes (N, l) and chosen steps (N,), -1 where no step reaches the budget, of rows in units of it."""
    codes = np.zeros((len(target), model.atoms.shape[1]), np.int64)
    choices = np.full(len(target), -1, np.int64)
    energies = np.einsum("ij,ij->i", target, target)
    search_codes(
        model.gram,
        target @ model.dictionary,
        energies,
        np.array(STEPS),
        model.atom_bits,
        codes,
        choices,
        4 * target.shape[1],
    )
    return codes, choices


def checked(data: bytes, magic: bytes, what: str) -> bytes:
    """The bytes without their checksum, if magic and checksum are right."""
    if data[: len(magic)] != magic:
        raise FormatError(f"byte 0: not {what}")
    if len(data) < len(magic) + 4 or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "little"):
        raise FormatError(f"{what} of {len(data)} bytes is damaged: its checksum does not match")
    return data[:-4]


def _quantised(D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 atoms and their integer scales.

    Halves are common among analytic atoms, and rounding errors, which differ between machines, would decide
    them: what is within `TIE` of a half goes up.
    """

    def rounded(x: np.ndarray) -> np.ndarray:
        return np.floor(x + (0.5 + TIE))

    largest = np.maximum(np.abs(D).max(axis=0, initial=0.0), 1e-12)
    scales = np.maximum(rounded(largest / 127 * 2**SCALE_BITS), 1).astype(np.int64)
    return rounded(D / largest * 127).astype(np.int8), scales
