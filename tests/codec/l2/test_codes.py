from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invae.codec.l2.bases import analytic_atoms
from invae.codec.l2.codes import L2Model, analytic_model, decode_l2, encode_l2
from invae.codec.l2.entropy import decode_codes, encode_codes
from invae.codec.l2.model import _quantised
from invae.codec.learning.dictionaries import pca_model, train_l2
from invae.data.simulation.curves import default_q, simulate_curves
from invae.data.simulation.sasmodels_bridge import has_compiler
from invae.errors import FormatError, InputError, ModelError

N_POINTS = 48


def oscillating_rows(rng, N=120, n=N_POINTS):
    """Curves like form factors on a log scale: a falling line, an oscillation, sharp minima."""
    t = np.linspace(0, 1, n)
    period, slope = rng.uniform(2, 30, (N, 1)), rng.uniform(1, 4, (N, 1))
    return rng.normal(0, 3, (N, 1)) - slope * t + np.log10(np.cos(period * t) ** 2 + 1e-2)


@pytest.fixture(scope="module")
def rows():
    return oscillating_rows(np.random.default_rng(5))


@pytest.fixture(scope="module")
def model(rows):
    return train_l2(rows[:80], n_learned=8, n_passes=3)


def relative_error(decoded, rows):
    return np.linalg.norm(decoded - rows, axis=1) / np.linalg.norm(
        rows - rows.mean(axis=1, keepdims=True), axis=1
    )


@pytest.mark.parametrize("tolerance", [1e-4, 0.01, 0.02, 0.05, 0.5])
def test_every_row_meets_its_bound(rows, model, tolerance):
    decoded = decode_l2(encode_l2(rows, tolerance, model), model)
    assert relative_error(decoded, rows).max() <= tolerance


@settings(max_examples=40, deadline=None)
@given(
    data=st.lists(
        st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=48, max_size=48),
        min_size=0,
        max_size=4,
    ),
    tolerance=st.sampled_from([1e-6, 0.01, 0.3]),
)
def test_rows_of_any_content_meet_their_bound_or_are_exact(model, data, tolerance):
    rows = np.array(data, np.float64).reshape(-1, N_POINTS)
    decoded = decode_l2(encode_l2(rows, tolerance, model), model)
    for row, back in zip(rows, decoded):
        if np.array_equal(row.view(np.uint64), back.view(np.uint64)):
            continue
        assert np.isfinite(row).all()
        with np.errstate(over="ignore"):
            assert np.linalg.norm(back - row) <= tolerance * np.linalg.norm(row - row.mean()) * (1 + 1e-12)


def test_odd_rows_among_ordinary_ones_are_exact(rows, model):
    odd = rows[:9].copy()
    odd[0] = 7.25
    odd[4, 3] = np.nan
    odd[8] = -0.0
    decoded = decode_l2(encode_l2(odd, 0.02, model), model)
    assert np.array_equal(decoded[[0, 4, 8]].view(np.uint64), odd[[0, 4, 8]].view(np.uint64))
    assert relative_error(decoded[[1, 2, 3, 5, 6, 7]], odd[[1, 2, 3, 5, 6, 7]]).max() <= 0.02


def test_units_and_offsets_cost_next_to_nothing(rows, model):
    plain = len(encode_l2(rows, 0.02, model))
    assert abs(len(encode_l2(1e6 * rows, 0.02, model)) - plain) < 0.03 * plain + 8
    assert len(encode_l2(rows + 1e3, 0.02, model)) < plain + 2 * len(rows)


@pytest.mark.skipif(not has_compiler(), reason="no C compiler")
def test_overcomplete_codes_take_fewer_bytes_than_principal_directions():
    models = ["sphere", "core_shell_sphere", "fuzzy_sphere", "vesicle", "core_multi_shell"]
    rows = np.log10(simulate_curves(500, models, default_q(128), rng=0).intensity)
    sparse, pca = analytic_model(128), pca_model(rows[100:])
    for tolerance in (0.01, 0.05):
        ours, theirs = (len(encode_l2(rows[:100], tolerance, m)) for m in (sparse, pca))
        assert ours < 0.85 * theirs
    assert len(sparse.to_bytes()) < 0.1 * len(pca.to_bytes())


def test_larger_errors_take_fewer_bytes(rows, model):
    sizes = [len(encode_l2(rows, tolerance, model)) for tolerance in (0.005, 0.01, 0.02, 0.05, 0.2)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] < 0.25 * sizes[0]


def test_a_row_alone_decodes_to_the_same_bits_as_in_a_batch(rows, model):
    together = decode_l2(encode_l2(rows[:5], 0.02, model), model)
    for row, expected in zip(rows[:5], together):
        alone = decode_l2(encode_l2(row[None], 0.02, model), model)[0]
        assert np.array_equal(alone, expected)


def test_sums_of_integers_are_exact_in_float64(model):
    largest = 127 * model.scales.max() * model.atoms.shape[1]
    assert largest * 2**20 < 2**53


