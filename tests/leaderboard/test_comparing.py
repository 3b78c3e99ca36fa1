"""What a page says of its modules: who is judged, over what, verdicts, ranks, tiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agfer_bench.comparison.contrasts import Contrast, Question, accuracy_of, contrasts
from agfer_bench.comparison.outcomes import Entrant
from agfer_bench.leaderboard import comparing
from agfer_bench.leaderboard.comparing import Compared, Standing, tiers_of
from agfer_bench.leaderboard.grouping import pages_of
from agfer_bench.leaderboard.model import Page
from agfer_bench.leaderboard.naming import names_of
from agfer_bench.leaderboard.wording import notes_of
from agfer_bench.records.run import FoldRecord, ModuleRecord, RunRecord
from agfer_bench.report.verdicts import entrants_of
from agfer_bench.submissions.model import Reading, Submission
from tests.leaderboard.generated import make_run

SKILLS = {"base": 0.5, "good": 0.62, "same": 0.5, "bad": 0.38, "hog": 0.75}


def _page(*records: RunRecord) -> Page:
    submissions = [Submission(path=f"{n}/record.json", record=r) for n, r in enumerate(records)]
    (page,) = pages_of(Reading(accepted=tuple(submissions), rejected=()))
    return page


def _compare(*records: RunRecord) -> Compared:
    page = _page(*records)
    return comparing.compare(page.entries, names_of(page.entries))


def _notes(*records: RunRecord) -> str:
    return "\n".join(notes_of(_compare(*records), records[0]))


def _of(found: Compared, label: str) -> Standing:
    page = [one for one in found.standings if one.entrant and one.entrant.label == label]
    return page[0]


def _silent(record: RunRecord) -> RunRecord:
    """Return the run as an older version wrote it: without who was recognised."""
    return record.model_copy(update={"modules": tuple(map(_without_subjects, record.modules))})


def _without_subjects(module: ModuleRecord) -> ModuleRecord:
    sets = [
        tuple(fold.model_copy(update={"recognised": None}) for fold in one) for one in module.seeds
    ]
    return module.model_copy(update={"folds": sets[0], "repeats": tuple(sets[1:])})


def _stuck(record: RunRecord, label: str, fold: int) -> RunRecord:
    """Return the run with a module that gave every image of one fold the same class."""

    def once(one: FoldRecord) -> FoldRecord:
        rows = [(sum(row), *(0 for _ in row[1:])) for row in one.confusion]
        kept = {s: (row[0], *(0 for _ in row[1:])) for s, row in (one.recognised or {}).items()}
        return one.model_copy(update={"confusion": tuple(rows), "recognised": kept})

    modules = [
        one.model_copy(update={"folds": tuple(once(f) if f.fold == fold else f for f in one.folds)})
        if one.label == label
        else one
        for one in record.modules
    ]
    return record.model_copy(update={"modules": tuple(modules)})


@pytest.fixture(scope="module")
def run() -> RunRecord:
    return make_run(SKILLS)


def test_a_page_of_one_record_says_what_compare_says(run: RunRecord) -> None:
    found = _compare(run)
    expected = contrasts(entrants_of(run), Question())
    ours = {one.first: (one.verdict, one.interval, one.adjusted) for one in found.against_base}
    assert ours == {one.first: (one.verdict, one.interval, one.adjusted) for one in expected}
    verdicts = {label: verdict for label, (verdict, _, _) in ours.items()}
    assert verdicts == {"good": "ahead", "same": "not distinguishable", "bad": "behind"}
    everyone = contrasts(entrants_of(run), Question(against="all"))
    assert sorted(one.adjusted or 0.0 for one in found.pairs) == pytest.approx(
        sorted(one.adjusted or 0.0 for one in everyone)
    )


def test_most_accurate_first_with_intervals_over_subjects_and_trainings(run: RunRecord) -> None:
    found = _compare(run)
    assert (found.unit, found.units) == ("subjects", 60)
    accuracies = [np.mean(one.entrant.module.accuracies) for one in found.judged if one.entrant]
    assert len(accuracies) == 5
    assert accuracies == sorted(accuracies, reverse=True)
    for entrant in entrants_of(run):
        assert _of(found, entrant.label).accuracy == accuracy_of(entrant, Question())


def test_a_classifier_is_ranked_and_not_held_against_base(run: RunRecord) -> None:
    hog = _of(_compare(run), "hog")
    assert hog.judged
    assert hog.against_base is None
    assert hog.rank == (1, 1)


def test_nothing_is_said_from_one_training() -> None:
    once = make_run(SKILLS, seeds=1)
    found = _compare(once)
    assert found.unit is None
    assert [*found.against_base, *found.pairs, *found.judged] == []
    assert {one.why_not for one in found.standings} == {"trained once on each fold"}
    assert all(one.accuracy is None and one.rank is None for one in found.standings)
    names = [one.entrant.label for one in found.standings if one.entrant]
    assert names == sorted(names), "not by accuracy"
    assert _notes(once).startswith("No module of this page is judged")


def test_records_of_one_and_of_three_seeds_are_pooled(run: RunRecord) -> None:
    once = make_run(SKILLS | {"new": 0.9}, seeds=1, draw=1, hours=1, device=1)
    found = _compare(run, once)
    entrants = [one.entrant for one in found.judged if one.entrant]
    assert {one.label: len(one.trainings) for one in entrants} == dict.fromkeys(SKILLS, 4)
    assert all(one.trainings == (4, 4) for c in found.against_base if (one := c.difference))
    assert _of(found, "new").why_not == "trained once on each fold"
    assert found.standings[-1].entrant
    assert found.standings[-1].entrant.label == "new", "though it is the most accurate"
    assert "began from the same weights" in _notes(run, once)
    assert "began from the same weights" not in _notes(run)


def test_two_records_of_one_training_are_judged_together() -> None:
    runs = [make_run(SKILLS, seeds=1, draw=draw, device=draw) for draw in range(2)]
    assert {one.entrant.label for one in _compare(*runs).judged if one.entrant} == set(SKILLS)


def test_a_network_stuck_in_one_fold_is_not_judged(run: RunRecord) -> None:
    found = _compare(_stuck(run, "good", 2))
    assert _of(found, "good").why_not == "predicts a single class in fold 3"
    assert _of(found, "good").accuracy is None
    assert {one.first for one in found.against_base} == {"same", "bad"}
    assert all(one.pairs == 2 for one in found.against_base)


def test_five_subjects_are_judged_over_folds() -> None:
    few = make_run(SKILLS, subjects=5)
    found = _compare(few)
    assert (found.unit, found.units) == ("folds", 5)
    one = _of(found, "good")
    assert one.entrant is not None
    assert one.accuracy == accuracy_of(one.entrant, Question(over="folds"))
    assert "Over folds, since 5 subjects are too few (at least 6)." in _notes(few)


def test_older_records_do_not_take_the_subjects_from_others(run: RunRecord) -> None:
    old = _silent(make_run(SKILLS | {"old": 0.9}, draw=1, hours=-1))
    found = _compare(run, old)
    assert found.unit == "subjects"
    assert _of(found, "old").why_not == comparing.SILENT
    good = _of(found, "good").entrant
    assert good is not None
    assert len(good.trainings) == 3
    assert found.left_out == 3 * len(SKILLS)
    assert "15 trainings are left out, of older records" in _notes(run, old)


def test_where_nobody_tells_who_was_recognised_folds_are_judged_over() -> None:
    old = [_silent(make_run(SKILLS, seeds=1, draw=draw)) for draw in range(2)]
    found = _compare(*old)
    assert found.unit == "folds"
    assert len(found.judged) == len(SKILLS)
    assert found.left_out == 0
    assert "Over folds, since the records do not tell who was recognised." in _notes(*old)


def test_without_a_judged_base_nothing_is_said_against_it(run: RunRecord) -> None:
    without = run.model_copy(update={"modules": run.modules[1:]})
    found = _compare(without)
    assert found.base is None
    assert not found.against_base
    assert len(found.pairs) == 6
    assert "Nothing is said against base (no whole record has base)." in _notes(without)
    stuck = _stuck(run, "base", 0)
    assert _compare(stuck).base is None
    assert "Nothing is said against base (base: predicts a single class in fold 1)." in _notes(
        stuck
    )


def test_of_two_bases_ours_is_held_against(run: RunRecord) -> None:
    foreign = make_run({"base": 0.6}, seeds=4, draw=1)
    module = foreign.modules[0].model_copy(update={"distribution": "mine"})
    found = _compare(run, foreign.model_copy(update={"modules": (module,)}))
    assert found.base is not None
    assert found.base.module.distribution == "agfer-bench"
    assert {one.second for one in found.against_base} == {"base (agfer-bench)"}
    assert "base (mine)" in {one.first for one in found.against_base}


def test_only_the_most_accurate_are_ranked_and_all_are_held_against_base(
    run: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST", 3)
    monkeypatch.setattr("agfer_bench.leaderboard.wording.MOST", 3)
    found = _compare(run)
    assert [one.entrant.label for one in found.ranked if one.entrant][:2] == ["hog", "good"]
    assert len(found.pairs) == 3
    assert {one.first for one in found.against_base} == {"good", "same", "bad"}
    assert "the 3 most accurate of 5 judged modules in pairs, 3 pairs" in _notes(run)


def test_blocks_that_do_nothing_are_one_tier() -> None:
    nulls = make_run({"base": 0.5} | {f"null{n}": 0.5 for n in range(8)}, seeds=2, draw=1)
    found = _compare(nulls)
    assert not [one.first for one in found.against_base if one.verdict in ("ahead", "behind")]
    assert {one.rank for one in found.judged} == {(1, 9)}
    assert {one.tier for one in found.judged} == {1}
    assert "No tier is divided off" in _notes(nulls)


def test_ranks_and_tiers_follow_the_verdicts(run: RunRecord) -> None:
    found = _compare(run)
    ranks = {one.entrant.label: one.rank for one in found.ranked if one.entrant}
    middle = {"base": (3, 4), "same": (3, 4)}
    assert ranks == {"hog": (1, 1), "good": (2, 2), **middle, "bad": (5, 5)}
    tiers = {one.entrant.label: one.tier for one in found.ranked if one.entrant}
    assert tiers == {"hog": 1, "good": 2, "base": 3, "same": 3, "bad": 4}


@dataclass(frozen=True, kw_only=True)
class _Pair:
    first: str
    second: str
    verdict: str


def _tiers(count: int, behind: set[tuple[int, int]]) -> list[int]:
    """Return the tiers of modules 0 to count - 1; `behind` holds (worse, better)."""
    pairs: Sequence[object] = [
        _Pair(first=str(a), second=str(b), verdict="ahead" if (b, a) in behind else "equivalent")
        for a, b in combinations(range(count), 2)
    ]
    found = tiers_of(pairs, [str(n) for n in range(count)])  # type: ignore[arg-type]
    return [found[str(n)] for n in range(count)]


def test_a_tier_ends_where_all_below_are_behind_all_above() -> None:
    everything = {(b, a) for a, b in combinations(range(4), 2)}
    assert _tiers(4, set()) == [1, 1, 1, 1]
    assert _tiers(4, everything) == [1, 2, 3, 4]
    assert _tiers(4, everything - {(1, 0), (3, 2)}) == [1, 1, 2, 2]
    # The second is behind the first; the third, less accurate and less sure, is not.
    assert _tiers(3, {(1, 0), (2, 1)}) == [1, 1, 1]


@given(st.sets(st.sampled_from([(b, a) for a, b in combinations(range(6), 2)])))
def test_an_edge_between_tiers_is_in_every_verdict(behind: set[tuple[int, int]]) -> None:
    tiers = _tiers(6, behind)
    assert tiers == sorted(tiers)
    for a, b in combinations(range(6), 2):
        assert tiers[a] == tiers[b] or (b, a) in behind
    edges = sum(all((b, a) in behind for a in range(k) for b in range(k, 6)) for k in range(1, 6))
    assert max(tiers) == 1 + edges


def test_a_page_judges_so_many_and_tells_of_the_others(
    run: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "MOST_JUDGED", 4)
    found = _compare(run)
    assert len(found.judged) == 4
    assert _of(found, "bad").why_not == "not among the 4 most accurate"


def test_the_order_of_records_does_not_matter(run: RunRecord) -> None:
    other = make_run(SKILLS, seeds=2, draw=1, hours=1)

    def said(found: Compared) -> list[tuple[Contrast, Entrant | None]]:
        entrants = {one.entrant.label: one.entrant for one in found.judged if one.entrant}
        return [(one, replace(entrants[one.first], replicates=())) for one in found.pairs]

    assert said(_compare(run, other)) == said(_compare(other, run))
