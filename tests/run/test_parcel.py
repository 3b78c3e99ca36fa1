"""What a job weighs on its way to another process, and what it is when it arrives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agfer_bench.faces.folds import Fold
from agfer_bench.faces.mask import default_mask
from agfer_bench.protocol import load_preset
from agfer_bench.run.jobs.network import Job
from agfer_bench.run.pool.pickling import pack, unpack
from tests.run.support import own

SHAPE = (500, 32, 32, 3)
HEAD_BYTES = 64


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a job whose pixels begin some bytes into a file."""
    path = tmp_path / "crops.u8"
    random = np.random.default_rng(0)
    path.write_bytes(random.bytes(HEAD_BYTES + int(np.prod(SHAPE))))
    (chosen,) = own().choose_modules("se:reduction=4")
    return Job(
        chosen=chosen,
        protocol=load_preset("quick"),
        fold=Fold(number=0, train=np.arange(0, 400), validation=np.arange(400, 500)),
        pixels_NHWC=np.memmap(path, np.uint8, "r", HEAD_BYTES, SHAPE),
        labels_N=np.arange(500, dtype=np.int64) % 3,
        names=[f"{number}.png" for number in range(500)],
        subjects=[None] * 500,
        test=None,
        classes=("anger", "fear", "sadness"),
        mask=default_mask(48),
        device=torch.device("cpu"),
        memory_format="channels_last",
        key="0",
    )


def test_pixels_go_by_their_file_and_blocks_by_their_name(job: Job) -> None:
    parcel = pack(job)
    assert len(parcel) < job.pixels_NHWC.nbytes / 20
    there = unpack(parcel)
    assert isinstance(there.pixels_NHWC, np.memmap)
    assert not there.pixels_NHWC.flags.writeable
    np.testing.assert_array_equal(there.pixels_NHWC, job.pixels_NHWC)
    assert there.chosen.label == "se:reduction=4"
    assert there.chosen.entry.spec.build is job.chosen.entry.spec.build
    np.testing.assert_array_equal(there.labels_N, job.labels_N)
    assert repr(replace(there, chosen=job.chosen, pixels_NHWC=job.pixels_NHWC)) == repr(job)


def test_what_is_no_whole_map_goes_by_value(job: Job) -> None:
    for pixels in (job.pixels_NHWC[7:90:3], np.array(job.pixels_NHWC[:20])):
        there = unpack(pack(replace(job, pixels_NHWC=pixels)))
        np.testing.assert_array_equal(there.pixels_NHWC, pixels)
