"""A study to a document."""

from __future__ import annotations

from agfer_bench.records.run import DataRecord
from agfer_bench.report.notes import DRAWN_NOTICE, remarks_of
from agfer_bench.report.paper.ablations import ablation_section
from agfer_bench.report.paper.ages import age_section
from agfer_bench.report.paper.claims import claim_section
from agfer_bench.report.paper.classes import class_section
from agfer_bench.report.paper.comparisons import method_section, stride_section
from agfer_bench.report.paper.confusions import confusion_section
from agfer_bench.report.paper.convergence import convergence_section
from agfer_bench.report.paper.crops import crop_section
from agfer_bench.report.paper.document import Document, Section
from agfer_bench.report.paper.efficiency import efficiency_section
from agfer_bench.report.paper.emotions import emotion_section
from agfer_bench.report.paper.fitting import fitting_section, overfit_section
from agfer_bench.report.paper.gains import gain_section, guidance_section
from agfer_bench.report.paper.published import published
from agfer_bench.report.paper.study import Study
from agfer_bench.report.paper.verdicts import control_section, verdict_section

SHORT_NOTICE = "Drawn faces: tells nothing about people."
"""Stands at every picture of drawn faces."""

_SECTIONS = (
    class_section,
    crop_section,
    emotion_section,
    age_section,
    confusion_section,
    method_section,
    verdict_section,
    control_section,
    gain_section,
    guidance_section,
    stride_section,
    claim_section,
    efficiency_section,
    overfit_section,
    fitting_section,
    convergence_section,
    ablation_section,
)


def build_document(study: Study) -> Document:
    """Derive every table and figure of the report."""
    return Document(
        title="Attention blocks for facial emotion recognition, measured and published",
        notice=DRAWN_NOTICE if study.drawn else None,
        short_notice=SHORT_NOTICE if study.drawn else None,
        facts=_facts(study),
        notes=_notes(study),
        sections=(*(section(study) for section in _SECTIONS), _reading()),
    )


def _facts(study: Study) -> tuple[tuple[str, str], ...]:
    record = study.main
    protocol, environment = record.protocol, record.environment
    changes = protocol.told_changes()
    threads = f", {environment.threads} threads" if environment.device == "cpu" else ""
    revision = (environment.revision or "unknown") + (" with changes" if environment.dirty else "")
    facts = {
        "Modules": ", ".join(module.label for module in record.modules),
        "Paper": f"{published().citation}, doi:{published().doi}",
        "Preset": protocol.preset + (f", with {changes}" if changes else ", unchanged"),
        "Strides": " and ".join(
            f"{run.record.protocol.stride} (fingerprint {run.record.protocol.fingerprint[:12]})"
            for run in study.runs
        ),
        "Training": f"{protocol.epochs} epochs, {protocol.image_size} × {protocol.image_size} "
        f"pixels, {protocol.optimiser} at {protocol.learning_rate:g}, batches of "
        f"{protocol.batch_size}, {'guided' if protocol.guidance else 'not guided'}",
        "Folds": f"{protocol.folds}, drawn by {protocol.split}, seed {protocol.seed}",
        "Training and validation": _data(record.data),
        "Cross-database test": _data(record.test) if record.test else "none",
        "Device": f"{environment.device_name}{threads}, {environment.platform}",
        "Versions": ", ".join(
            f"{name} {version}"
            for name, version in {"Python": environment.python, **environment.packages}.items()
        ),
        "Revision": revision,
        "Finished": ", ".join(run.record.finished for run in study.runs),
    }
    return tuple(facts.items())


def _data(data: DataRecord) -> str:
    options = ", ".join(f"{name}={value}" for name, value in data.options.items())
    kept, read = sum(data.images_kept.values()), sum(data.images_read.values())
    who = f" of {data.subjects} subjects" if data.subjects else ""
    return (
        data.name
        + (f" ({options})" if options else "")
        + f": {kept:,} of {read:,} images{who}, classes {', '.join(data.classes)}"
        + (", drawn faces" if data.drawn else "")
    )


def _notes(study: Study) -> tuple[str, ...]:
    notes = [
        "Accuracy: mean per-class recall after the last epoch, the paper's “average of the "
        "true-positive accuracies”. ± is always a sample standard deviation (SD), of what each "
        "table says: no interval, and no test of a difference.",
        "Measured beside published: differences are measured less published, in points for "
        "accuracies. Their 95 % interval is Welch's, from mean, standard deviation and number of "
        "folds of both sides. An interval without 0 speaks for a difference; about one in twenty "
        "leaves out 0 even where there is none. “No interval” stands where a deviation or a number "
        "of folds is missing, a dash where nothing was measured or published.",
        "What these intervals cover: another division into folds, each trained anew, on both "
        "sides; not other people, photographs or settings. Folds count as independent replicates, "
        "which they are not, since their trainings share most of the images. The intervals are "
        "rough, therefore, and rather too narrow. The published ± is read as the standard "
        f"deviation over the paper's {published().folds} folds, as the caption of its figure 7 "
        "says.",
        f"Modules are compared with the published columns by their labels: {_matched(study)}.",
    ]
    if study.main.protocol.seeds > 1:
        notes.append(
            f"Every fold was trained with {study.main.protocol.seeds} seeds. Numbers are averaged "
            "over the seeds of a fold first: means and deviations are over folds."
        )
    runs = [(f"Stride {run.record.protocol.stride}", run.record) for run in study.runs]
    return (*notes, *remarks_of(runs))


def _matched(study: Study) -> str:
    known = published().figure_7.mean
    return ", ".join(
        f"{module.label} ({'published' if module.label in known else 'not in the paper'})"
        for module in study.main.modules
    )


def _reading() -> Section:
    return Section(
        title="How the paper was read",
        text=(
            "Where the paper is silent or contradicts itself, docs/protocol.md of agfer-bench "
            "says what was chosen and why: the reduction R, initial weights, input scaling, the "
            "optimiser's details, the mask, the detectors, the order of images.",
        ),
    )
