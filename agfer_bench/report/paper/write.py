"""A study to a folder: report.html, report.md, figures and data."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from agfer_bench.files import replacing, write_text
from agfer_bench.report.paper.build import SHORT_NOTICE, build_document
from agfer_bench.report.paper.document import Document, Picture, Plate, Table
from agfer_bench.report.paper.markdown import to_markdown
from agfer_bench.report.paper.study import Study
from agfer_bench.report.paper.style import add_notice, settings, to_bytes
from agfer_bench.text import to_csv


def write_report(study: Study, folder: Path) -> Path:
    """Write the report of a study; the same study gives the same bytes.

    Args:
        study: What was run.
        folder: Where to; made where it is not, and files of the same names are replaced.

    Returns:
        The path of report.html.

    Raises:
        UserError: The folder cannot be written.
    """
    document = build_document(study)
    items = [item for section in document.sections for item in section.items]
    for item in items:
        if isinstance(item, Plate):
            write_plate(item, folder, drawn=study.drawn)
        else:
            _write_data(item, folder / "data", drawn=study.drawn)
    write_text(folder / "report.md", to_markdown(document))
    write_text(folder / "report.html", to_html(document))
    return folder / "report.html"


def write_plate(plate: Plate, folder: Path, *, drawn: bool) -> None:
    """Write a figure's pictures into `figures`, and its numbers into `data`.

    Args:
        plate: The figure.
        folder: Where to.
        drawn: Whether any of the faces are drawn: the pictures then say so.

    Raises:
        UserError: The folder cannot be written.
    """
    _write_data(plate, folder / "data", drawn=drawn)
    for picture in plate.pictures:
        _write_picture(picture, SHORT_NOTICE if drawn else None, folder / "figures")


def to_html(document: Document) -> str:
    """Write a report as a page that needs nothing but its figures."""
    environment = Environment(
        loader=PackageLoader("agfer_bench.report.paper"),
        autoescape=True,  # labels, and names of files and data sets, are what others typed
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["table"] = lambda item: isinstance(item, Table)
    return environment.get_template("report.html").render(document=document) + "\n"


def _write_data(item: Table | Plate, folder: Path, *, drawn: bool) -> None:
    if item.data is None:
        return
    frame = item.data.assign(drawn_faces=drawn)
    write_text(folder / f"{item.name}.csv", to_csv(frame))


def _write_picture(picture: Picture, notice: str | None, folder: Path) -> None:
    with settings():
        figure = picture.draw()
        if notice:
            add_notice(figure, notice)
        for kind in ("svg", "png"):
            content = to_bytes(figure, kind)
            with replacing(folder / f"{picture.name}.{kind}") as temporary:
                temporary.write_bytes(content)
