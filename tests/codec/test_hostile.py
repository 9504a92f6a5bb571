"""Archives made with bad intentions: every checksum fits, and yet reading ends, in one error at worst."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest

from invae.codec import Archive, decompress
from invae.codec.bounds import Bound
from invae.codec.curves.model import CurveModel, shipped_curve_model
from invae.codec.directory import MOST_RECORDS, Directory, assemble
from invae.codec.field import STEPS, encode_field
from invae.codec.frames.model import FrameModel, shipped_frame_model
from invae.codec.group import ARRAYS, ARRAYS_WITH_SIGMA, ONE_ARRAY
from invae.codec.model import CodecModel
from invae.codec.varint import Writer
from invae.errors import FormatError, ModelError

LOSSLESS = Bound("lossless")


def whole(group, n_records=1, container="array", models=()):
    """An archive of one group, as the format wants it."""
    group = bytes(group)
    groups = [(n_records, len(group), zlib.crc32(group), 0.0)]
    return assemble(Directory(container, LOSSLESS, LOSSLESS, None, groups, list(models)), [group])


def with_sigma(sigma_field, values_field):
    return Writer().byte(ARRAYS_WITH_SIGMA).number(1).block(sigma_field).block(values_field).data


def test_deviations_of_another_shape_of_equal_size_do_not_crash(rng):
    values, sigma = rng.normal(size=(1, 4000)), np.ones((1, 4000))
    coded = encode_field(values, Bound("sigma", 0.5), sigma)[0]
    turned = encode_field(sigma.T, LOSSLESS)[0]
    with pytest.raises(FormatError, match="shape"):
        decompress(whole(with_sigma(turned, coded)))


def test_steps_of_no_values_are_refused():
    empty = encode_field(np.zeros(0), LOSSLESS)[0]
    steps = empty[:2] + bytes(Writer().byte(STEPS).short(0.5).number(0).number(0).data)
    with pytest.raises(FormatError, match="deviations"):
        decompress(whole(with_sigma(empty, steps)))


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("F", (slice(None), 0), -(1 << 40)),
        ("F", (slice(None), 0), 0),
        ("F", (slice(None), 1), -2),
        ("L", ..., 1 << 62),
        ("C", ..., -(1 << 62)),
    ],
)
def test_models_that_would_lead_kernels_astray_are_refused(name, place, value):
    names = ("A", "B", "N1", "N2", "N3", "W", "V", "L", "C", "F", "T")
    arrays = dict(zip(names, shipped_curve_model().arrays(*names)))
    arrays[name][place] = value
    with pytest.raises(ModelError, match="damaged"):
        CurveModel.from_bytes(CurveModel(arrays).to_bytes())


def test_sums_as_wild_as_a_model_may_state_do_not_crash(rng):
    names = ("A", "B", "N1", "N2", "N3", "W", "V", "L", "C", "F", "T")
    arrays = dict(zip(names, shipped_curve_model().arrays(*names)))
    arrays["L"][...] = rng.integers(-(1 << 40), 1 << 40, arrays["L"].shape)
    arrays["A"][...] = rng.integers(-(1 << 31), 1 << 31, arrays["A"].shape) // 16 * 8
    noise = bytes([255, 5]) + rng.bytes(3000)
    head = Writer().byte(8 * 19 + 2).number(20).number(200).byte(1).short(1e-3).number(0)
    curves = bytes([ONE_ARRAY]) + bytes(head.raw(noise).data)
    assert decompress(whole(curves, models=[CurveModel(arrays).to_bytes()])).shape == (20, 200)

    own = shipped_frame_model().arrays
    own["L"][...] = rng.integers(-(1 << 40), 1 << 40, own["L"].shape) // 16 * 16
    own["A"][...] = rng.integers(-(1 << 31), 1 << 31, own["A"].shape) // 16 * 8
    frames = FrameModel(own)
    noise = bytes([252]) + frames.digest[:4] + bytes([64, 64, 64]) + rng.bytes(9000)
    head = Writer().byte(8 * 9 + 2).number(64).number(64).byte(0).byte(2).number(0)
    data = bytes([ONE_ARRAY]) + bytes(head.raw(noise).data)
    assert decompress(whole(data, models=[CodecModel(None, frames).to_bytes()])).shape == (64, 64)


def test_opening_takes_no_memory_however_many_records_are_announced():
    group = bytes([ARRAYS]) + b"\1" + bytes(Writer().block(encode_field(np.zeros((4, 0)), LOSSLESS)[0]).data)
    with pytest.raises(FormatError, match="more than an archive may hold"):
        Archive(whole(group, 1 << 40, "arrays"))
    tracemalloc.start()
    with Archive(whole(group, MOST_RECORDS, "arrays")) as archive:
        assert archive.info["records"] == len(archive) == MOST_RECORDS
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
