from __future__ import annotations

import h5py
import numpy as np
import pytest

from invae.autoencoders.bayes_risk import streams
from invae.autoencoders.bayes_risk.reconstructor import BayesRiskReconstructor
from invae.errors import InputError


@pytest.fixture
def data(rng):
    X = rng.standard_normal((300, 3, 4)) * np.linspace(1, 2, 12).reshape(3, 4) + 5
    F = rng.standard_normal((7, 12))
    return F, X, X.reshape(300, 12) @ F.T


def test_batches_give_the_map_of_the_whole(data):
    F, X, Y = data
    whole = BayesRiskReconstructor(F, noise=0.1, rank=5).fit(X.reshape(300, 12))
    streams = {
        "signals": (part.reshape(-1, 12) for part in np.array_split(X, 7)),
        "pairs": zip(np.array_split(X.reshape(300, 12), 7), np.array_split(Y, 7), strict=True),
    }
    for stream in streams.values():
        rec = BayesRiskReconstructor(F, noise=0.1, rank=5).fit(stream)
        assert np.allclose(rec.predict(Y), whole.predict(Y), atol=1e-9)
        assert rec.risk_ == pytest.approx(whole.risk_, rel=1e-9)


def test_arrays_on_disk_are_read_in_batches(data, tmp_path, monkeypatch):
    F, X, Y = data
    whole = BayesRiskReconstructor(F, noise=0.1, rank=5).fit(X.reshape(300, 12))
    np.save(tmp_path / "x.npy", X.reshape(300, 12))
    monkeypatch.setattr(streams, "LARGEST_IN_MEMORY", 1000)
    monkeypatch.setattr(streams, "BATCH_BYTES", 8 * 12 * 50)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert streams.is_stream(mapped) and not streams.is_stream(X)
    assert np.allclose(BayesRiskReconstructor(F, noise=0.1, rank=5).fit(mapped).predict(Y), whole.predict(Y))
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"], file["y"] = X, Y.reshape(300, 1, 7)
        rec = BayesRiskReconstructor(noise=0.1, rank=5).fit(file["x"], file["y"])
        assert np.allclose(rec.predict(Y.reshape(300, 1, 7)).reshape(300, 12), whole.predict(Y))


def test_small_arrays_on_disk_are_read_whole(data, tmp_path):
    F, X, Y = data
    np.save(tmp_path / "x.npy", X.reshape(300, 12))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    whole = BayesRiskReconstructor(F, noise=0.1).fit(X.reshape(300, 12))
    assert np.array_equal(BayesRiskReconstructor(F, noise=0.1).fit(mapped).predict(Y), whole.predict(Y))


def test_rank_is_validated_on_batches_too(data):
    F, X, _ = data
    rec = BayesRiskReconstructor(F, noise=0.1).fit(part.reshape(-1, 12) for part in np.array_split(X, 7))
    assert rec.validated_risk_curve_.argmin() == rec.rank_


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (lambda X: iter([]), "empty"),
        (lambda X: iter([X, X[:, :2]]), "batch of signals"),
        (lambda X: iter([(X, np.zeros((3, 7)))]), "pairs"),
    ],
)
def test_batches_that_do_not_fit_are_refused(data, stream, message):
    _, X, _ = data
    with pytest.raises(InputError, match=message):
        BayesRiskReconstructor().fit(stream(X.reshape(300, 12)))
