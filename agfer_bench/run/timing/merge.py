"""What was measured, put together: by mode within a repeat, and over repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agfer_bench.measure.footprint import Footprint
from agfer_bench.measure.modes import PreparedMode
from agfer_bench.measure.offline import Throughput
from agfer_bench.records.speed import CameraRecord, CameraTimes
from agfer_bench.records.timing import (
    TUNED,
    ModeName,
    ModeRecord,
    OfflinePoint,
    SpeedRecord,
    StreamRepeat,
    Trial,
)

Key = tuple[str, ModeName]
"""Label and mode."""


def speed_records(
    ready: Mapping[Key, PreparedMode],
    streams: Mapping[Key, StreamRepeat],
    footprints: Mapping[Key, Footprint],
    throughputs: Mapping[Key, Throughput],
) -> dict[str, SpeedRecord]:
    """Return a record of one repeat for each label that was timed."""
    modes: dict[str, dict[ModeName, ModeRecord]] = {}
    for key, stream in streams.items():
        label, mode = key
        one, footprint, throughput = ready[key], footprints.get(key), throughputs.get(key)
        points = sorted(throughput.points.items()) if throughput else ()
        modes.setdefault(label, {})[mode] = ModeRecord(
            precision=one.way.precision,
            memory_format=one.way.memory_format,
            execution=one.way.execution,
            fallback=one.fallback,
            trials=one.trials,
            stream=(stream,),
            offline=tuple(OfflinePoint(batch_size=n, images_per_second=(r,)) for n, r in points),
            offline_end=throughput.end if throughput else None,
            peak_memory_bytes=footprint.total if footprint else None,
            peak_memory_method=footprint.method if footprint else None,
            largest_difference=one.largest_difference,
        )
    return {label: SpeedRecord(modes=found) for label, found in modes.items()}


def merge_speeds(repeats: Sequence[SpeedRecord]) -> SpeedRecord:
    """Put the repeats of one module together; all but times is the first's."""
    first = repeats[0]
    return SpeedRecord(
        modes={
            name: _merge_modes([repeat.modes[name] for repeat in repeats]) for name in first.modes
        }
    )


def _merge_modes(repeats: Sequence[ModeRecord]) -> ModeRecord:
    sizes = [point.batch_size for point in repeats[0].offline]
    points = {
        size: [
            rate
            for repeat in repeats
            for point in repeat.offline
            if point.batch_size == size
            for rate in point.images_per_second
        ]
        for size in sizes
    }
    return repeats[0].model_copy(
        update={
            "stream": tuple(stream for repeat in repeats for stream in repeat.stream),
            "offline": tuple(
                OfflinePoint(batch_size=size, images_per_second=tuple(rates))
                for size, rates in points.items()
            ),
        }
    )


def merge_cameras(repeats: Sequence[CameraRecord], labels: Sequence[str]) -> CameraRecord:
    """Put the repeats of the way from frame to label together, for modules that none lacks.

    The same frames hold a face in all of them: the search is a function of the pixels.
    """
    first = repeats[0]
    return first.model_copy(
        update={
            "decode_ms": tuple(times for repeat in repeats for times in repeat.decode_ms),
            "crop_ms": tuple(times for repeat in repeats for times in repeat.crop_ms),
            "modules": {
                label: {
                    mode: CameraTimes(
                        infer_ms=tuple(
                            times
                            for repeat in repeats
                            for times in repeat.modules[label][mode].infer_ms
                        )
                    )
                    for mode in first.modules[label]
                }
                for label in labels
                if all(label in repeat.modules for repeat in repeats)
            },
        }
    )


def found_ways(speeds: Mapping[str, SpeedRecord]) -> dict[str, Trial]:
    """Return the tuned way of each module, for the repeats that follow."""
    return {
        label: Trial(
            precision=mode.precision, memory_format=mode.memory_format, execution=mode.execution
        )
        for label, speed in speeds.items()
        if (mode := speed.modes.get(TUNED)) is not None
    }


def found_sizes(speeds: Mapping[str, SpeedRecord]) -> dict[str, dict[ModeName, tuple[int, ...]]]:
    """Return the batch sizes that each module was measured at, for the repeats that follow."""
    return {
        label: {
            name: tuple(point.batch_size for point in mode.offline)
            for name, mode in speed.modes.items()
        }
        for label, speed in speeds.items()
    }
