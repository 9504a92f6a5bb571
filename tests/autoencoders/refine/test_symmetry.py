from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.refine.symmetry import asymmetry
from invae.operators import Blur, Radon, gaussian_kernel, motion_kernel


def test_operators_that_mirror_images_do_not_change_are_symmetric():
    assert asymmetry(Blur((12, 12), 1.0)) < 1e-12
    assert asymmetry(Blur((24,), 1.5)) < 1e-12
    assert asymmetry(Radon((16, 16), n_angles=8)) < 0.1


@pytest.mark.parametrize(
    "kernel", [motion_kernel(7, 0.4), gaussian_kernel((3.0, 0.5), angle=0.3)], ids=["motion", "slanted"]
)
def test_directional_blur_is_not(kernel):
    assert asymmetry(Blur((16, 16), kernel=kernel)) > 0.1


def test_a_limited_arc_is_not():
    assert asymmetry(Radon((16, 16), angles=np.linspace(0, np.pi / 3, 8))) > 0.1
