import numpy as np
import pytest

from invae.operators import Blur, Heat, Radon

OPERATORS = [
    Blur((6, 7), 1.0),
    Blur((6, 7), 1.0, boundary="zero"),
    Blur((6, 7), 1.0, boundary="periodic"),
    Heat((6, 7), 0.5),
    Heat((6, 7), 0.5, conductivity=np.full((6, 7), 2.0)),
    Radon((6, 7), n_angles=5),
]


@pytest.mark.parametrize("F", OPERATORS, ids=repr)
def test_no_rows_in_no_rows_out(F):
    m, n = F.shape
    assert F.apply(np.zeros((0, n), np.float32)).shape == (0, m)
    assert F.apply_adjoint(np.zeros((0, m))).shape == (0, n)
    assert F.apply(np.zeros((0, 6, 7))).shape == (0, *F.dimsd)
    assert F.apply(np.zeros((0, n), np.float32)).dtype == np.float32
