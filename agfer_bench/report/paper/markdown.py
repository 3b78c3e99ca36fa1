"""The report as Markdown."""

from __future__ import annotations

import re

from agfer_bench.report.paper.document import Document, Plate, Section, Table, printable


def to_markdown(document: Document) -> str:
    """Write a report as Markdown whose pictures lie in `figures/`."""
    parts = [f"# {escape(document.title)}"]
    if document.notice:
        parts.append(f"**{escape(document.notice)}**")
    parts.append("\n".join(f"- {escape(k)}: {escape(v)}" for k, v in document.facts))
    if document.notes:
        parts.append("## Notes")
        parts.append("\n".join(f"- {escape(note)}" for note in document.notes))
    parts += [block for section in document.sections for block in _section(section, document)]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    r"""Make text mean itself in Markdown, in a table's cell too.

    >>> print(escape("<b>|*"))
    &lt;b>\|\*
    """
    text = re.sub(r"([\\`*_\[\]|#~$])", r"\\\1", printable(text))
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _section(section: Section, document: Document) -> list[str]:
    parts = [f"## {escape(section.title)}", *map(escape, section.text)]
    for item in section.items:
        parts.append(f"### {escape(item.title)}")
        if document.notice:
            parts.append(f"**{escape(document.notice)}**")
        parts += _table(item) if isinstance(item, Table) else _plate(item)
    return parts


def _table(table: Table) -> list[str]:
    rule = ["---"] * table.labels + ["---:"] * (len(table.columns) - table.labels)
    lines = [table.columns, rule, *table.rows]
    cells = [[*map(escape, table.columns)], rule, *([*map(escape, row)] for row in lines[2:])]
    text = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    notes = "\n\n".join(map(escape, table.notes))
    return [text, notes, f"[Data](data/{table.name}.csv)"]


def _plate(plate: Plate) -> list[str]:
    pictures = [f"![{escape(one.alt)}](figures/{one.name}.png)" for one in plate.pictures]
    data = [] if plate.data is None else [f"[Data](data/{plate.name}.csv)"]
    return [*pictures, escape(plate.caption), *data]
