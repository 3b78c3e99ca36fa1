"""What all records share."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

MemoryFormat = Literal["channels_last", "contiguous"]
"""How feature maps lie in memory."""


Scalar = bool | int | float | str | None
"""What an option of one value is kept as."""

OptionValue = Scalar | tuple[Scalar | tuple[Scalar, ...], ...]
"""An option's value: a list, or a list of lists, is a tuple here and a list in JSON. The values of
an option that differs from slot to slot are one text, as they are typed: `4/8/16`."""


class Record(BaseModel):
    """A frozen record without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
