"""Mixed decisions: values come back, what is stated pays, training counts the same decisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invae.codec.coding.coder import finish, start_coder
from invae.codec.coding.decisions import (
    N_DECISIONS,
    N_SETS,
    SELECTORS,
    TABLE,
    Mixer,
    code_value,
    new_statements,
)
from invae.codec.coding.tables import mixing_tables

N_EXPERTS, N_TABLES = 2, 1


def fresh():
    n_inputs = N_EXPERTS + N_TABLES + 2
    return Mixer(
        np.full((N_SETS, N_DECISIONS, SELECTORS, n_inputs), 20000, np.int32),
        np.full((N_DECISIONS, SELECTORS, N_SETS), 65536 // N_SETS, np.int32),
        np.full((N_TABLES, TABLE, N_DECISIONS), 1 << 29, np.int32),
        np.array([8, 2, 255]),
    )


def coded(values, stream, decoding, z, expected=0):
    """Code distances whose experts expect ``expected`` with an error of one."""
    statements, mixer, coder = (
        new_statements(N_EXPERTS, N_EXPERTS, N_TABLES),
        fresh(),
        start_coder(stream, decoding),
    )
    statements.offsets[:] = expected << 8
    statements.scales[:] = mixing_tables().inverse[64 >> z]
    out = [code_value(coder, value, z, statements, mixer, mixing_tables()) for value in values]
    return out, 0 if decoding else finish(coder.state, stream)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(-(2**48), 2**48) | st.integers(-40, 40), max_size=30), st.integers(0, 30))
def test_any_distances_come_back(values, z):
    stream = np.zeros(60 * len(values) + 64, np.uint8)
    assert coded(values, stream, False, z)[0] == values
    assert coded([0] * len(values), stream, True, z)[0] == values


@pytest.mark.parametrize("expected", [-3, 0, 6])
def test_what_experts_expect_takes_fewer_bytes_than_what_they_do_not(rng, expected):
    stream = np.zeros(20000, np.uint8)
    values = np.rint(expected + rng.logistic(0, 1, 200)).astype(int).tolist()
    right = coded(values, stream, False, 0, expected)[1]
    assert right < 0.9 * coded(values, stream, False, 0, expected + 30)[1]
