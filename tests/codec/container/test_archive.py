"""Archives: random access, damage, golden files, real curves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import invae
from invae.codec import Archive, Bound, compress, decompress, default_model, write_archive
from invae.codec.fields import field
from invae.codec.fields.field_forms import blocks
from invae.codec.fields.group import decode_group
from invae.codec.l2.group import L2_GRID_GROUP, L2_GROUP, decode_l2_group
from invae.codec.model import model_for_reading
from invae.data.records import Curve, Frame, identical
from invae.errors import BoundError, FileError, FormatError, InputError, InvaeError

GOLDEN = Path(__file__).parent / "golden"


def curve(seed=0, n=40, name="run"):
    rng = np.random.default_rng(seed)
    q = np.round(np.geomspace(1e-3, 1, n), 6)
    sigma = np.round(0.02 / (1 + (20 * q) ** 2) + 1e-3, 5)
    return Curve(
        q=q,
        intensity=np.round(1 / (1 + (20 * q) ** 2) + sigma * rng.normal(size=n), 6),
        sigma=sigma,
        columns={"transmission/T": np.array([0.5, np.nan])},
        units={"q": "1/angstrom"},
        name=name,
        metadata={"run": seed, "text": "µ", "nested": {"a": [1, None, 2.5]}},
        header="# made for a test\n",
    )


@pytest.fixture(scope="module")
def blob():
    return compress([curve(k, name=f"run {k % 2}") for k in range(3)], "0.5sigma")


def test_records_come_back_with_everything_but_the_bounded_values_exact(blob):
    for k, back in enumerate(decompress(blob)):
        original = curve(k, name=f"run {k % 2}")
        assert identical(original, back.replace(intensity=original.intensity))
        assert Bound.parse("0.5sigma").check(original.intensity, back.intensity, original.sigma).all()


def test_a_nul_in_a_name_neither_loses_a_record_nor_hides_another():
    single = curve(name="a\0b")
    assert identical(single, decompress(compress(single)))
    pair = [single, curve(1, name="a b")]
    with Archive(compress(pair)) as archive:
        assert archive.names() == ["a b", "a b#2"]
        assert all(identical(a, archive[name]) for a, name in zip(pair, archive.names(), strict=True))


def test_lossless_records_are_identical():
    frame = Frame(
        data=np.arange(12, dtype=np.uint16).reshape(3, 4), mask=np.zeros((3, 4), np.uint8), name="f"
    )
    records = [curve(1), frame, curve(2, n=7), frame]
    assert all(identical(a, b) for a, b in zip(records, decompress(compress(records)), strict=True))
    assert identical(frame, decompress(compress(frame)))


def test_a_bound_on_sigma_lets_it_move_but_keeps_the_promise_for_the_values():
    original = curve(5, n=200)
    back = decompress(compress(original, "0.5sigma", sigma_bound="rel:0.05"))
    assert Bound.parse("rel:0.05").check(original.sigma, back.sigma).all() and (back.sigma > 0).all()
    assert not np.array_equal(original.sigma, back.sigma)
    assert Bound.parse("0.5sigma").check(original.intensity, back.intensity, original.sigma).all()
    with pytest.raises(BoundError):
        compress(original, "0.5sigma", sigma_bound="1sigma")


def test_a_sigma_bound_without_sigma_names_the_record():
    with pytest.raises(BoundError, match="nameless"):
        compress(curve(name="nameless").replace(sigma=None), "1sigma")


def test_access_by_name_reads_one_group(tmp_path):
    arrays = {f"run_{k:04d}": np.full(70000, float(k)) for k in range(4)}
    path = write_archive(tmp_path / "a.inva", arrays, "abs:1e-3")
    with Archive(path) as archive:
        assert archive.names() == list(arrays) and len(archive) == 4
        assert archive.info["groups"] == 4
        assert abs(archive["run_0002"][0] - 2) <= 1e-3 and abs(archive[-1][0] - 3) <= 1e-3
        assert archive.verify()["records"] == 4
        with pytest.raises(InputError, match="no record"):
            archive["other"]
        with pytest.raises(InputError):
            archive[4]
    with pytest.raises(FileError, match="closed"):
        archive[0]
    with pytest.raises(FileError, match="exists"):
        write_archive(path, arrays)
    damaged = bytearray(path.read_bytes())
    damaged[6] ^= 1  # in group 0: the others can still be read
    with Archive(bytes(damaged)) as archive:
        assert abs(archive["run_0003"][0] - 3) <= 1e-3
        with pytest.raises(FormatError, match="group 0"):
            archive["run_0000"]


def test_the_largest_error_is_stated():
    x = np.linspace(0, 1, 1000)
    with Archive(compress(x, "abs:1e-3")) as archive:
        stated = archive.info["max_error_in_bounds"]
        actual = Bound.parse("abs:1e-3").max_ratio(x, archive[0])
    assert actual <= stated <= actual + 0.005


def test_a_flipped_bit_in_any_byte_raises(blob):
    for k in range(len(blob)):
        damaged = bytearray(blob)
        damaged[k] ^= 1 << (k % 8)
        with pytest.raises(FormatError, match="byte"):
            decompress(bytes(damaged))


def test_a_missing_byte_anywhere_raises(blob):
    for k in range(len(blob)):
        with pytest.raises(FormatError):
            decompress(blob[:k])
        with pytest.raises(FormatError):
            decompress(blob[:k] + blob[k + 1 :])
    with pytest.raises(FormatError):
        decompress(blob + b"\0")


def test_hostile_groups_with_valid_checksums_give_format_errors(blob):
    """Random damage behind the checksums' back: an error or other values, never a crash or a hang."""
    rng = np.random.default_rng(3)
    with Archive(blob) as archive:
        n_records, n_bytes, _, _ = archive.directory.groups[0]
        start = archive._offsets[0]
    group = blob[start : start + n_bytes]
    for _ in range(400):
        damaged = bytearray(group)
        for k in rng.integers(0, len(group), rng.integers(1, 4)):
            damaged[k] = rng.integers(0, 256)
        try:
            decode_group(bytes(damaged), start, n_records, default_model())
        except (FormatError, MemoryError):
            continue


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FormatError, match="no invae archive"):
        decompress(b"PK\x03\x04 something else entirely")
    with pytest.raises(FormatError):
        decompress(b"")
    with pytest.raises(FileError, match="no archive at"):
        decompress(tmp_path / "none.inva")
    newer = bytearray(compress(np.zeros(3)))
    newer[4] = 9
    with pytest.raises(FormatError, match="upgrade"):
        decompress(bytes(newer))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.inva")), ids=lambda p: p.stem)
