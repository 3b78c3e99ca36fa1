"""What a page says of its verdicts: what they are, what they rest on, what is missing."""

from __future__ import annotations

from agfer_bench.comparison.inference import FEWEST_SUBJECTS, FEWEST_TRAININGS
from agfer_bench.leaderboard.comparing import MOST, Compared
from agfer_bench.leaderboard.replicates import alike
from agfer_bench.records.run import RunRecord
from agfer_bench.report.verdicts import Judged, notes_on

ONCE = (
    "Another training of the same network can move its accuracy by more than a block does, so one "
    f"says nothing about blocks. It takes {FEWEST_TRAININGS} trainings of each fold or more: add a "
    "record, or make one anew with its command and --seeds 3."
)
"""Why a module that was trained once is not judged, and what brings a verdict."""


def notes_of(compared: Compared, record: RunRecord) -> list[str]:
    """Say what the verdicts of a page are, and what they rest on.

    Args:
        compared: What was found.
        record: One of the page's records.
    """
    if compared.unit is None:
        return ["No module of this page is judged, so there is no interval, verdict or rank."]
    lines = _of_unit(compared, record)
    if compared.why_no_base:
        lines.append(f"Nothing is said against base ({compared.why_no_base}).")
    judged = compared.against_base or compared.pairs
    by_image = record.protocol.split == "image"
    lines += notes_on(Judged(contrasts=judged, question=compared.question, by_image=by_image))
    return lines + _of_ranks(compared) + _of_trainings(compared)


def _of_unit(compared: Compared, record: RunRecord) -> list[str]:
    """Say why the page is over folds where subjects are known."""
    subjects = record.data.subjects
    if compared.unit == "trainings" and subjects is not None:
        return ["Over trainings alone, since too few subjects are known or told of."]
    if compared.unit != "folds" or subjects is None:
        return []
    if subjects < FEWEST_SUBJECTS:
        return [f"Over folds, since {subjects} subjects are too few (at least {FEWEST_SUBJECTS})."]
    return ["Over folds, since the records do not tell who was recognised."]


def _of_ranks(compared: Compared) -> list[str]:
    count, ranked = len(compared.judged), len(compared.ranked)
    if ranked < 2:
        return []
    which = f"the {MOST} most accurate of {count}" if count > ranked else f"all {ranked}"
    pairs = len(compared.pairs)
    text = (
        f"Ranks and tiers rest on a second family of comparisons, {which} judged modules in pairs"
        f"{f', {pairs} pairs corrected together (Holm)' if pairs > 1 else ''}. A rank is the range "
        "that they leave open. "
    )
    tiers = max(one.tier or 0 for one in compared.ranked)
    if tiers == 1:
        return [f"{text}No tier is divided off: no part of the table is behind all that is above."]
    return [f"{text}Every module of a tier is behind every module of the tiers above."]


def _of_trainings(compared: Compared) -> list[str]:
    lines = []
    if compared.left_out:
        were = "training is" if compared.left_out == 1 else "trainings are"
        lines.append(
            f"{compared.left_out} {were} left out, of older records that do not tell who was "
            "recognised."
        )
    if any(alike(one.entrant) for one in compared.judged if one.entrant is not None):
        lines.append(
            "Some trainings of one module and fold began from the same weights with the same "
            "batches, in several records. Each counts as a training; where they agree more than "
            "trainings with other seeds would, intervals are too narrow."
        )
    return lines
