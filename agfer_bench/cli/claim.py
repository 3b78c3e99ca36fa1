"""`agfer-bench claim`: what published means and deviations can carry."""

from __future__ import annotations

from typing import Annotated

import typer

from agfer_bench.cli.console import output, show, show_json
from agfer_bench.cli.groups import JsonOption, RopeOption, rope_share


def claim(
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|NAME",
            help="A claim of your own as TOML (docs/claims.md), or the name of a shipped one. "
            "Default: list those that are shipped.",
            show_default=False,
        ),
    ] = None,
    rope: RopeOption = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Say what published means and deviations can carry, and what they cannot.

    Each pair of rows is judged from the printed numbers alone: ahead, behind, equivalent, not
    distinguishable, not judged, or that they carry no test. It also tells which difference such a
    design could find, and how it differs from that of agfer-bench.
    """
    from agfer_bench.claims.judge import judge
    from agfer_bench.claims.read import find_claim, names, shipped
    from agfer_bench.report.claim_table import list_to_rich, to_json, to_rich

    share = rope_share(rope)
    if file is None:
        found = [judge(name, shipped(name), share) for name in names()]
        if as_json:
            show_json({"claims": [to_json(one) for one in found]})
        else:
            show(list_to_rich(found))
            show("`agfer-bench claim NAME` shows one of them.")
        return
    judged = judge(*find_claim(file), share)
    if as_json:
        show_json(to_json(judged))
    else:
        show(to_rich(judged, output().width))
