"""`agfer-bench compare`: differences of modules, with what may be said of them, and gates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agfer_bench.cli.conditions import Gates, hold_all, plain
from agfer_bench.cli.console import output, show, show_json, warn
from agfer_bench.cli.groups import JsonOption, RopeOption, grouped, rope_share
from agfer_bench.errors import UserError

if TYPE_CHECKING:
    from agfer_bench.comparison.contrasts import Question
    from agfer_bench.comparison.gates import GateResult
    from agfer_bench.comparison.outcomes import Entrant
    from agfer_bench.records.run import RunRecord
    from agfer_bench.report.verdicts import Judged


class Over(StrEnum):
    """What differences are judged over, beside trainings."""

    auto = "auto"
    subjects = "subjects"
    folds = "folds"


class Against(StrEnum):
    """Which pairs are compared."""

    base = "base"
    all = "all"


class By(StrEnum):
    """What subgroups are of."""

    class_ = "class"
    age = "age"
    subject = "subject"


class On(StrEnum):
    """On which images."""

    validation = "validation"
    test = "test"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a comparison."""

    modules: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Compare these rows alone, comma-separated. Fewer pairs, less correction: choose "
            "them before you look.",
            show_default=False,
        ),
    ] = None
    against: Annotated[
        Against,
        typer.Option(
            help="Compare every network with base, or all rows with each other: more pairs, more "
            "correction."
        ),
    ] = Against.base
    over: Annotated[
        Over,
        typer.Option(
            help="What differences are judged over, beside trainings; `auto`: subjects where they "
            "are known, else folds.",
        ),
    ] = Over.auto
    on: Annotated[
        On, typer.Option(help="Compare on the validation folds or on the second data set.")
    ] = On.validation
    rope: RopeOption = 1.0
    by: Annotated[
        By | None,
        typer.Option(
            help="Where a difference lies: hold every block against base in each class, age group "
            "(with --on test) or subject, corrected together.",
            show_default=False,
        ),
    ] = None
    across: Annotated[
        bool,
        typer.Option(
            "--across",
            help="The runs are of several data sets, hosts or protocols: tell how often each "
            "module beats base over all of them.",
        ),
    ] = False

    def question(self) -> Question:
        """Return the same for `contrasts`.

        Raises:
            UserError: The region of practical equivalence is none.
        """
        from agfer_bench.comparison.contrasts import Question

        return Question(
            against=self.against.value,
            over=self.over.value,
            on=self.on.value,
            rope=rope_share(self.rope),
        )


@grouped
def compare(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of runs, or their record.json."),
    ],
    asked: Asked,
    gates: Gates,
    diagram: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the mean ranks of five rows or more with their critical difference, or with "
            "--by the forest plots of all blocks (SVG, PNG or PDF).",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the modules of one run or several, and say which differences are real.

    Differences are judged over new people and new trainings, so that each fold must have been
    trained twice or more. Runs that differ in protocol, images or folds are refused, but for
    `--across`.
    """
    from agfer_bench.submissions.open import doubt_of, open_run

    question = asked.question()
    conditions = gates.parsed()
    records = list(zip(_names(folders), map(open_run, folders), strict=True))
    for folder, (_, record) in zip(folders, records, strict=True):
        doubt = doubt_of(folder, record)
        if doubt is not None:
            warn(doubt)
    if asked.on is On.test and any(record.test is None for _, record in records):
        raise UserError("--on test: these runs have no second data set: run them with --test")
    if asked.across:
        if conditions or diagram:
            raise UserError("--across takes no gate and no diagram: they are of one ground")
        if asked.by:
            raise UserError("--across and --by are two comparisons: leave one of them out")
        _across(records, question, as_json=as_json)
        return
    if asked.by:
        if conditions:
            raise UserError(
                f"--by {asked.by.value} takes no gate: a gate is about all images; leave --by out"
            )
        _by(records, asked, diagram, as_json=as_json)
        return
    found = _compared(records, asked, question)
    held = found.chosen
    if asked.modules is None:  # a baseline without a network is no block that a gate is about
        held = [one for one in held if one.module.kind != "classifier"]
    outcomes = hold_all(conditions, held, found.entrants, question)
    if diagram is not None:
        found.notes.append(_draw(found.chosen, question, diagram))
    if as_json:
        show_json({**found.plain(), "gates": [plain(one) for one in outcomes]})
    else:
        _show(found, outcomes)
    if any(not one.passed for one in outcomes):
        raise typer.Exit(1)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a comparison found."""

    title: str
    """What it is of."""
    entrants: list[Entrant]
    """All rows of the runs."""
    chosen: list[Entrant]
    """Those that were asked for."""
    judged: Judged
    """The pairs."""
    notes: list[str]
    """What is said below them."""

    def plain(self) -> dict[str, Any]:
        """Return the same as plain values."""
        from agfer_bench.report.verdicts import to_rows

        return {
            "title": self.title,
            "notes": self.notes,
            "ahead_of_base": sorted(self.judged.ahead),
            "differences": to_rows(self.judged),
            "ranks": self.judged.ranks,
        }


def _compared(records: list[tuple[str, RunRecord]], asked: Asked, question: Question) -> Found:
    """Compare the rows of runs on one ground."""
    from agfer_bench.comparison.comparable import caveats
    from agfer_bench.comparison.contrasts import why_folds
    from agfer_bench.comparison.entrants import line_up
    from agfer_bench.report.verdicts import judge, notes_on

    entrants = line_up(records)
    chosen = _chosen(entrants, asked.modules)
    judged = judge(_with_base(chosen, entrants, asked.against), question)
    notes = notes_on(judged) + caveats([record for _, record in records])
    if asked.over is Over.auto:
        notes += why_folds(chosen, asked.on.value)
    if not judged.contrasts:
        notes.append("Nothing to compare: fewer than two modules were trained on all folds.")
    return Found(
        title=_title(records[0][1]), entrants=entrants, chosen=chosen, judged=judged, notes=notes
    )


