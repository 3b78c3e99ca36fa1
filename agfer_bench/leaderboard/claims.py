"""The page on what published claims can carry: the same on every site, since it needs no record."""

from __future__ import annotations

from jinja2 import Environment

from agfer_bench.claims.judge import judge
from agfer_bench.claims.read import names, shipped
from agfer_bench.report.claim_table import (
    facts_of,
    notes_of,
    pair_cells,
    pair_columns,
    row_cells,
    row_columns,
    summary_of,
)

FILE = "claims.html"
"""The page, below the site."""


def claims_html(templates: Environment) -> str:
    """Write the page: every claim that the package ships, judged."""
    found = [judge(name, shipped(name)) for name in names()]
    claims = [
        {
            "name": one.name,
            "title": one.claim.title,
            "summary": summary_of(one),
            "facts": facts_of(one.claim),
            "row_columns": row_columns(one.claim),
            "rows": [row_cells(one.claim, row) for row in one.claim.rows],
            "pair_columns": pair_columns(one),
            "pairs": [(pair.finding, pair_cells(one, pair)) for pair in one.pairs],
            "notes": notes_of(one),
        }
        for one in found
    ]
    return templates.get_template("claims.html").render(claims=claims, notice=None, root="")
