"""Runs in several settings, made up without training: other hosts, other data, other protocols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agfer_bench.records.run import RunRecord
from agfer_bench.submissions.model import Reading, Submission
from tests.leaderboard.generated import make_run, sha


def in_setting(
    skills: Mapping[str, float],
    *,
    host: str = "vgg16",
    data: str = "image-folder",
    drawn: bool = False,
    epochs: int = 12,
    seed: int = 0,
    draw: int = 0,
    **others: Any,
) -> RunRecord:
    """Return a run of `make_run` in one setting.

    Args:
        skills: Chance of each module to recognise an image, 0..1.
        host: The host.
        data: Name of the data set; another name, other images.
        drawn: Whether its faces are drawn.
        epochs: Something of the protocol.
        seed: The run's seed.
        draw: Runs of different draws hold different trainings.
        others: Those of `make_run`.
    """
    made = make_run(skills, draw=draw, **others)
    changes: dict[str, Any] = {"host": host, "epochs": epochs, "seed": seed}
    if host != "vgg16":
        changes |= {"width": 1.0, "stride": 16}
    return made.model_copy(
        update={
            "protocol": made.protocol.model_copy(update=changes),
            "data": made.data.model_copy(
                update={"name": data, "drawn": drawn, "fingerprint": f"sha256:{sha(data, drawn)}"}
            ),
        }
    )


def reading_of(*records: RunRecord) -> Reading:
    """Return these runs as if they were read from a folder."""
    submissions = [Submission(path=f"{n}/record.json", record=r) for n, r in enumerate(records)]
    return Reading(accepted=tuple(submissions), rejected=())
