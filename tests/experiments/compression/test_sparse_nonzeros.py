from __future__ import annotations

import numpy as np

from experiments.compression.sparse_nonzeros import nonzero_table, patches
from invae.data.simulation.curves import default_q, simulate_curves


def test_every_dictionary_is_counted_and_smaller_errors_need_more_codes(rng):
    curves = np.log10(simulate_curves(40, ["sphere", "lamellar", "vesicle"], default_q(64), 1).intensity)
    steps = np.cumsum(np.cumsum(rng.standard_normal((70, 32, 32)), axis=1), axis=2)
    config = {
        "nonzero_tolerances": [0.05, 0.2],
        "frame_nonzero_tolerances": [0.1, 0.3],
        "n_nonzero_curves": 5,
        "n_nonzero_frames": 1,
        "n_kernels": 2,
        "kernel_size": 8,
        "frame_kernel": 5,
        "n_epochs": 1,
    }
    table = nonzero_table((curves[:5], curves[5:]), (steps[:1], steps[1:]), config)
    assert len({row["dictionary"] for row in table.rows}) == len(table.rows) == 9
    for row in table.rows:
        fine, coarse = (row[key] for key in row if key.startswith("codes at "))
        assert fine > coarse > 0 and row["atoms"] > 0
    coded = [row for row in table.rows if row.get("bytes at 5%")]
    assert len(coded) == 2 and all(row["bytes at 5%"] > row["bytes at 20%"] for row in coded)


def test_patches_keep_every_pixel_in_its_frame(rng):
    frames = rng.standard_normal((3, 32, 48))
    rows = patches(frames)
    assert rows.shape == (18, 256)
    np.testing.assert_allclose((rows**2).reshape(3, -1).sum(axis=1), (frames**2).sum(axis=(1, 2)))
    np.testing.assert_array_equal(rows[1].reshape(16, 16), frames[0, :16, 16:32])
