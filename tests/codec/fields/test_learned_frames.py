"""Planes of frames by a learned model."""

from __future__ import annotations

import numpy as np

from invae.codec import compress
from invae.codec.fields.integer_forms.learned_frames import NUMBER
from invae.codec.fields.integer_forms.plane import IntegerPlane
from invae.codec.fields.integers import FORMS, NO_OFFSETS
from invae.codec.model import default_model


def smooth_frame():
    y, x = np.mgrid[:100, :110]
    return 800 * np.exp(-((np.hypot(y - 47.3, x - 51.8) / 21) ** 2)) + 2


def test_a_smooth_frame_is_not_kept_from_the_learned_form_by_its_first_predictor():
    plane = np.rint(smooth_frame() / 0.2).astype(np.int64)
    lengths = {}
    for bid in FORMS.bids(IntegerPlane(plane, default_model(), len(plane), NO_OFFSETS)):
        lengths[bid[0]] = len(bid)
    assert lengths[NUMBER] < 0.8 * min(n for number, n in lengths.items() if number != NUMBER)
    with_model, without = (len(compress(smooth_frame(), "abs:0.1", model=m)) for m in ("default", None))
    assert with_model < lengths[NUMBER] + 40 and with_model < without