def test_stored_model_is_the_same_model(model):
    data = model.to_bytes()
    back = L2Model.from_bytes(data)
    assert back.identity == model.identity and np.array_equal(back.atoms, model.atoms)
    assert back.analytic == model.analytic and back.to_bytes() == data
    # impulses and cosines are not stored
    assert len(data) < 2 * 8 * N_POINTS + 3 * model.atoms.shape[1]


def test_wrong_model_is_refused(rows, model):
    with pytest.raises(ModelError, match="another dictionary"):
        decode_l2(encode_l2(rows[:3], 0.02, model), pca_model(rows[:60]))


@pytest.mark.parametrize("n", [1, 2, 5, 31, 300])
def test_untrained_model_codes_rows_of_any_length(n, rng):
    rows = np.cumsum(rng.standard_normal((6, n)), axis=1)
    model = analytic_model(n)
    assert len(model.to_bytes()) < 100 + 2 * model.atoms.shape[1]
    decoded = decode_l2(encode_l2(rows, 0.05, model), model)
    size = np.linalg.norm(rows - rows.mean(axis=1, keepdims=True), axis=1)
    assert (np.linalg.norm(decoded - rows, axis=1) <= 0.05 * size).all()


def test_pieces_share_the_budget_of_their_record(rows, model):
    whole = rows.reshape(30, 4 * N_POINTS)
    decoded = decode_l2(encode_l2(rows, 0.05, model, n_pieces=4), model).reshape(whole.shape)
    error = relative_error(decoded, whole)
    assert error.max() <= 0.05 and np.sqrt(np.mean(error**2)) > 0.8 * 0.05
    assert len(encode_l2(rows, 0.05, model, n_pieces=4)) < len(encode_l2(rows, 0.05, model))
    with pytest.raises(InputError, match="whole number"):
        encode_l2(rows[:7], 0.05, model, n_pieces=4)


def test_a_record_with_a_hole_is_exact_as_a_whole(rows, model):
    holed = rows[:8].copy()
    holed[5, 2] = np.inf
    decoded = decode_l2(encode_l2(holed, 0.05, model, n_pieces=4), model)
    assert np.array_equal(decoded[4:], holed[4:]) and not np.array_equal(decoded[:4], holed[:4])


def test_damaged_bytes_are_errors(rows, model, rng):
    data, stored = encode_l2(rows[:20], 0.02, model), model.to_bytes()
    for _ in range(60):
        for whole, read in ((data, lambda b: decode_l2(b, model)), (stored, L2Model.from_bytes)):
            broken = bytearray(whole)
            broken[rng.integers(len(broken))] ^= 1 << int(rng.integers(8))
            with pytest.raises((FormatError, ModelError)):
                read(bytes(broken))
            with pytest.raises(FormatError):
                read(whole[: rng.integers(len(whole))])


def test_wrong_arguments_are_named(rows, model):
    with pytest.raises(InputError, match="length 48"):
        encode_l2(rows[:, :20], 0.02, model)
    with pytest.raises(InputError, match="between 0 and 1"):
        encode_l2(rows, 0.0, model)
    with pytest.raises(InputError, match="constant"):
        train_l2(np.ones((4, 16)))
    with pytest.raises(InputError, match="span"):
        train_l2(rows, n_learned=2, analytic=("smooth",))
    with pytest.raises(FormatError, match="not known"):
        analytic_atoms(8, ("curvelet",))


@pytest.mark.parametrize(
    ("n", "names"),
    [
        (48, ("impulse",)),
        (50, ("cosine8",)),
        (7, ("cosine16", "impulse")),
        (64, ("dct8",)),
        (1, ("smooth", "impulse")),
        (9, ("smooth",)),
    ],
)
def test_analytic_atoms_have_unit_norm_and_span(n, names):
    D = analytic_atoms(n, names)
    np.testing.assert_allclose(np.linalg.norm(D, axis=0), 1)
    assert np.linalg.matrix_rank(D) == n


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), density=st.sampled_from([0.0, 0.02, 0.3, 1.0]), size=st.integers(1, 60))
def test_codes_survive_the_entropy_coder(seed, density, size):
    rng = np.random.default_rng(seed)
    N, l = int(rng.integers(0, 6)), int(rng.integers(1, 90))
    used = rng.random((N, l)) < density
    codes = np.where(used, rng.integers(-(2 ** min(size, 29)), 2 ** min(size, 29), (N, l)), 0)
    side = rng.integers(-(2**30), 2**30, (N, 3))
    usage = rng.integers(24, 65000, l)
    decoded, beside = decode_codes(encode_codes(codes, side, usage), (N, l), 3, usage)
    assert np.array_equal(decoded, codes) and np.array_equal(beside, side)


@pytest.mark.parametrize("names", [("smooth", "cosine8", "impulse"), ("dct16", "impulse")])
def test_rounding_errors_of_a_machine_do_not_change_the_dictionary(rng, names):
    for n in (256,) if "dct16" in names else (*range(1, 66), 100, 256, 320):
        D = analytic_atoms(n, names)
        here, elsewhere = (_quantised(D * (1 + e * rng.standard_normal(D.shape))) for e in (0.0, 1e-13))
        assert all(np.array_equal(a, b) for a, b in zip(here, elsewhere))
