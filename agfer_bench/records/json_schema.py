"""The JSON Schema of records, for those who read them without this library."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from agfer_bench.protocol import Protocol, SpeedProtocol
from agfer_bench.records.base import Record
from agfer_bench.records.calibration import CalibrationRecord
from agfer_bench.records.run import RunRecord
from agfer_bench.records.speed import SpeedRun

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: type[RunRecord] | type[SpeedRun] | type[CalibrationRecord]) -> dict[str, Any]:
    """Return the JSON Schema of records of the newest version, with what each field means.

    It tells their shape. That the parts agree with each other is what `audit` looks at.
    """
    schema = kind.model_json_schema(mode="validation")
    known: list[type[BaseModel]] = [Protocol, SpeedProtocol, *_below(Record)]
    models = {model.__name__: model for model in known}
    for name, part in [(kind.__name__, schema), *schema["$defs"].items()]:
        for field, text in _meanings(models[name]).items():
            part["properties"][field]["description"] = text
    return {"$schema": DIALECT, **schema}


def _below(model: type[Record]) -> list[type[Record]]:
    return [one for below in model.__subclasses__() for one in (below, *_below(below))]


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings below a model's fields.

    Pydantic would collect them as well, but in every process that imports the records.
    """
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(definition.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
