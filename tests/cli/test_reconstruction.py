import json

import h5py
import numpy as np
import pytest

import invae


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    """Smooth images, their tomograms with noise, both on disk."""
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("problem")
    a, b = np.mgrid[:12, :12] / 11
    modes = np.stack([np.cos(np.pi * (i * a + j * b)) for i in range(4) for j in range(4)])
    signals = np.tensordot(rng.normal(size=(140, 16)) / (1 + np.arange(16)), modes, 1)
    F = invae.Radon((12, 12), n_angles=20)
    noise = invae.GaussianNoise(relative=0.02)
    measurements = noise.sample(F.apply(signals.reshape(140, -1)), np.random.default_rng(2))
    measurements = measurements.reshape(140, *F.dimsd)
    np.save(folder / "train.npy", signals[:100])
    np.save(folder / "train_y.npy", measurements[:100])
    np.save(folder / "test.npy", measurements[100:])
    return folder, signals[100:]


def test_fit_then_reconstruct(problem, tmp_path, run):
    folder, truth = problem
    model, out = tmp_path / "model.h5", tmp_path / "x.npy"
    fit = ("fit", folder / "train.npy", "-o", model, "--operator", "radon", "--angles", 20, "--noise", 0.02)
    status, stdout, stderr = run(*fit, "--json")
    assert status == 0, stderr
    facts = json.loads(stdout)
    assert facts["samples"] == 100 and facts["rank"] >= 1
    status, stdout, stderr = run("reconstruct", folder / "test.npy", "--with", model, "-o", out, "--std")
    assert (status, stdout) == (0, "")
    assert "40 x 12 x 12" in stderr
    x_hat = np.load(out)
    assert x_hat.shape == truth.shape
    assert np.linalg.norm(x_hat - truth) < 0.1 * np.linalg.norm(truth)
    spread = np.load(tmp_path / "x_std.npy")
    assert spread.shape == (12, 12) and (spread > 0).all()
    np.testing.assert_allclose(x_hat, invae.load(model).predict(np.load(folder / "test.npy")))


def test_one_measurement_gives_one_signal_and_hdf5_paths_work(problem, tmp_path, run):
    folder, _ = problem
    model, out = tmp_path / "model.h5", tmp_path / "x.h5"
    run(
        "fit",
        folder / "train.npy",
        "-o",
        model,
        "--operator",
        "radon",
        "--angles",
        20,
        "--noise",
        0.02,
        "--rank",
        8,
    )
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["scan/tomogram"] = np.load(folder / "test.npy")[0]
        file["other"] = np.zeros(3)
    status, _, stderr = run("reconstruct", f"{tmp_path / 'y.h5'}:/scan/tomogram", "--with", model, "-o", out)
    assert status == 0, stderr
    with h5py.File(out) as file:
        assert file["data"].shape == (12, 12)


def test_pairs_need_no_operator(problem, tmp_path, run):
    folder, _ = problem
    model = tmp_path / "pairs.h5"
    arguments = (
        "fit",
        folder / "train.npy",
        "--measurements",
        folder / "train_y.npy",
        "-o",
        model,
        "--rank",
        10,
    )
    status, _, stderr = run(*arguments)
    assert status == 0 and "rank 10 from 100 signals" in stderr


@pytest.mark.parametrize("operator", [("blur", "--sigma", 1.0), ("heat", "--time", 0.5)])
def test_other_operators(problem, tmp_path, run, operator):
    folder, _ = problem
    status, _, stderr = run(
        "fit", folder / "train.npy", "-o", tmp_path / "m.h5", "--operator", *operator, "--noise-std", 0.01
    )
    assert status == 0, stderr
    status, stdout, _ = run("info", tmp_path / "m.h5")
    assert status == 0 and operator[0].capitalize() in stdout and "0.01" in stdout


def test_nothing_is_overwritten_without_force(problem, tmp_path, run):
    folder, _ = problem
    model = tmp_path / "model.h5"
    model.write_text("precious")
    fit = ("fit", folder / "train.npy", "-o", model, "--operator", "blur", "--sigma", 1, "--noise", 0.1)
    status, _, stderr = run(*fit)
    assert status == 1 and "--force" in stderr
    assert model.read_text() == "precious"
    assert run(*fit, "--force")[0] == 0


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("--operator", "radon"), 2, "needs --angles"),
        (("--operator", "sonar"), 2, "sonar"),
        (("--operator", "blur", "--sigma", "1", "--noise", "1", "--noise-std", "1"), 2, "not both"),
        (("--operator", "blur", "--sigma", "1", "--rank", "many"), 2, "neither a number"),
        (("--operator", "blur", "--sigma", "1", "--noise", "0.1", "--rank", "9999"), 1, "rank"),
        ((), 1, "name the forward operator"),
        (("--operator", "blur", "--sigma", "1", "--angles", "60"), 2, "--angles belongs to"),
        (("--operator", "radon", "--angles", "9", "--boundary", "zero"), 2, "--boundary belongs to"),
        (("--operator", "radon", "--angles", "9", "--arc", "0"), 2, "--arc 0"),
        (("--operator", "radon", "--angles", "9", "--detector-distance", "5"), 2, "--source-distance"),
    ],
)
def test_wrong_usage_is_one_sentence(problem, tmp_path, run, arguments, status, words):
    folder, _ = problem
    found, stdout, stderr = run("fit", folder / "train.npy", "-o", tmp_path / "m.h5", *arguments)
    assert found == status and stdout == ""
    assert words in stderr and "Traceback" not in stderr
    assert not (tmp_path / "m.h5").exists()


