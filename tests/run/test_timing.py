"""Repeats: put together, watched, and what fails is struck out by name while the others stand."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from agfer_bench.measure.clock import TimingDeviceLost
from agfer_bench.progress import Silent
from agfer_bench.protocol import load_preset
from agfer_bench.records.timing import ModeRecord, OfflinePoint, SpeedRecord, StreamRepeat
from agfer_bench.run.timing import process
from agfer_bench.run.timing import schedule as repeats
from agfer_bench.run.timing.child import choose
from agfer_bench.run.timing.messages import (
    RepeatJob,
    RepeatResult,
    TimedModule,
    TimingFailure,
    Wanted,
)
from agfer_bench.run.timing.process import ProcessDied, run_in_process
from agfer_bench.run.timing.schedule import Measured, measure_speed
from tests.run.support import Runs, own

Start = Callable[[RepeatJob, Any], RepeatResult]


def _job(*labels: str, **speed: Any) -> RepeatJob:
    settings = {"repeats": 3, "rounds": 2, "passes": 1, "warmup": 1, "seconds": 0}
    protocol = load_preset("quick").with_settings({"image_size": 32, "speed": settings | speed})
    return RepeatJob(
        number=0,
        modules=tuple(
            TimedModule(
                label=label,
                name=label,
                options={},
                distribution=f"{label}-plugin",
                memory_format="channels_last",
            )
            for label in labels
        ),
        protocol=protocol,
        classes=7,
        device="cpu",
        threads=1,
        wanted=Wanted(modes=("eager-fp32", "tuned"), peak=True),
    )


def _speed(ms: float) -> SpeedRecord:
    def mode(ms: float) -> ModeRecord:
        return ModeRecord(
            precision="bf16",
            memory_format="contiguous",
            execution="eager",
            stream=(StreamRepeat(rounds_ms=((ms,),)),),
            offline=(OfflinePoint(batch_size=2, images_per_second=(1000 / ms,)),),
        )

    return SpeedRecord(modes={"eager-fp32": mode(ms), "tuned": mode(ms / 2)})


class _Processes:
    """Stands for processes: each job is noted, and dies or fails as it is told to."""

    def __init__(self, dies: Callable[[RepeatJob], ProcessDied | None] = lambda _: None) -> None:
        self.dies = dies
        self.jobs: list[RepeatJob] = []
        self.fails: dict[tuple[int, str], TimingFailure] = {}

    def __call__(self, job: RepeatJob, heard: Any) -> RepeatResult:
        self.jobs.append(job)
        heard("single stream", job.modules[0].label, 0.5)
        death = self.dies(job)
        if death is not None:
            raise death
        failures = {
            label: failure
            for (number, label), failure in self.fails.items()
            if number == job.number and label in self.labels(job)
        }
        return RepeatResult(
            speeds={
                label: _speed(1.0 + job.number)
                for label in self.labels(job)
                if label not in failures
            },
            failures=failures,
        )

    @staticmethod
    def labels(job: RepeatJob) -> list[str]:
        return [module.label for module in job.modules]

    def measure(self, job: RepeatJob, monkeypatch: pytest.MonkeyPatch) -> Measured:
        monkeypatch.setattr(repeats, "run_in_process", self)
        return measure_speed(job, {}, Silent())


def test_repeats_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = _Processes()
    found = processes.measure(_job("base", "se"), monkeypatch)
    assert [job.number for job in processes.jobs] == [0, 1, 2]
    mode = found.speeds["se"].modes["eager-fp32"]
    assert [repeat.rounds_ms for repeat in mode.stream] == [((1.0,),), ((2.0,),), ((3.0,),)]
    assert mode.offline[0].images_per_second == (1000.0, 500.0, 1000 / 3)
    assert mode.repeatability == pytest.approx(1.0)
    first, second, _ = processes.jobs
    assert (first.ways, first.sizes) == ({}, {})
    assert (second.ways["se"].precision, second.ways["se"].memory_format) == ("bf16", "contiguous")
    assert second.sizes["se"] == {"eager-fp32": (2,), "tuned": (2,)}
    assert [job.wanted.peak for job in processes.jobs] == [True, False, False]


def _death(label: str | None, *, hung: bool = False) -> ProcessDied:
    return ProcessDied("the process was ended by SIGSEGV", label=label, hung=hung, log="a trace")


def test_a_module_that_kills_its_process_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It dies while another module is at hand: only trying each tells."""
    processes = _Processes(lambda job: _death("se") if "bad" in _Processes.labels(job) else None)
    found = processes.measure(_job("base", "se", "bad", "agfer"), monkeypatch)
    assert list(found.failures) == ["bad"]
    assert found.failures["bad"].text == "bad-plugin: the process was ended by SIGSEGV"
    assert found.failures["bad"].trace == "a trace"
    assert list(found.speeds) == ["base", "se", "agfer"]
    assert all(len(s.modes["eager-fp32"].stream) == 3 for s in found.speeds.values())
    probes = [_Processes.labels(job) for job in processes.jobs[1:4]]
    assert probes == [["base", "se"], ["base", "bad"], ["base", "agfer"]]
    assert not processes.jobs[1].wanted.peak, "a probe is short"