def test_golden_archives_decode_to_the_stored_array(path):
    expected = np.load(path.with_suffix(".npy"))
    back = decompress(path)
    if isinstance(back, list):
        assert json.loads(path.with_suffix(".json").read_text()) == back[0].to_parts()[1]
        back = back[0].values
    assert (
        back.dtype == expected.dtype and back.shape == expected.shape and back.tobytes() == expected.tobytes()
    )


def test_there_are_golden_archives():
    assert len(list(GOLDEN.glob("v1_*.inva"))) >= 5


def every_real_curve(root):
    for path in sorted(root.rglob("*")):
        if path.is_file() and not {"awkward", "not_plain_curves"} & set(path.parts):
            yield path


@pytest.mark.filterwarnings("ignore::invae.errors.InvaeWarning")
@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_real_curves_keep_every_bound(shared_data, every):
    n = 0
    for path in list(every_real_curve(shared_data / "sas1d"))[::every]:
        records = list(invae.read(path))[:2]
        n += len(records)
        assert all(identical(a, b) for a, b in zip(records, decompress(compress(records)), strict=True))
        for text in ("abs:1e-3", "rel:1e-2", "log:1e-2", "0.25sigma"):
            if text.endswith("sigma") and any(r.to_parts()[0].get("sigma") is None for r in records):
                continue
            for a, b in zip(records, decompress(compress(records, text)), strict=True):
                assert Bound.parse(text).check(a.values, b.values, a.sigma, a.mask).all(), path
                assert identical(a, b.replace(values=a.values)), path
    assert n > 100 // every


@pytest.mark.parametrize("bound", ["lossless", "0.5sigma", "log:0.05"])
def test_large_stacks_of_frames_are_coded_block_by_block_without_being_loaded(rng, monkeypatch, bound):
    monkeypatch.setattr(field, "BLOCK_VALUES", 1500)
    counts = rng.poisson(20.0, (7, 24, 30)).astype(np.int32)
    counts[2, 3] = -1

    class OnDisk:
        shape, dtype, ndim, sliced = counts.shape, counts.dtype, 3, 0

        def __getitem__(self, key):
            part = counts[key]
            assert part.size <= 2 * 24 * 30
            OnDisk.sliced += 1
            return part

    blob = compress(Frame(data=OnDisk(), name="run"), bound)
    assert OnDisk.sliced >= 4
    back = decompress(blob)
    assert back.data.shape == counts.shape and Bound.parse(bound).check(counts, back.data).all()
    for k in range(30, len(blob), 97):
        damaged = bytearray(blob)
        damaged[k] ^= 0x24
        with pytest.raises(FormatError):
            decompress(bytes(damaged))


def test_blocks_that_do_not_fit_their_stack_are_refused(monkeypatch):
    monkeypatch.setattr(field, "BLOCK_VALUES", 8)
    data, _ = field.encode_field(np.arange(60).reshape(5, 3, 4), Bound("lossless"))
    place = data.index(bytes([blocks.NUMBER]), 2)
    for wrong in (0, 2, 9):
        changed = data[: place + 1] + bytes([wrong]) + data[place + 2 :]
        with pytest.raises(FormatError, match="block"):
            field.decode_field(changed)


def test_progress_is_told_of_every_group(rng):
    curves = [rng.normal(size=3000) for _ in range(90)]
    told = []
    blob = compress(curves, "abs:0.1", jobs=2, progress=lambda done, total: told.append((done, total)))
    assert told == [(k + 1, len(told)) for k in range(len(told))] and len(told) > 1
    with Archive(blob) as archive:
        again = []
        archive.verify(lambda done, total: again.append((done, total)))
    assert again == told


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.inva")), ids=lambda p: p.stem)
def test_damaged_groups_of_every_layout_end_in_one_error(path):
    """Behind a checksum that fits, as somebody with bad intentions would write it."""
    rng = np.random.default_rng(7)
    with Archive(path) as archive:
        model = model_for_reading(archive.directory.models, [])
        (n_records, n_bytes, _, _), start = archive.directory.groups[0], archive._offsets[0]
        data = archive._read(start, n_bytes)
    decode = decode_l2_group if data[0] in (L2_GROUP, L2_GRID_GROUP) else decode_group
    for _ in range(8):
        damaged = bytearray(data)
        for place in rng.integers(0, min(len(data), 60), 2):
            damaged[place] = int(rng.integers(256))
        try:
            decode(bytes(damaged), 0, n_records, model)
        except (InvaeError, MemoryError, OverflowError):
            continue
