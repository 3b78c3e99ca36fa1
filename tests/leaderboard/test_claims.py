"""The page on published claims: on every site, linked from the index, with nothing measured."""

from __future__ import annotations

import html
import re
from pathlib import Path

from agfer_bench.claims.judge import judge
from agfer_bench.claims.read import names, shipped
from agfer_bench.leaderboard.site import build_site
from agfer_bench.submissions.model import Reading


def test_every_shipped_claim_stands_on_the_page(tmp_path: Path) -> None:
    build_site(Reading(accepted=(), rejected=()), [], tmp_path / "site")
    page = html.unescape((tmp_path / "site" / "claims.html").read_text(encoding="utf-8"))
    assert 'href="claims.html"' in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "Nothing on this page was measured" in page
    for name in names():
        judged = judge(name, shipped(name))
        (section,) = re.findall(rf'<section id="{name}".*?</section>', page, re.DOTALL)
        assert judged.claim.place in section
        found = re.findall(r'<td class="verdict [a-z-]+">([^<]+)</td>', section)
        assert found == [pair.finding for pair in judged.pairs]
    assert page.count(">carries no test</td>") == 6 + 7 + 3
