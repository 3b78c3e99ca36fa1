"""Texts of strangers, made fit to be shown: in a page, in a chart, in Markdown.

Escaping in pages is the templates' own (Jinja2's autoescape); what is done here beside it is done
to what escaping does not reach: characters that turn the direction of a line, texts of any length,
the tags that Plotly reads in labels, the marks of Markdown, links.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import urlsplit

LABEL = 60
"""Characters of a name in a table."""
TEXT = 300
"""Characters of any other text, and of a name's full form."""

_UNSEEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Categories of characters that are not seen, or that move others: controls, directions,
surrogates, private ones."""
_PLOTLY: Final = str.maketrans({"<": "‹", ">": "›", "&": "＆", "$": "＄"})
"""Look-alikes of what Plotly reads as tags, entities and formulas."""
_MARKDOWN: Final = str.maketrans({"<": "‹", ">": "›", "`": "'", "|": "¦"})
"""Look-alikes of what could end code or a cell, or begin a tag."""
_ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5}(?:v\d{1,2})?)")
_DOI = re.compile(r"doi:(10\.\d{4,9}/[A-Za-z0-9._()/-]+)")
_LINK = re.compile(r"https?://[\x21\x23-\x3b\x3d\x3f-\x7e]{4,300}")


def clean(text: str, length: int = TEXT) -> str:
    r"""Return a text on one line, of a sane length, without characters that are not seen.

    >>> clean("two\nlines \u202etxt.exe")
    'two lines �txt.exe'
    >>> clean("abcdef", 4)
    'abc…'
    """
    # Cut before work is done on each character: a stranger's text may be long.
    line = " ".join(text[: 4 * length + 16].split())
    shown = "".join("�" if unicodedata.category(c) in _UNSEEN else c for c in line)
    return shown if len(shown) <= length else shown[: length - 1].rstrip() + "…"


def shorten(text: str, length: int = LABEL) -> str:
    """Return a name that is cut in its middle: what tells names apart often stands at the end.

    >>> shorten("abcdefghijkl", 8)
    'abcde…kl'
    """
    shown = clean(text, 1000)
    if len(shown) <= length:
        return shown
    tail = length // 3
    return f"{shown[: length - 1 - tail]}…{shown[-tail:]}"


def for_chart(text: str, length: int = 28) -> str:
    """Return a text for Plotly, which reads tags, entities and formulas in labels.

    >>> for_chart("<b>se</b>")
    '‹b›se‹/b›'
    """
    return shorten(text, length).translate(_PLOTLY)


def for_markdown(text: str, length: int = LABEL) -> str:
    """Return a text as code in a cell of a Markdown table: nothing in it is read.

    Tags have look-alikes there as well, for readers of Markdown that miss where code ends.

    >>> for_markdown("`[a](b)` | *c* <d>")
    "`'[a](b)' ¦ *c* ‹d›`"
    """
    shown = shorten(text, length).translate(_MARKDOWN)
    return f"`{shown or '–'}`"


def link_of(source: str) -> str | None:
    """Return where a source may be followed to: arXiv, DOI, or its own http(s) address.

    >>> link_of("arXiv:1709.01507")
    'https://arxiv.org/abs/1709.01507'
    >>> link_of("javascript:alert(1)") is None
    True
    """
    if match := _ARXIV.fullmatch(source):
        return f"https://arxiv.org/abs/{match[1]}"
    if match := _DOI.fullmatch(source):
        return f"https://doi.org/{match[1]}"
    if not _LINK.fullmatch(source):
        return None
    try:
        parts = urlsplit(source)
        plain = parts.hostname is not None and parts.username is None
    except ValueError:
        return None
    return source if plain else None


def slug(text: str, other: str = "data") -> str:
    """Return a name as a part of a file's name if it is one of small letters, digits and dashes.

    >>> slug("image-folder"), slug("../x")
    ('image-folder', 'data')
    """
    return text if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,30}", text) else other