def test_one_that_lives_alone_is_told_by_where_it_died(monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(job: RepeatJob) -> ProcessDied | None:
        return _death("bad") if {"bad", "se"} <= set(_Processes.labels(job)) else None

    found = _Processes(dies).measure(_job("base", "se", "bad"), monkeypatch)
    assert list(found.failures) == ["bad"]
    assert list(found.speeds) == ["base", "se"]


def test_one_that_hangs_is_told_without_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = _Processes(
        lambda job: _death("bad", hung=True) if "bad" in _Processes.labels(job) else None
    )
    found = processes.measure(_job("base", "se", "bad"), monkeypatch)
    assert list(found.failures) == ["bad"]
    assert len(processes.jobs) == 4


def test_where_not_even_base_lives_all_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _Processes(lambda _: _death("base")).measure(_job("base", "se"), monkeypatch)
    assert set(found.failures) == {"base", "se"}
    assert not found.speeds


def test_what_fails_in_a_later_repeat_has_no_times(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = _Processes()
    processes.fails[1, "se"] = TimingFailure(
        where="timing", text="se-plugin: RuntimeError: worn out"
    )
    found = processes.measure(_job("base", "se"), monkeypatch)
    assert list(found.speeds) == ["base"]
    assert "worn out" in found.failures["se"].text
    assert _Processes.labels(processes.jobs[2]) == ["base"]


def _script(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    monkeypatch.setattr(process, "COMMAND", (sys.executable, "-c", source))


def _says(message: object) -> str:
    return f"print({json.dumps(json.dumps(message))}, flush=True)\n"


AT = _says({"what": "single stream", "label": "se", "share": 0.5})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (AT + "import os; os._exit(3)", "ended with code 3"),
        (AT + "import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV"),
        (AT + "import os; os.kill(os.getpid(), 9)", "SIGKILL, perhaps for want of memory"),
        (AT + "raise RuntimeError('no driver')", "code 1: RuntimeError: no driver"),
        (AT + "import sys; sys.stdout.write('{\"half'); sys.stdout.flush()", "ended with code 0"),
    ],
)
def test_a_process_that_dies_tells_how(
    source: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(monkeypatch, source)
    with pytest.raises(ProcessDied, match=words) as raised:
        run_in_process(_job("base", "se"), lambda *_: None)
    assert (raised.value.label, raised.value.hung) == ("se", False)


def test_a_process_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    _script(monkeypatch, AT + "import time; time.sleep(600)")
    monkeypatch.setattr(process, "PATIENCE", 2.0)
    with pytest.raises(ProcessDied, match="no sign of life") as raised:
        run_in_process(_job("base", "se"), lambda *_: None)
    assert (raised.value.label, raised.value.hung) == ("se", True)


def test_a_process_hands_its_result_over(monkeypatch: pytest.MonkeyPatch) -> None:
    result = RepeatResult(speeds={"se": _speed(2.0)}, notes=("one",))
    _script(monkeypatch, AT + _says({"result": result.model_dump(mode="json")}))
    heard: list[tuple[str, str | None, float]] = []
    assert run_in_process(_job("base", "se"), lambda *told: heard.append(told)) == result
    assert heard == [("single stream", "se", 0.5)]


def test_a_block_that_only_this_process_knows() -> None:
    module = _job("mine").modules[0]
    with pytest.raises(Exception, match=r"no installed plugin offers 'mine'.*speed.fresh=false"):
        choose(own(), module)


def test_a_lost_device_in_this_process_blames_by_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(job: RepeatJob, *_: Any) -> RepeatResult:
        if "bad" in _Processes.labels(job):
            raise TimingDeviceLost("CUDA error")
        return RepeatResult(speeds={label: _speed(1.0) for label in _Processes.labels(job)})

    monkeypatch.setattr(repeats, "run_repeat", lost)
    found = measure_speed(_job("base", "bad", "se", fresh=False), {}, Silent())
    assert "the device is lost: CUDA error" in found.failures["bad"].text
    assert list(found.speeds) == ["base", "se"]


def test_a_run_keeps_repeats_and_conditions(runs: Runs) -> None:
    speed = {"repeats": 2, "fresh": False, "warmup": 1, "rounds": 2, "passes": 3, "seconds": 0}
    record, folder = runs("base,se", epochs=1, speed=speed)
    for module in record.modules:
        assert module.speed is not None
        assert list(module.speed.modes) == ["eager-fp32"]
        stream = module.speed.modes["eager-fp32"].stream
        assert [[len(times) for times in repeat.rounds_ms] for repeat in stream] == [[3, 3]] * 2
        assert all((repeat.warmup or 0) >= 1 for repeat in stream)
    assert [one.process for one in record.conditions] == ["shared", "shared"]
    assert all(one.before.load_average is not None for one in record.conditions)
    text = (folder / "table.md").read_text()
    assert "median of 12 passes in 4 interleaved rounds of 2 repeats, whose medians lie" in text
    again, _ = runs("base,se", epochs=1, speed=speed, timing="keep")
    assert again.conditions == record.conditions
