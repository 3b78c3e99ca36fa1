"""What a run leaves behind: its records, their files, older versions, their JSON Schema."""

from agfer_bench.records.run import (
    DataRecord,
    EpochRecord,
    FoldRecord,
    ModuleRecord,
    RunRecord,
)
from agfer_bench.records.speed import SpeedRun

__all__ = ["DataRecord", "EpochRecord", "FoldRecord", "ModuleRecord", "RunRecord", "SpeedRun"]
