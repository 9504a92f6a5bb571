from __future__ import annotations

import numpy as np
import pytest

from invae.evaluation.rivals import JpegXlGrid, codecs
from invae.evaluation.tuning import layouts, tuned_rivals

needs_peers = pytest.mark.skipif("SZ3" not in codecs(), reason="imagecodecs is not installed")


def test_every_layout_holds_the_same_values():
    for shape in [(256,), (16, 20), (3, 8, 12)]:
        array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
        for view in layouts(array).values():
            np.testing.assert_array_equal(np.sort(view.ravel()), array.ravel())


def test_tuning_never_loses_to_one_layout_and_keeps_the_bound():
    x = np.exp(np.sin(np.arange(640) / 31)).reshape(16, 40)
    best = {found.codec: found for found in tuned_rivals(x, "log:0.01")}
    for name, found in best.items():
        alone = [
            one for one in tuned_rivals(x.ravel(), "log:0.01") if one.codec == name and one.layout == "flat"
        ]
        assert found.max_error <= 1
        assert all(found.n_bytes <= one.n_bytes for one in alone)
    assert set(found.codec for found in tuned_rivals(x, "log:0.01", among=("SZ3",))) <= {"SZ3"}


def test_sigma_and_mask_follow_the_layout():
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0.1, 3.0, (16, 24))
    x, mask = rng.normal(0, 5, sigma.shape), rng.random(sigma.shape) < 0.1
    for found in tuned_rivals(x, "0.5sigma", sigma, mask):
        assert 0 < found.max_error <= 1


@needs_peers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zfp_is_lossless_without_a_bound(dtype):
    x = np.random.default_rng(0).normal(0, 1, (9, 13)).astype(dtype)
    found = tuned_rivals(x, None, among=("ZFP",))
    assert [one.max_error for one in found] == [0.0]


@needs_peers
def test_jpeg_xl_on_a_grid_keeps_its_bound():
    x = np.random.default_rng(0).normal(0, 30, (20, 30))
    codec = JpegXlGrid()
    decoded = codec.decode(codec.encode(x, 0.1), x.shape, x.dtype)
    assert 0 < np.abs(decoded - x).max() <= 0.1
    assert not codec.supports(x, None) and not codec.supports(x * np.inf, 0.1)
