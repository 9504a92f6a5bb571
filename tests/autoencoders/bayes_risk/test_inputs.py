from __future__ import annotations

import numpy as np
import pytest

from invae.autoencoders.bayes_risk.inputs import checked_rank
from invae.errors import InputError


def test_a_rank_is_a_whole_number_up_to_the_smaller_side():
    assert checked_rank(np.int64(3), 5, 3) == 3
    for rank, way in (
        (4, "rank<=3 or add measurements"),
        (0, "use rank>=1"),
        (2.0, "neither"),
        ("best", "neither"),
    ):
        with pytest.raises(InputError, match=way):
            checked_rank(rank, 5, 3)
