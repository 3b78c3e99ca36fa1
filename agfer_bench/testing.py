"""The contract of attention blocks, for the tests of plugins.

::

    from agfer_bench.testing import parametrize_with_checks

    @parametrize_with_checks("my-gate", "my-gate:kernel=5")
    def test_contract(block, check):
        check(block)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agfer_bench.contract.block import Block
from agfer_bench.contract.checks import INFORMATIONAL, REQUIRED, Check
from agfer_bench.contract.find import find_blocks
from agfer_bench.errors import UserError
from agfer_bench.plugin.specs import AttentionSpec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["INFORMATIONAL", "REQUIRED", "Block", "Check", "parametrize_with_checks"]


def parametrize_with_checks(*names: str | AttentionSpec) -> Callable[[Any], Any]:
    """Give a test the arguments `block` and `check`: every required check of every block.

    Args:
        names: What users type, `NAME` or `NAME:option=value`, of blocks of installed plugins; or
            specs, which need not be installed.

    Raises:
        UserError: pytest is not installed.
        pytest.Collector.CollectError: A name or an option is unknown.
    """
    try:
        import pytest
    except ImportError:
        raise UserError("parametrize_with_checks needs pytest; install it") from None
    try:
        blocks = [block for name in names for block in find_blocks(name)]
    except UserError as error:
        # Shown by pytest as it is, without a traceback through its own import system.
        raise pytest.Collector.CollectError(str(error)) from None
    pairs = [(block, check) for block in blocks for check in REQUIRED]
    ids = [f"{block.label}-{check.name}" for block, check in pairs]
    return pytest.mark.parametrize(("block", "check"), pairs, ids=ids)
