"""Archives made with bad intentions: every checksum fits, and yet reading ends, in one error at worst."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
import zstandard

from invae.codec import Archive, compress, decompress
from invae.codec.bounds import Bound
from invae.codec.coding.varint import Reader, Writer
from invae.codec.container.directory import MOST_RECORDS, Directory, assemble
from invae.codec.curves.model import NETWORK, CurveModel, shipped_curve_model
from invae.codec.fields.exact_forms.decimals import FIXED
from invae.codec.fields.exact_forms.raw import NUMBER as RAW
from invae.codec.fields.exact_forms.shuffled import NUMBER as SHUFFLE
from invae.codec.fields.field import encode_field
from invae.codec.fields.field_forms.exact import NUMBER as EXACT
from invae.codec.fields.field_forms.steps import NUMBER as STEPS
from invae.codec.fields.group import ARRAYS, ARRAYS_WITH_SIGMA, ONE_ARRAY, encode_group
from invae.codec.frames.model import FrameModel, shipped_frame_model
from invae.codec.l2.codes import analytic_model, decode_l2, encode_l2
from invae.codec.l2.group import L2_GRID_GROUP, L2_GROUP
from invae.codec.model import CodecModel
from invae.data.records import Frame, identical
from invae.errors import FormatError, ModelError

LOSSLESS = Bound("lossless")
CURVE_PARTS = ("A", "B", *NETWORK, "W", "V", "L", "C", "F", "T")


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
        ("M2", (3, 3), 128),
        ("C", ..., -(1 << 62)),
    ],
)
def test_models_that_would_lead_kernels_astray_are_refused(name, place, value):
    arrays = dict(zip(CURVE_PARTS, shipped_curve_model().arrays(*CURVE_PARTS)))
    arrays[name][place] = value
    with pytest.raises(ModelError, match="damaged"):
        CurveModel.from_bytes(CurveModel(arrays).to_bytes())


def test_sums_as_wild_as_a_model_may_state_do_not_crash(rng):
    arrays = dict(zip(CURVE_PARTS, shipped_curve_model().arrays(*CURVE_PARTS)))
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


@pytest.mark.parametrize("kind", [L2_GROUP, L2_GRID_GROUP])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (0, 5, 5)])
def test_items_too_small_for_l2_end_in_an_error(kind, shape):
    hollow = encode_group([np.zeros(shape)], LOSSLESS, LOSSLESS)[0]
    with pytest.raises(FormatError, match="too small"):
        decompress(whole(Writer().byte(kind).raw(b"\1").block(hollow).block(bytes(9)).data))


def test_exact_rows_at_impossible_places_end_in_an_error():
    rows = np.concatenate([np.sin(np.linspace(0, 9, 120)).reshape(3, 40), np.full((3, 40), np.nan)])
    model = analytic_model(40)
    reader = Reader(encode_l2(rows, 0.01, model)[:-4])
    head = Writer().raw(reader.raw(12)).number(reader.number()).number(reader.number()).real(reader.real())
    n_exact = reader.number()
    _ = [reader.number() for _ in range(n_exact)]
    head.number(n_exact).number(1 << 62).number(1 << 62).number(1 << 63).raw(reader.rest())
    data = bytes(head.data)
    with pytest.raises(FormatError, match="beyond the last row"):
        decode_l2(data + zlib.crc32(data).to_bytes(4, "little"), model)


def test_zstd_data_that_announce_more_than_belongs_there_are_not_unpacked():
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 26))
    tracemalloc.start()
    with pytest.raises(FormatError, match="announce more"):
        decompress(whole(bytes([ONE_ARRAY, 8 * 19 + 1, 1, EXACT, SHUFFLE]) + bomb))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_escapes_of_escapes_of_escapes_end_in_an_error():
    plane = bytes([RAW]) + np.ones(1).tobytes()
    for _ in range(3000):
        plane = bytes(Writer().byte(FIXED).byte(1).number(1).block(b"\0\2").block(plane).raw(b"\0\0").data)
    with pytest.raises(FormatError, match="asks for too much"):
        decompress(whole(bytes([ONE_ARRAY, 8 * 19 + 1, 1, EXACT]) + plane))


def test_blocks_that_do_not_make_one_array_end_in_an_error():
    def stack(*blocks, n_records=1):
        groups = [encode_group([np.asarray(block)], LOSSLESS, LOSSLESS)[0] for block in blocks]
        heads = [(n_records, len(group), zlib.crc32(group), 0.0) for group in groups]
        return assemble(Directory("stack", LOSSLESS, LOSSLESS, None, heads), groups)

    assert decompress(stack(np.zeros((2, 3)), np.ones((1, 3)))).tolist() == [[0] * 3, [0] * 3, [1] * 3]
    for blocks in ([np.zeros(3), np.zeros((2, 2))], [np.zeros(3), np.zeros(3, int)], [0.0, 0.0]):
        with pytest.raises(FormatError, match="one array"):
            decompress(stack(*blocks))
    for wrong in (stack(), stack(np.zeros(3), n_records=2)):
        with pytest.raises(FormatError, match="one block each"):
            Archive(wrong)


def test_a_missing_frame_model_is_named_for_records_too(rng):
    arrays = shipped_frame_model().arrays
    arrays["L"][...] += 16
    model = CodecModel(None, FrameModel(arrays))
    y, x = np.indices((64, 64))
    frame = Frame(data=rng.poisson(300 * np.exp(-np.hypot(y - 30, x - 33) / 20)).astype(np.int32))
    blob = compress(frame, model=model)
    with pytest.raises(ModelError, match=model.frames.digest[:4].hex()):
        decompress(blob)
    assert identical(decompress(blob, model), frame)
