"""Learned coding: exact, same bytes everywhere, better than the trivial coder, loud without its model."""

from __future__ import annotations

import hashlib
import inspect
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import invae
from invae.codec import Archive, Bound, CodecModel, compress, decompress, default_model, train_codec
from invae.codec.coding.tables import S_MAX, mixing_tables
from invae.codec.curves.model import MOST_BYTES, fast_curve_model, shipped_curve_model
from invae.codec.fields.integers import encode_integers
from invae.errors import FormatError, InputError, ModelError


def guinier_porod(rng, n_curves, n=200):
    """Smooth curves with a knee, on a logarithmic grid."""
    q = np.geomspace(1e-3, 1, n)
    size = np.exp(rng.uniform(2, 6, (n_curves, 1)))
    power = rng.uniform(1.5, 4.5, (n_curves, 1))
    return 10 ** rng.uniform(-2, 4, (n_curves, 1)) / (1 + (q * size) ** 2) ** (power / 2) + 1e-3


@settings(deadline=None, max_examples=100)
@given(
    arrays(
        np.int64,
        array_shapes(min_dims=2, max_dims=2, min_side=8, max_side=40),
        elements=st.integers(-(2**47), 2**47) | st.integers(-3, 3),
    )
)
def test_any_plane_within_the_range_comes_back(plane):
    model = shipped_curve_model()
    data = model.encode(plane)
    assert np.array_equal(model.decode(data, *plane.shape), plane)


def test_planes_beyond_the_range_are_left_to_the_other_coder():
    assert shipped_curve_model().encode(np.full((2, 9), 2**50)) is None
    assert shipped_curve_model().encode(np.zeros((2, 3), np.int64)) is None


@pytest.mark.parametrize("eps", [1e-1, 1e-2, 1e-3, 1e-4])
def test_smooth_curves_take_far_fewer_bytes_than_by_the_trivial_coder(rng, eps):
    plane = np.rint(np.log10(guinier_porod(rng, 20)) / (2 * eps)).astype(np.int64)
    learned = shipped_curve_model().encode(plane)
    assert len(learned) < 0.75 * len(encode_integers(plane))
    assert np.array_equal(shipped_curve_model().decode(learned, *plane.shape), plane)


def test_coding_leaves_the_model_as_it_was(rng):
    plane = np.rint(100 * np.log10(guinier_porod(rng, 3))).astype(np.int64)
    model = shipped_curve_model()
    assert model.encode(plane) == model.encode(plane)


def test_the_default_model_is_small_and_survives_its_stored_form():
    data = default_model().to_bytes()
    assert len(data) <= MOST_BYTES
    assert CodecModel.from_bytes(data).digest == default_model().digest


def blobs_of_every_coder():
    """Archives of curves, of curves in steps of sigma, of frames and counts, and by relative L2."""
    x = np.exp(-np.outer(np.linspace(1, 3, 5), np.linspace(0, 9, 300)))
    y = np.exp(-np.hypot(*np.indices((40, 48)) - 20.0) / 9)
    counts = np.random.default_rng(0).poisson(50 * y)
    return [
        compress(x, "log:1e-3"),
        compress(x, "0.5sigma", sigma=0.02 * np.sqrt(x) * (1 + np.sin(np.arange(1500)).reshape(x.shape) / 9)),
        compress(y, "log:1e-3"),
        compress(counts, "lossless"),
        compress(counts, "0.5sigma"),
        compress(x, "l2:0.02"),
    ]


def test_bytes_are_the_same_on_another_processor():
    """Another process, compiled for no processor in particular, without vector units of BLAS and NumPy."""
    code = inspect.getsource(blobs_of_every_coder) + (
        "\nimport hashlib, numpy as np\nfrom invae.codec import compress\n"
        "print(*(hashlib.sha256(blob).hexdigest() for blob in blobs_of_every_coder()))"
    )
    environment = {
        "OPENBLAS_CORETYPE": "Prescott",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3",
        "OMP_NUM_THREADS": "1",
        "NUMBA_CPU_NAME": "generic",
    }
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert found.stdout.split() == [hashlib.sha256(blob).hexdigest() for blob in blobs_of_every_coder()]


def test_a_model_of_ones_own_beats_the_untrained_one_and_is_asked_for(rng, tmp_path):
    own = train_codec(guinier_porod(rng, 40), bounds=(5e-3, 2e-2), n_steps=300)
    curves = guinier_porod(rng, 10)
    blob = compress(curves, "log:1e-2", model=own)
    assert len(blob) < len(compress(curves, "log:1e-2", model=None))
    with pytest.raises(ModelError, match="not at hand"):
        decompress(blob)
    back = decompress(blob, model=own)
    assert Bound.parse("log:1e-2").check(curves, back).all()
    assert np.array_equal(decompress(compress(curves, "log:1e-2", model=own, embed=True)), back)
    path = invae.save(own, tmp_path / "own.h5")
    assert invae.load(path).digest == own.digest
    with Archive(blob, model=invae.load(path)) as archive:
        assert np.array_equal(archive[0], back)


def test_wrong_models_are_refused():
    with pytest.raises(ModelError):
        CodecModel.from_bytes(b"nonsense")
    with pytest.raises(ModelError, match="damaged"):
        CodecModel.from_bytes(default_model().to_bytes()[:300])
    with pytest.raises(InputError, match="CodecModel"):
        compress(np.zeros(9), "abs:1", model="other")
    with pytest.raises(InputError, match="16 positive"):
        train_codec([np.zeros(50)])


def test_damaged_learned_streams_end(rng):
    from invae.codec.fields.field import decode_field, encode_field

    data, _ = encode_field(guinier_porod(rng, 2), Bound.parse("log:1e-3"), model=default_model())
    for k in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[k] ^= 0x55
        try:
            decode_field(bytes(damaged), model=default_model())
        except FormatError:
            continue


def test_tables_are_what_they_say():
    softplus, odds, inverse, weight = mixing_tables()
    t = np.arange(-S_MAX, S_MAX + 1) / 256
    assert np.abs(softplus - 256 * np.logaddexp(0, t)).max() <= 0.51
    d = np.arange(1, 4096) / 256
    assert np.abs(odds[1:] - np.clip(-256 * np.log(np.expm1(d)), -2047, 2047)).max() <= 0.51
    R = (4 * np.arange(4096) + 2) / 256
    assert np.abs(inverse / (2**20 / (128 * R + 12)) - 1).max() < 1e-2
    assert np.abs(weight / np.maximum(2**24 * (1 + R**2 / 0.02) ** -1.5, 1) - 1)[:400].max() < 0.02


def test_models_without_memory_code_and_are_not_trained_further(rng):
    curves = guinier_porod(rng, 4)
    fast = CodecModel(fast_curve_model())
    assert fast.curves.without_memory and not default_model().curves.without_memory
    blob = compress(curves, "log:1e-3", model=fast)
    assert len(blob) < 0.8 * len(compress(curves, "log:1e-3", model=None))
    assert Bound.parse("log:1e-3").check(curves, decompress(blob)).all()
    assert CodecModel.from_bytes(fast.to_bytes()).digest == fast.digest
    with pytest.raises(InputError, match="without memory"):
        train_codec(curves, start=fast)
