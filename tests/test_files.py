import numpy as np
import pytest

from invae import files
from invae.autoencoders import BayesRiskReconstructor
from invae.autoencoders.bayes_risk import checkpoint
from invae.errors import FileError, InputError
from invae.files import fit_file, reconstruct_file
from invae.linalg.moments import PairMoments


class Doubler:
    """A model whose deviation differs from row to row."""

    shape_y_ = (3,)

    def fit(self, signals, measurements=None):
        batches = [signals] if isinstance(signals, np.ndarray) else list(signals)
        self.n_batches_, self.rows_ = len(batches), sum(len(batch) for batch in batches)
        return self

    def predict(self, measurements, return_std=False):
        return (2 * measurements, np.abs(measurements)) if return_std else 2 * measurements


@pytest.fixture
def y(tmp_path, rng):
    values = rng.normal(size=(10, 3)).astype(np.float32)
    np.save(tmp_path / "y.npy", values)
    return values


def test_deviations_that_differ_by_row_are_streamed_too(tmp_path, y):
    calls = []
    shape = reconstruct_file(
        Doubler(), tmp_path / "y.npy", tmp_path / "x.npy", std_output=tmp_path / "s.npy", batch=4,
        progress=lambda *a: calls.append(a),
    )  # fmt: skip
    assert shape == (10, 3) and calls[-1] == (10, 10)
    x, s = np.load(tmp_path / "x.npy"), np.load(tmp_path / "s.npy")
    np.testing.assert_array_equal(x, 2 * y)
    np.testing.assert_array_equal(s, np.abs(y))
    assert x.dtype == np.float32


def test_outputs_that_got_out_of_step_are_continued_from_the_shorter(tmp_path, y):
    class Tired(Doubler):
        calls = 0

        def predict(self, measurements, return_std=False):
            self.calls += 1
            if self.calls == 3:
                raise KeyboardInterrupt
            return super().predict(measurements, return_std)

    paths = (tmp_path / "y.npy", tmp_path / "x.npy")
    with pytest.raises(KeyboardInterrupt):
        reconstruct_file(Tired(), *paths, std_output=tmp_path / "s.npy", batch=4)
    note = tmp_path / "s.npy.part.json"
    note.write_text(note.read_text().replace('"done": 8', '"done": 4'))
    reconstruct_file(Doubler(), *paths, std_output=tmp_path / "s.npy", batch=4)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), 2 * y)
    np.testing.assert_array_equal(np.load(tmp_path / "s.npy"), np.abs(y))


def test_one_measurement_gives_one_signal(tmp_path):
    np.save(tmp_path / "y.npy", np.arange(3.0))
    assert reconstruct_file(Doubler(), tmp_path / "y.npy", tmp_path / "x.npy") == (3,)
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), [0, 2, 4])


@pytest.mark.parametrize("shape", [(3,), (7, 3)])
@pytest.mark.parametrize("existing", ["x.npy", "s.npy"])
def test_outputs_that_exist_are_named_before_any_row_is_reconstructed(tmp_path, shape, existing):
    class Flat(Doubler):
        def predict(self, measurements, return_std=False):
            raise AssertionError("the work has begun")

    np.save(tmp_path / "y.npy", np.ones(shape))
    (tmp_path / existing).write_text("precious")
    paths = (tmp_path / "y.npy", tmp_path / "x.npy")
    with pytest.raises(FileError, match=existing):
        reconstruct_file(Flat(), *paths, std_output=tmp_path / "s.npy")
    assert (tmp_path / existing).read_text() == "precious"


@pytest.mark.parametrize("shape", [(4, 5), (0, 3), (3, 3, 3)])
def test_wrong_shapes_are_named_and_leave_nothing(tmp_path, shape):
    np.save(tmp_path / "y.npy", np.zeros(shape))
    with pytest.raises(InputError, match=r"\(N, 3\)"):
        reconstruct_file(Doubler(), tmp_path / "y.npy", tmp_path / "x.npy")
    assert [path.name for path in tmp_path.iterdir()] == ["y.npy"]


def test_large_files_are_fitted_in_batches_unless_told_otherwise(tmp_path, y, monkeypatch):
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(files, "BATCH_VALUES", 12)
    model = Doubler()
    assert fit_file(model, tmp_path / "y.npy") == 10
    assert (model.n_batches_, model.rows_) == (3, 10)
    fit_file(model, tmp_path / "y.npy", in_memory=True)
    assert (model.n_batches_, model.rows_) == (1, 10)


def test_an_interrupted_fit_goes_on_from_its_sums(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    np.save(tmp_path / "x.npy", rng.standard_normal((90, 12)))
    operator = rng.standard_normal((7, 12))
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(files, "BATCH_VALUES", 12 * 10)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)

    def make():
        return BayesRiskReconstructor(operator, noise=0.1)

    whole = make()
    files.fit_file(whole, tmp_path / "x.npy")
    update, calls = PairMoments.update, []

    def interrupted(self, x, y):
        calls.append(len(x))
        if len(calls) == 5:
            raise KeyboardInterrupt
        return update(self, x, y)

    monkeypatch.setattr(PairMoments, "update", interrupted)
    sums = tmp_path / "model.h5.part"
    with pytest.raises(KeyboardInterrupt):
        files.fit_file(make(), tmp_path / "x.npy", checkpoint=sums)
    with pytest.raises(FileError, match="another unfinished fit"):
        files.fit_file(BayesRiskReconstructor(operator, noise=0.2), tmp_path / "x.npy", checkpoint=sums)
    calls[:] = [0] * 10
    again = make()
    assert files.fit_file(again, tmp_path / "x.npy", checkpoint=sums) == 90
    assert len(calls) == 10 + 5 + 1  # five batches of nine were left, and the held-out pairs come last
    np.testing.assert_array_equal(again.encoder_, whole.encoder_)
    np.testing.assert_array_equal(again.validated_risk_curve_, whole.validated_risk_curve_)
    sums.write_bytes(b"nonsense")
    with pytest.raises(FileError, match="no sums"):
        files.fit_file(make(), tmp_path / "x.npy", checkpoint=sums)
