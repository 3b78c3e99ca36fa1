"""Classifiers of their own on the command line: listed, and refused where networks stand."""

from __future__ import annotations

import json
import sys

import pytest

from agfer_bench.cli.app import main


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        patch.setattr(sys, "argv", ["agfer-bench", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as error:
            code = int(error.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def test_they_are_listed_without_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run(capsys, "modules", "--json")
    assert code == 0
    listed = {one["name"]: one for one in json.loads(out)["modules"]}
    kinds = {name: one["kind"] for name, one in listed.items()}
    classifiers = {name for name, kind in kinds.items() if kind == "classifier"}
    assert classifiers == {"linear", "hog-svm", "hog-knn"}
    svm = listed["hog-svm"]
    assert (svm["parameters"], svm["slots"], svm["error"]) == (None, [], "")
    assert {option["name"]: option["default"] for option in svm["options"]} == {
        "orientations": 9,
        "cells": 8,
        "C": 0.1,
    }
    _, out, _ = _run(capsys, "modules", "hog-svm:C=1")
    assert "parameters    – (a classifier of its own, without the host)" in out
    assert "C: float = 1.0 (set)" in out
    code, _, err = _run(capsys, "modules", "hog-svm:C=0")
    assert code == 2
    assert "hog-svm:C must be above 0" in err


@pytest.mark.parametrize(
    "arguments",
    [("speed", "--modules", "se,hog-svm", "--no-camera"), ("modules", "check", "hog-svm")],
)
def test_where_networks_stand_they_are_refused(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _run(capsys, *arguments)
    assert code == 2
    assert "hog-svm: no attention block in a network but a classifier of its own" in err
    assert len(err.strip().splitlines()) == 1
