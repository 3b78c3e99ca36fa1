"""The jobs of a run: each module on each fold, with the address of what its numbers depend on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from agfer_bench.faces.cross_database import TestSet
from agfer_bench.faces.data import FaceData
from agfer_bench.faces.folds import Fold
from agfer_bench.plugin.catalogue import Chosen, is_block, is_classifier
from agfer_bench.plugin.specs import AttentionSpec, ClassifierSpec
from agfer_bench.run.jobs.classifier import SETTINGS, ClassifierJob
from agfer_bench.run.jobs.network import Job
from agfer_bench.run.jobs.record_builder import RecordBuilder
from agfer_bench.run.pool.job_queue import Task
from agfer_bench.run.settings import RunSettings
from agfer_bench.run.store.address import Address, classifier_address, job_address, job_key
from agfer_bench.run.store.store import Store
from agfer_bench.training.checkpoint import CheckpointPlace


def make_tasks(
    rows: list[RecordBuilder],
    folds: list[Fold],
    data: FaceData,
    test: TestSet | None,
    settings: RunSettings,
) -> Iterator[Task]:
    """Yield the jobs, seed by seed and fold by fold, all modules of a fold in turn."""
    for seed in range(settings.protocol.seeds):
        one = replace(settings, protocol=settings.protocol.of_seed(seed))
        for fold in folds:
            for row in rows:
                chosen = row.chosen
                if is_block(chosen):
                    job, address = _network_job(chosen, row, fold, data, test, one)
                    yield Task(row=row, job=job, address=address, seed=seed)
                elif is_classifier(chosen):
                    other, address = _classifier_job(chosen, row, fold, data, test, one)
                    yield Task(row=row, job=other, address=address, seed=seed)


def _network_job(
    chosen: Chosen[AttentionSpec],
    row: RecordBuilder,
    fold: Fold,
    data: FaceData,
    test: TestSet | None,
    settings: RunSettings,
) -> tuple[Job, Address]:
    address = job_address(
        chosen,
        settings,
        data=data.record,
        names=data.names,
        fold=fold,
        test=test.record if test else None,
        memory_format=row.memory_format,
        identity=row.identity,
    )
    key, store = job_key(address), Store(settings.out)
    place = None
    if settings.checkpoint_seconds is not None:
        place = CheckpointPlace(path=store.checkpoint(key), seconds=settings.checkpoint_seconds)
    job = Job(
        chosen=chosen,
        protocol=settings.protocol,
        fold=fold,
        pixels_NHWC=data.crops.pixels,
        labels_N=data.labels,
        names=data.names,
        subjects=data.subjects,
        test=test,
        classes=data.record.classes,
        mask=settings.mask,
        device=settings.device,
        memory_format=row.memory_format,
        key=key,
        execution=settings.execution,
        micro_batch=settings.micro_batch,
        pretrained=settings.pretrained,
        checkpoint=place,
        weights=store.draft_weights(key) if settings.save_weights else None,
    )
    return job, address


def _classifier_job(
    chosen: Chosen[ClassifierSpec],
    row: RecordBuilder,
    fold: Fold,
    data: FaceData,
    test: TestSet | None,
    settings: RunSettings,
) -> tuple[ClassifierJob, Address]:
    address = classifier_address(
        chosen,
        settings.protocol.model_dump(mode="json", include=set(SETTINGS)),
        data=data.record,
        names=data.names,
        fold=fold,
        test=test.record if test else None,
        identity=row.identity,
    )
    job = ClassifierJob(
        chosen=chosen,
        protocol=settings.protocol,
        fold=fold,
        pixels_NHWC=data.crops.pixels,
        labels_N=data.labels,
        names=data.names,
        subjects=data.subjects,
        test=test,
        classes=data.record.classes,
        key=job_key(address),
    )
    return job, address