def test_measurements_that_do_not_fit_the_model(problem, tmp_path, run):
    folder, _ = problem
    model = tmp_path / "model.h5"
    run("fit", folder / "train.npy", "-o", model, "--operator", "blur", "--sigma", 1, "--noise", 0.1)
    np.save(tmp_path / "short.npy", np.zeros((3, 5)))
    spoilt = np.zeros((3, 12, 12))
    spoilt[1, 2, 3] = np.nan
    np.save(tmp_path / "nan.npy", spoilt)
    for name, words in (("short.npy", "(3, 5)"), ("nan.npy", "NaN")):
        status, _, stderr = run("reconstruct", tmp_path / name, "--with", model, "-o", tmp_path / "x.npy")
        assert status == 1 and words in stderr and stderr.count("\n") == 1
        assert not (tmp_path / "x.npy").exists()
    status, _, stderr = run(
        "reconstruct", tmp_path / "nan.npy", "--with", tmp_path / "nan.npy", "-o", tmp_path / "x.npy"
    )
    assert status == 1 and "is no model but holds array" in stderr


def test_an_interrupted_reconstruction_continues(problem, tmp_path, run, monkeypatch):
    from invae import files
    from invae.autoencoders import BayesRiskReconstructor

    folder, _ = problem
    model, out = tmp_path / "model.h5", tmp_path / "x.npy"
    run("fit", folder / "train.npy", "-o", model, "--operator", "radon", "--angles", 20, "--noise", 0.02)
    whole = invae.load(model).predict(np.load(folder / "test.npy"))
    monkeypatch.setattr(files, "BATCH_VALUES", 20 * 17 * 10)
    predict, calls = BayesRiskReconstructor.predict, []

    def interrupted(self, measurements, **options):
        calls.append(len(measurements))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return predict(self, measurements, **options)

    monkeypatch.setattr(BayesRiskReconstructor, "predict", interrupted)
    command = ("reconstruct", folder / "test.npy", "--with", model, "-o", out)
    status, stdout, stderr = run(*command)
    assert status == 130 and "20 rows finished" in stderr and "interrupted" in stderr and stdout == ""
    assert not out.exists() and (tmp_path / "x.npy.part").exists()
    monkeypatch.setattr(BayesRiskReconstructor, "predict", predict)
    status, _, stderr = run(*command)
    assert status == 0, stderr
    np.testing.assert_allclose(np.load(out), whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.h5", "x.npy"]


def test_an_unfinished_output_of_another_model_is_not_mixed_in(problem, tmp_path, run, monkeypatch):
    from invae import files

    monkeypatch.setattr(files, "BATCH_VALUES", 20 * 17 * 10)
    folder, _ = problem
    out = tmp_path / "x.npy"
    for name, rank in (("a.h5", 5), ("b.h5", 9)):
        arguments = ("--operator", "radon", "--angles", 20, "--noise", 0.02, "--rank", rank)
        assert run("fit", folder / "train.npy", "-o", tmp_path / name, *arguments)[0] == 0
    spoilt = np.load(folder / "test.npy")
    spoilt[30, 1, 1] = np.inf
    np.save(tmp_path / "y.npy", spoilt)
    status, _, stderr = run("reconstruct", tmp_path / "y.npy", "--with", tmp_path / "a.h5", "-o", out)
    assert status == 1 and "row 30" in stderr and not out.exists()
    np.save(tmp_path / "y.npy", np.load(folder / "test.npy"))
    status, _, stderr = run("reconstruct", tmp_path / "y.npy", "--with", tmp_path / "b.h5", "-o", out)
    assert status == 1 and "unfinished output of another job" in stderr
    assert run("reconstruct", tmp_path / "y.npy", "--with", tmp_path / "b.h5", "-o", out, "--force")[0] == 0
    expected = invae.load(tmp_path / "b.h5").predict(np.load(folder / "test.npy"))
    np.testing.assert_allclose(np.load(out), expected)


def test_files_larger_than_the_limit_are_fitted_in_batches(problem, tmp_path, run, monkeypatch):
    from invae import files

    folder, _ = problem
    arguments = ("--operator", "radon", "--angles", 20, "--noise", 0.02, "--rank", 12)
    assert run("fit", folder / "train.npy", "-o", tmp_path / "a.h5", *arguments)[0] == 0
    monkeypatch.setattr(files, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(files, "BATCH_VALUES", 144 * 30)
    status, _, stderr = run("fit", folder / "train.npy", "-o", tmp_path / "b.h5", *arguments)
    assert status == 0, stderr
    y = np.load(folder / "test.npy")
    a, b = (invae.load(tmp_path / name).predict(y) for name in ("a.h5", "b.h5"))
    assert np.linalg.norm(a - b) < 0.05 * np.linalg.norm(a)
    spoilt = np.load(folder / "train.npy")
    spoilt[77] = np.nan
    np.save(tmp_path / "x.npy", spoilt)
    status, _, stderr = run("fit", tmp_path / "x.npy", "-o", tmp_path / "c.h5", *arguments)
    assert status == 1 and "row 77" in stderr and stderr.count("\n") == 1


def test_flat_rows_get_their_shape_and_noise_can_be_estimated(problem, tmp_path, run):
    folder, _ = problem
    np.save(tmp_path / "flat.npy", np.load(folder / "train.npy").reshape(100, -1))
    arguments = ("--operator", "radon", "--angles", 20, "--noise", "auto")
    status, _, stderr = run("fit", tmp_path / "flat.npy", "-o", tmp_path / "m.h5", *arguments)
    assert status == 1 and "--shape" in stderr
    status, _, stderr = run(
        "fit", tmp_path / "flat.npy", "-o", tmp_path / "m.h5", *arguments, "--shape", "12x12"
    )
    assert status == 0, stderr
    out = tmp_path / "x.h5"
    status, _, stderr = run(
        "reconstruct", folder / "test.npy", "--with", tmp_path / "m.h5", "-o", f"{out}:/ct", "--std"
    )
    assert status == 0, stderr
    with h5py.File(out) as file, h5py.File(tmp_path / "x_std.h5") as deviations:
        assert file["ct"].shape == deviations["ct"].shape == (40, 12, 12)


def test_pairs_must_be_pairs(problem, tmp_path, run):
    folder, _ = problem
    arguments = ("--measurements", folder / "test.npy", "-o", tmp_path / "m.h5")
    status, _, stderr = run("fit", folder / "train.npy", *arguments)
    assert status == 1 and "100 signals" in stderr and "40 measurements" in stderr


def test_fan_beam(problem, tmp_path, run):
    folder, _ = problem
    arguments = ("--operator", "radon", "--angles", 24, "--source-distance", 40, "--noise", 0.02)
    status, _, stderr = run("fit", folder / "train.npy", "-o", tmp_path / "m.h5", *arguments)
    assert status == 0, stderr
    assert "fan" in run("info", tmp_path / "m.h5")[1]


def test_refined_models_reconstruct_from_files_too(problem, tmp_path, run):
    folder, truth = problem
    model, out = tmp_path / "m.h5", tmp_path / "x.npy"
    arguments = ("--operator", "blur", "--sigma", 1, "--noise", 0.05)
    status, _, stderr = run("fit", folder / "train.npy", "-o", model, *arguments, "--refine", 1)
    assert status == 0 and "out of fold" in stderr, stderr
    blurred = invae.Blur((12, 12), 1.0).apply(truth)
    np.save(tmp_path / "y.npy", blurred)
    status, _, stderr = run("reconstruct", tmp_path / "y.npy", "--with", model, "-o", out)
    assert status == 0, stderr
    assert np.load(out).shape == truth.shape
    status, _, stderr = run("reconstruct", tmp_path / "y.npy", "--with", model, "-o", out, "--std", "--force")
    assert status == 1 and "no standard deviation" in stderr
    np.save(tmp_path / "wrong.npy", np.zeros((3, 5)))
    status, _, stderr = run("reconstruct", tmp_path / "wrong.npy", "--with", model, "-o", out, "--force")
    assert status == 1 and "(3, 5)" in stderr
    assert run("fit", folder / "train.npy", "-o", model, *arguments, "--nonnegative", "--force")[0] == 2


def test_a_fit_without_noise_names_a_number_as_its_error(problem, tmp_path, run):
    folder, _ = problem
    status, _, stderr = run(
        "fit", folder / "train.npy", "-o", tmp_path / "m.h5", "--operator", "blur", "--sigma", 1
    )
    assert status == 0 and "rms error" in stderr and "nan" not in stderr and "warning" not in stderr


def test_signals_of_one_axis_are_named(tmp_path, run):
    np.save(tmp_path / "x.npy", np.ones(30))
    arguments = ("-o", tmp_path / "m.h5", "--operator", "blur", "--sigma", 1)
    status, _, stderr = run("fit", tmp_path / "x.npy", *arguments)
    assert status == 1 and "(30,)" in stderr and "one signal per row" in stderr
