"""How the design behind a claim differs from that of agfer-bench's default protocol."""

from __future__ import annotations

from agfer_bench.claims.model import Claim, Design


def differences_of(claim: Claim) -> list[str]:
    """Say what sets a design apart from the default protocol, and what is not stated."""
    design = claim.design
    lines = [] if design.same_design else [_OWN_DESIGNS]
    lines += [
        *_split(design),
        *_epoch(design),
        *_seeds(design),
        *_validation(design),
        *_replicates(design),
    ]
    return lines + _plus_minus(claim)


def reading_of(claim: Claim) -> str | None:
    """Say how the ± that a test rests on is read; None if the source states it, or none does."""
    kinds = {claim.kind_of(row) for row in claim.rows if row.plus_minus is not None}
    words = {
        "sd": "the standard deviation of the values behind a mean",
        "standard error": "the standard error of a mean",
    }
    read = " or ".join(text for kind, text in words.items() if kind in kinds)
    if claim.design.plus_minus_stated or not read:
        return None
    return (
        f"± is read as {read}. This is a reading and not the source's word, and the verdicts rest "
        "on it."
    )


_OWN_DESIGNS = (
    "The rows come from designs of their own. In agfer-bench all rows of a table share images, "
    "folds, batches and initial weights."
)


def _unstated(design: Design) -> str:
    if design.same_design:
        return "is not stated"
    return "is stated for none or only some of the rows"


def _split(design: Design) -> list[str]:
    default = "The default protocol of agfer-bench divides people."
    if design.split == "image" and design.sequences:
        return [
            "Folds divide single frames of sequences: frames of one sequence stand in training "
            f"and validation alike. {default}"
        ]
    if design.split == "image":
        return [f"Folds divide images: one person may be trained on and judged. {default}"]
    if design.split == "test set":
        return [
            "All networks are judged on the same test images: ± covers other trainings, not other "
            "people. agfer-bench compares over people and trainings."
        ]
    if design.split == "not stated":
        return [f"How images were divided {_unstated(design)}. {default}"]
    return []


def _epoch(design: Design) -> list[str]:
    ours = "In agfer-bench the last epoch counts."
    return {
        "last": [],
        "best on judged images": [
            "The epoch that counts is the best on the judged images, so that accuracies are too "
            f"high for other images. {ours}"
        ],
        "best on other images": [f"The epoch that counts was chosen on other images. {ours}"],
        "not stated": [f"Which epoch counts {_unstated(design)}. {ours}"],
    }[design.epoch]


def _seeds(design: Design) -> list[str]:
    ours = "agfer-bench judges blocks only where each fold was trained twice or more."
    if design.seeds is None:
        return [f"How often each fold was trained {_unstated(design)}. {ours}"]
    if design.seeds == 1:
        return [
            "Each fold was trained once: how far two trainings of one fold lie apart is not known. "
            f"{ours}"
        ]
    return []


def _validation(design: Design) -> list[str]:
    ours = "The settings of agfer-bench are fixed beforehand."
    if design.validation_set is None:
        return [f"Whether images were set aside for choosing settings {_unstated(design)}. {ours}"]
    if not design.validation_set:
        return [
            "No images were set aside for choosing settings: whatever was chosen by accuracy was "
            f"chosen on the judged images. {ours}"
        ]
    return []


def _replicates(design: Design) -> list[str]:
    if not design.same_design:
        return []
    if design.replicates == "not stated":
        return ["What the values behind a mean are is not stated: folds, trainings, or both."]
    if design.replicates == "trainings":
        return []
    return [
        "Values of different folds are taken as independent. Folds share training images, which "
        "makes intervals too narrow; rows with the same folds rise and fall together, which makes "
        "them too wide. Printed summaries do not tell which weighs more. agfer-bench compares "
        "training by training."
    ]


def _plus_minus(claim: Claim) -> list[str]:
    kinds = {claim.kind_of(row) for row in claim.rows}
    kinds |= {"none" for row in claim.rows if row.plus_minus is None}
    odd = {
        "average of sds": "an average of standard deviations",
        "something else": "no deviation over the values behind a mean",
        "not stated": "not explained",
        "none": "missing",
        "standard error": "the standard error of a mean",
    }
    found = [words for kind, words in odd.items() if kind in kinds]
    if not found:
        return []
    some = "Some ± are" if "sd" in kinds or len(found) > 1 else "± is"
    return [f"{some} {' or '.join(found)}. In agfer-bench ± is the standard deviation over folds."]
