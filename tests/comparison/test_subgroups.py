"""Where a difference lies: what is planted is found there, and what is not is not claimed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from agfer_bench.comparison.contrasts import Question, contrasts
from agfer_bench.comparison.inference import over_trainings
from agfer_bench.comparison.outcomes import On, Part, accuracies, shares_of_all
from agfer_bench.comparison.subgroups import By, Subgroups, subgroups
from agfer_bench.errors import UserError
from agfer_bench.records.run import FoldRecord, RunRecord
from agfer_bench.report.forest import forest
from agfer_bench.report.subgroups import cells_of, notes_of
from tests.comparison.simulated import AGES, CLASSES, SUBJECTS, World, entrants, gain_in

ON: dict[By, On] = {"class": "validation", "age": "test", "subject": "validation"}


pytestmark = pytest.mark.usefixtures("frozen_heap")


def _run(by: By, seed: int, gain: object = 0.0, *, seeds: int = 5) -> Subgroups:
    """Train base and a block; people are taken alike by both where each is looked at alone."""
    world = World(seed, seeds=seeds, own_sd=0.0 if by == "subject" else 0.05)
    one = world.record(world.network("base"), world.network("a", gain))  # type: ignore[arg-type]
    return subgroups(entrants(one), Question(on=ON[by]), by)


def _claimed(found: Subgroups) -> list[str]:
    return [one.name for one in found.found if one.contrast.distinguishable]


@pytest.mark.parametrize(
    ("by", "where", "gain", "seeds"),
    [
        ("class", "fear", 0.25, 5),
        ("age", "old", 0.2, 5),
        pytest.param("subject", "7", 0.4, 20, marks=pytest.mark.slow),
    ],
)
def test_a_gain_is_found_where_it_was_planted_and_nowhere_else(
    by: By, where: str, gain: float, seeds: int
) -> None:
    found = [_run(by, seed, gain_in(where, gain), seeds=seeds) for seed in range(20)]
    assert sum(_claimed(one) == [where] for one in found) >= 19
    planted = [one for each in found for one in each.found if one.name == where]
    assert all(one.contrast.verdict in ("ahead", "not distinguishable") for one in planted)
    assert sum(one.beyond.distinguishable for one in planted) >= 19, "more than elsewhere"


def test_a_gain_of_all_classes_is_of_no_class_more_than_of_others() -> None:
    found = [_run("class", seed, 0.2) for seed in range(20)]
    assert sum(len(_claimed(one)) == len(CLASSES) for one in found) >= 15
    beyond = [any(one.beyond.distinguishable for one in each.found) for each in found]
    assert sum(beyond) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("by", ["class", "age", "subject"])
def test_networks_without_effect_are_claimed_nowhere(by: By) -> None:
    """An A/A twin: 200 families, of which at most 5 % may claim anything."""
    claims = [bool(_claimed(_run(by, seed, seeds=3))) for seed in range(5000, 5200)]
    assert sum(claims) <= 10


def test_classes_are_recalls_and_add_up_to_the_whole() -> None:
    found = _run("class", 1)
    (whole,) = found.whole
    estimates = [one.contrast.estimate for one in found.found]
    assert np.mean(estimates) == pytest.approx(whole.estimate)
    for one in found.found:
        assert one.contrast.difference is not None
        assert one.contrast.difference.estimate == pytest.approx(one.contrast.estimate)
        assert one.beyond.estimate == pytest.approx(one.contrast.estimate - whole.estimate)
    assert {one.contrast.pairs for one in found.found} == {len(CLASSES) + 1}, "all images count too"


def test_age_groups_add_up_to_the_whole_and_hold_their_own_people() -> None:
    found = _run("age", 1)
    estimates = [one.contrast.estimate for one in found.found]
    assert [one.name for one in found.found] == list(AGES)
    assert np.mean(estimates) == pytest.approx(found.whole[0].estimate)
    assert [one.subjects for one in found.found] == [SUBJECTS // 3] * 3


def test_subjects_add_up_to_the_whole_and_are_judged_over_trainings() -> None:
    found = _run("subject", 1)
    estimates = [one.contrast.estimate for one in found.found]
    assert len(estimates) == SUBJECTS
    assert np.mean(estimates) == pytest.approx(found.whole[0].estimate)
    judged = [one.contrast.difference for one in found.found if one.contrast.difference]
    assert {(one.unit, one.df, one.subject) for one in judged if not one.constant} == {
        ("trainings", 4.0, 0.0)
    }


def test_subjects_of_the_second_data_set_are_judged_by_the_networks_of_all_folds() -> None:
    found = subgroups(entrants(_pair()), Question(on="test"), "subject")
    estimates = [one.contrast.estimate for one in found.found]
    assert np.mean(estimates) == pytest.approx(found.whole[0].estimate)
    judged = [one.contrast.difference for one in found.found if one.contrast.difference]
    assert {(one.folds, one.trainings, one.df) for one in judged} == {(3, (3,), 6.0)}


def test_five_subjects_are_judged_one_by_one_but_not_as_a_sample() -> None:
    def few(fold: FoldRecord) -> dict[str, tuple[int, ...]]:
        return dict(list((fold.recognised or {}).items())[: 2 if fold.fold < 2 else 1])

    one = entrants(_changed(_pair(), recognised=few))
    by_subject = subgroups(one, Question(), "subject")
    assert len(by_subject.found) == 5
    by_class = subgroups(one, Question(), "class")
    units = {each.contrast.difference.unit for each in by_class.found if each.contrast.difference}
    assert units == {"folds"}


def test_one_person_is_judged_by_students_t_over_trainings() -> None:
    values = np.random.default_rng(2).normal(0.1, 0.2, (1, 7))
    found, expected = over_trainings([values]), stats.ttest_1samp(values[0], 0)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval()))


def test_one_image_in_each_training_is_no_finding_about_a_person() -> None:
    """The difference does not scatter, but it has had three chances to, with twelve images."""

    def known(right: tuple[int, ...]) -> RunRecord:
        def change(fold: FoldRecord) -> dict[str, tuple[int, ...]] | None:
            found = dict(fold.recognised or {})
            return {**found, "7": right} if "7" in found else found

        return _changed(one, recognised=change)

    one = _pair()
    full, lacking = (known((count, 3, 3, 3)).modules for count in (3, 2))
    pair = one.model_copy(update={"modules": (full[0], lacking[1])})
    found = subgroups(entrants(pair), Question(), "subject")
    (seven,) = (each for each in found.found if each.name == "7")
    assert seven.contrast.estimate == pytest.approx(-1 / 12)
    assert seven.contrast.verdict == "not distinguishable"
    assert seven.contrast.difference is not None
    scatter = [each.contrast.difference.error for each in found.found if each.contrast.difference]
    assert seven.contrast.difference.error == min(scatter) > 0
    assert seven.contrast.difference.df == 2


def test_intervals_leave_out_0_where_the_verdict_does() -> None:
    for seed in range(5):
        for one in _run("class", seed, gain_in("fear", 0.15)).found:
            assert one.contrast.interval is not None
            low, high = one.contrast.interval
            assert (low > 0 or high < 0) == one.contrast.distinguishable


def test_shares_of_a_part_add_up_to_its_accuracy() -> None:
    world = World(3)
    (one,) = entrants(world.record(world.network("base")))
    subjects = [str(n) for n in range(SUBJECTS)]
    for on, part in (
        ("validation", Part(number=2)),
        ("test", Part(number=1)),
        ("test", Part(age="old")),
    ):
        shares = shares_of_all(one, on, subjects, part)  # type: ignore[arg-type]
        assert np.nansum(shares, axis=2) == pytest.approx(accuracies(one, on, part))  # type: ignore[arg-type]


def _changed(one: RunRecord, **changes: object) -> RunRecord:
    """Change every fold of a record; a function is given the fold."""

    def new(fold: FoldRecord) -> FoldRecord:
        values = {name: do(fold) if callable(do) else do for name, do in changes.items()}
        return fold.model_copy(update=values)

    return one.model_copy(
        update={
            "modules": tuple(
                module.model_copy(
                    update={
                        "folds": tuple(map(new, module.folds)),
                        "repeats": tuple(tuple(map(new, each)) for each in module.repeats),
                    }
                )
                for module in one.modules
            )
        }
    )


def _pair(seed: int = 1, *, seeds: int = 3) -> RunRecord:
    world = World(seed, seeds=seeds)
    return world.record(world.network("base"), world.network("a"))


@pytest.mark.parametrize("by", ["class", "age", "subject"])
def test_one_training_of_a_fold_judges_nothing(by: By) -> None:
    found = subgroups(entrants(_pair(seeds=1)), Question(on=ON[by]), by)
    assert {one.contrast.verdict for one in found.found} == {"not judged"}
    assert {one.beyond.verdict for one in found.found} == {"not judged"}
    assert "was trained once" in found.found[0].contrast.why_not


def test_without_known_subjects_classes_are_compared_over_folds() -> None:
    one = _changed(_pair(), recognised=None)
    found = subgroups(entrants(one), Question(), "class")
    judged = [each.contrast.difference for each in found.found]
    assert {each.unit for each in judged if each} == {"folds"}
    assert {each.subjects for each in found.found} == {None}
    with pytest.raises(UserError, match="does not tell who was recognised"):
        subgroups(entrants(one), Question(), "subject")


def test_five_subjects_are_too_few_for_their_age_group() -> None:
    def few(fold: FoldRecord) -> dict[str, dict[str, tuple[int, ...]]]:
        known = fold.test_recognised or {}
        return {**known, "old": dict(list(known["old"].items())[:5])}

    found = subgroups(entrants(_changed(_pair(), test_recognised=few)), Question(on="test"), "age")
    *others, old = found.found
    assert {each.contrast.verdict for each in others} != {"not judged"}
    assert old.contrast.why_not == "5 subjects are judged in old, at least 6 are needed"
    assert old.contrast.pairs == 3, "what is not judged is not corrected for"


def test_a_class_that_some_people_do_not_show_is_judged_on_the_others() -> None:
    def without(fold: FoldRecord) -> dict[str, tuple[int, ...]]:
        known = fold.recognised or {}
        return {n: (*r[:3], 0) if int(n) >= 12 else r for n, r in known.items()}

    def confusion(fold: FoldRecord) -> tuple[tuple[int, ...], ...]:
        right = sum(r[3] for r in without(fold).values())
        return (*fold.confusion[:3], (12 - right, 0, 0, right))

    found = subgroups(
        entrants(_changed(_pair(), recognised=without, confusion=confusion)), Question(), "class"
    )
    assert [each.subjects for each in found.found] == [SUBJECTS] * 3 + [12]
    difference = found.found[3].contrast.difference
    assert difference is not None
    assert difference.units == 12


def test_a_class_without_images_in_a_fold_is_not_judged() -> None:
    def confusion(fold: FoldRecord) -> tuple[tuple[int, ...], ...]:
        return (*fold.confusion[:3], (0,) * 4) if fold.fold == 1 else fold.confusion

    found = subgroups(entrants(_changed(_pair(), confusion=confusion)), Question(), "class")
    assert found.found[3].contrast.why_not == "fold 2 has no image of sadness"
    assert np.isnan(found.found[3].contrast.estimate)
    assert "–" in cells_of(found.found[3], "class")
    assert "Not judged: fold 2 has no image of sadness." in notes_of(found)
    assert forest(found, ["a"]).axes
    assert found.found[0].contrast.difference is not None


@pytest.mark.parametrize(
    ("question", "by", "message"),
    [
        (Question(against="all"), "class", "leave --against all out"),
        (Question(), "age", "add --on test"),
        (Question(over="folds"), "subject", "leave --over folds out"),
    ],
)
def test_what_cannot_be_asked_is_said(question: Question, by: By, message: str) -> None:
    with pytest.raises(UserError, match=message):
        subgroups(entrants(_pair()), question, by)


def test_ages_that_are_not_known_and_bases_that_are_missing_are_said() -> None:
    one = _pair()
    assert one.test is not None
    ageless = one.model_copy(update={"test": one.test.model_copy(update={"groups": {}})})
    with pytest.raises(UserError, match="no age group is known of portraits"):
        subgroups(entrants(ageless), Question(on="test"), "age")
    with pytest.raises(UserError, match="no base was trained"):
        subgroups(entrants(one)[1:], Question(), "class")
    with pytest.raises(UserError, match="no block was trained"):
        subgroups(entrants(one)[:1], Question(), "class")


def test_the_whole_is_what_compare_says_but_for_the_correction() -> None:
    one = entrants(_pair())
    (alone,) = contrasts(one, Question())
    (whole,) = subgroups(one, Question(), "class").whole
    assert whole.difference == alone.difference