def _by(
    records: list[tuple[str, RunRecord]], asked: Asked, diagram: Path | None, *, as_json: bool
) -> None:
    """Hold every block against base in each class, age group or subject."""
    from rich.text import Text

    from agfer_bench.comparison.comparable import caveats
    from agfer_bench.comparison.contrasts import why_folds
    from agfer_bench.comparison.entrants import line_up
    from agfer_bench.comparison.subgroups import subgroups
    from agfer_bench.report import forest
    from agfer_bench.report.subgroups import notes_of, table_of, to_rows
    from agfer_bench.report.verdicts import to_row

    assert asked.by is not None, "else there is nothing to do"
    if diagram is not None:
        forest.check_picture(diagram)
    entrants = line_up(records)
    chosen = _chosen(entrants, asked.modules)
    found = subgroups(_with_base(chosen, entrants, Against.base), asked.question(), asked.by.value)
    notes = notes_of(found) + caveats([record for _, record in records])
    if asked.over is Over.auto and asked.by is not By.subject:
        notes += why_folds(chosen, asked.on.value)
    if diagram is not None:
        drawn = any(record.drawn for _, record in records)
        forest.write(found, diagram, drawn_faces=drawn)
        notes.append(f"{diagram}: {forest.caption(found)}")
    title = _title(records[0][1])
    if as_json:
        whole = [to_row(one) for one in found.whole]
        rows = to_rows(found)
        show_json({"title": title, "notes": notes, "all_images": whole, "subgroups": rows})
        return
    show(Text(title, style="bold"))
    show(table_of(found, output().width))
    for line in notes:
        show(Text(line, style="dim"))


def _across(records: list[tuple[str, RunRecord]], question: Question, *, as_json: bool) -> None:
    """Tell how often each module beats base over runs of several grounds."""
    from dataclasses import asdict

    from rich.table import Table

    from agfer_bench.comparison.ranking import improvements
    from agfer_bench.report.numbers import number
    from agfer_bench.report.verdicts import entrants_of

    found = improvements([entrants_of(record) for _, record in records], question.on)
    title = f"How often a training of a module beats one of base, over {len(records)} runs"
    if any(record.drawn for _, record in records):
        title += " (some on drawn faces)"
    notes = [
        "Probability of improvement, mean over runs; 50 % means no difference. The interval covers "
        "new trainings on these data, not new people or new data sets.",
    ]
    if as_json:
        show_json({"title": title, "notes": notes, "improvements": [asdict(one) for one in found]})
        return
    table = Table("Module", "Runs", "Beats base %", "95 % interval")
    for one in found:
        ends = f"{number(100 * one.low, 0)} to {number(100 * one.high, 0)}"
        table.add_row(one.label, str(one.grounds), number(100 * one.probability, 0), ends)
    show(title)
    show(table)
    for line in notes:
        show(line)


def _draw(chosen: list[Entrant], question: Question, path: Path) -> str:
    """Draw the mean ranks; return what is said of the picture."""
    from agfer_bench.comparison.ranking import rank
    from agfer_bench.report.rank_diagram import draw

    ranking = rank(chosen, question.on)
    draw(ranking, path, drawn_faces=any(one.record.drawn for one in chosen))
    return (
        f"{path}: mean ranks over {ranking.trainings} trainings; they differ at the 5 % level "
        f"where they lie more than {ranking.critical_difference:.2f} apart (Nemenyi; Friedman p = "
        f"{ranking.p:.3f}). Over new trainings on these people, not over new people."
    )


def _names(folders: list[Path]) -> list[str]:
    """Name runs by their folders, with as many of those above as tell them apart."""
    places = [one if one.is_dir() else one.parent for one in (f.resolve() for f in folders)]
    parts = [place.parts for place in places]
    count = 1
    while count < max(map(len, parts)) and len({p[-count:] for p in parts}) < len(set(parts)):
        count += 1
    return ["/".join(p[-count:]) for p in parts]


def _chosen(entrants: list[Entrant], modules: str | None) -> list[Entrant]:
    from agfer_bench.grammar import split
    from agfer_bench.text import nearest

    if modules is None:
        return entrants
    known = {one.label: one for one in entrants}
    names = list(dict.fromkeys(name.strip() for name in split(modules, ",") if name.strip()))
    if not names:
        raise UserError("--modules names no row: write them comma-separated, as in se,cbam")
    for name in names:
        if name not in known:
            raise UserError(f"--modules: no row {name!r} in these runs{nearest(name, known)}")
    return [known[name] for name in names]


def _with_base(chosen: list[Entrant], entrants: list[Entrant], against: Against) -> list[Entrant]:
    """Add base to the rows that are compared with it."""
    if against is Against.all:
        return chosen
    from agfer_bench.records.run import BASE

    bases = [one for one in entrants if one.module.label == BASE]
    return [*(one for one in bases if one not in chosen), *chosen]


def _title(record: RunRecord) -> str:
    from agfer_bench.report.notes import title

    return f"Paired comparison · {title(record)}"


def _show(found: Found, outcomes: list[GateResult]) -> None:
    from rich.text import Text

    from agfer_bench.report.table import differences_table

    show(Text(found.title, style="bold"))
    for table in differences_table(found.judged.contrasts):
        show(table)
    for line in found.notes:
        show(Text(line, style="dim"))
    for outcome in outcomes:
        show(Text(outcome.text, style="green" if outcome.passed else "bold red"))
