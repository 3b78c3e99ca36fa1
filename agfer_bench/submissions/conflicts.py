"""Records that contradict each other: they claim the same images, and tell them differently.

What follows from a fingerprint must be the same in all records that name it. Where it is not, the
reading that most records share stands, in a tie the one that was finished first. Neither can be
proved: copies can outvote, and a date is what its record says.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from agfer_bench.records.run import DataRecord, FoldRecord, RunRecord
from agfer_bench.submissions.limits import one_line
from agfer_bench.submissions.model import Rejected, Submission


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """One thing that a record says about images that others may name as well."""

    about: tuple[Hashable, ...]
    """What it follows from."""
    says: Hashable
    """What the record says."""
    of: str
    """What it follows from, in words: `images sha256:...`."""
    what: str
    """What differs if another record says something else."""


def without_rivals(
    submissions: Sequence[Submission],
) -> tuple[list[Submission], list[Rejected]]:
    """Return the records that agree with each other, and those that do not agree with them."""
    voters: dict[tuple[Hashable, ...], dict[Hashable, list[Submission]]] = defaultdict(dict)
    claims = [(one, list(_claims(one.record))) for one in submissions]
    for one, its in claims:
        for claim in its:
            of = voters[claim.about].setdefault(claim.says, [])
            if not of or of[-1] is not one:  # a record has one vote, however often it says it
                of.append(one)
    standing = {about: min(said.items(), key=_rank) for about, said in voters.items()}
    accepted, rejected = [], []
    for one, its in claims:
        reasons = (_against(claim, *standing[claim.about]) for claim in its)
        reason = next((found for found in reasons if found), None)
        if reason is None:
            accepted.append(one)
        else:
            rejected.append(Rejected(path=one.path, reason=reason))
    return accepted, rejected


def _rank(said: tuple[Hashable, list[Submission]]) -> tuple[int, tuple[datetime.datetime, str]]:
    """Sort readings: most records first, then the earliest."""
    return -len(said[1]), min(map(_age, said[1]))


def _age(submission: Submission) -> tuple[datetime.datetime, str]:
    return datetime.datetime.fromisoformat(submission.record.finished), submission.path


def _against(claim: _Claim, stands: Hashable, voters: list[Submission]) -> str | None:
    if claim.says == stands:
        return None
    first = min(voters, key=_age).path
    return one_line(
        f"claims the {claim.of[:32]}… of {one_line(first, 120)} but {claim.what}: "
        "forged, damaged, or made with other libraries"
    )


def _claims(record: RunRecord) -> Iterator[_Claim]:
    data = record.data
    yield _Claim(
        about=("read", data.fingerprint),
        says=(data.drawn, tuple(sorted(data.images_read.items()))),
        of=f"images {data.fingerprint}",
        what="other numbers of them",
    )
    # Which of them are kept is a matter of the libraries that crop, and so of the pixels.
    images = (data.fingerprint, data.pixels_sha256)
    yield _of_images(data, ("data", *images))
    if record.test is not None:
        # Images of classes that training does not know are left out of its counts.
        test = record.test
        yield _of_images(test, ("test", test.fingerprint, test.pixels_sha256, data.classes))
    seen = set()
    for module in record.modules:
        for fold in module.trainings:
            if fold.fold in seen:
                continue
            seen.add(fold.fold)
            yield _Claim(
                about=("fold", record.protocol_fingerprint, *images, fold.fold),
                says=fold.split_sha256,
                of=f"images {data.fingerprint}",
                what="other folds",
            )
            yield _Claim(
                about=("split", *images, fold.split_sha256),
                says=tuple(map(sum, fold.confusion)),
                of=f"images {data.fingerprint}",
                what="other numbers of images in a fold",
            )
        yield from (_of_weights(fold) for fold in module.trainings if fold.final_weights_sha256)


def _of_images(data: DataRecord, about: tuple[Hashable, ...]) -> _Claim:
    counts = (data.images_read, data.images_kept, data.groups)
    kept = tuple(tuple(sorted(count.items())) for count in counts)
    return _Claim(
        about=about,
        says=(data.classes, kept, data.subjects, data.drawn),
        of=f"images {data.fingerprint}",
        what="other classes, numbers of images or subjects",
    )


def _of_weights(fold: FoldRecord) -> _Claim:
    """The same weights judge the same images alike."""
    tests = sorted((fold.test_confusions or {}).items())
    return _Claim(
        about=("weights", fold.job, fold.final_weights_sha256),
        says=(fold.confusion, fold.train_confusion, fold.masked_confusion, tuple(tests)),
        of=f"weights {fold.final_weights_sha256}",
        what="other results of them",
    )
