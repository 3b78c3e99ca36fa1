"""The JSON Schema of records, for those who read them without this library."""

from __future__ import annotations

from typing import Any

from agfer_bench.records import RunRecord
from agfer_bench.speed_run import SpeedRun

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: type[RunRecord] | type[SpeedRun]) -> dict[str, Any]:
    """Return the JSON Schema of records of the newest version.

    It tells their shape. That the parts agree with each other is what `audit` looks at.
    """
    return {"$schema": DIALECT, **kind.model_json_schema(mode="validation")}
