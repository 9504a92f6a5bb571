from __future__ import annotations

import numpy as np
import pytest

from invae.errors import InputError
from invae.linalg.augment import augment, order


@pytest.mark.parametrize(("shape", "group"), [((5,), "flips"), ((3, 4), "flips"), ((4, 4), "d4")])
def test_an_orbit_is_closed_under_its_group(rng, shape, group):
    x = rng.standard_normal((1, int(np.prod(shape))))
    orbit = augment(x, shape, group)
    assert len(orbit) == order(group, shape) == len({row.tobytes() for row in orbit})
    np.testing.assert_array_equal(orbit[0], x[0])
    again = augment(orbit, shape, group)
    assert {row.tobytes() for row in again} == {row.tobytes() for row in orbit}


def test_images_of_samples_come_one_element_of_the_group_after_the_other(rng):
    X = rng.standard_normal((3, 4))
    np.testing.assert_array_equal(augment(X, (4,), "flips"), np.concatenate([X, X[:, ::-1]]))
    assert augment(X, (4,), None) is X and order(None, (4,)) == 1
    with pytest.raises(InputError, match="square"):
        augment(X, (4,), "d4")
    with pytest.raises(InputError, match="unknown"):
        augment(X, (4,), "turns")
