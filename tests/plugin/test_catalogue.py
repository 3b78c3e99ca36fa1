"""Plugins: loaded one by one; one that is broken is named and costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from agfer_bench.errors import UserError
from agfer_bench.plugin.finder import load_catalogue

Make = Callable[[str, str], EntryPoint]

GOOD = """
from torch import nn
from agfer_bench import AttentionSpec, hookimpl

def build(slot, *, depth: int = 1):
    return nn.Identity()

@hookimpl
def attention_modules():
    return [AttentionSpec(name="{name}", build=build, source="arXiv:1", summary="s")]
"""

BROKEN = {
    "raises-at-import": ("raise ValueError('no licence')", "ValueError: no licence"),
    "exits-at-import": ("raise SystemExit(3)", "SystemExit: 3"),
    "syntax": ("def (", "SyntaxError"),
    "returns-none": (
        "from agfer_bench import hookimpl\n@hookimpl\ndef attention_modules():\n    return 7\n",
        "a hook returned int",
    ),
    "returns-other": (
        "from agfer_bench import hookimpl\n@hookimpl\ndef attention_modules(): return ['se']\n",
        "'se', which is not of type AttentionSpec",
    ),
    "raises-in-hook": (
        "from agfer_bench import hookimpl\n@hookimpl\ndef attention_modules():\n    1 / 0\n",
        "ZeroDivisionError",
    ),
    "unknown-hook": (
        "from agfer_bench import hookimpl\n@hookimpl\ndef attention_module():\n    return []\n",
        "attention_module",
    ),
    "bad-signature": (
        "from agfer_bench import hookimpl\n@hookimpl\ndef attention_modules(x):\n    return []\n",
        "attention_modules",
    ),
    "no-default": (
        GOOD.format(name="nodefault").replace("depth: int = 1", "depth"),
        "nodefault: option 'depth'",
    ),
    "table-option": (
        GOOD.format(name="tables").replace("depth: int = 1", "depth={3: 3}"),
        "tables: option 'depth' has the default {3: 3}; options are numbers, text",
    ),
    "residual-option": (
        GOOD.format(name="twice").replace("depth", "residual"),
        "twice: the option 'residual' is the harness's own; give yours another name",
    ),
    "needs-an-argument": (
        "from torch import nn\nfrom agfer_bench import AttentionSpec, hookimpl\n"
        "class Gate(nn.Module):\n    def __init__(self, slot, kernel): ...\n"
        "@hookimpl\ndef attention_modules(): return [\n"
        "AttentionSpec(name='gate', build=Gate, source='', summary='')]\n",
        "gate: option 'kernel' of Gate needs a default value",
    ),
    "one-name-twice": (
        GOOD.format(name="one").replace("return [", "return 2 * ["),
        "the name 'one' is taken by one-name-twice",
    ),
    "no-hook": (
        GOOD.format(name="unmarked").replace("@hookimpl\n", ""),
        "plugin_no_hook offers nothing: mark attention_modules with @hookimpl "
        "(from agfer_bench import hookimpl)",
    ),
    "nothing-at-all": (
        "X = 1",
        "plugin_nothing_at_all offers nothing: write a function attention_modules that returns "
        "specs, and mark it with @hookimpl (from agfer_bench import hookimpl)",
    ),
    "no-source": (GOOD.format(name="bare").replace('"arXiv:1"', "None"), "its source is None"),
    "bad-name": (GOOD.format(name="Not A Name"), "'Not A Name'"),
    "takes-a-name": (GOOD.format(name="se"), "'se' is taken by agfer-bench"),
}


def _own() -> list[EntryPoint]:
    return [p for p in entry_points(group="agfer_bench") if p.dist and p.dist.name == "agfer-bench"]


def test_first_party_blocks_come_through_the_entry_points() -> None:
    catalogue = load_catalogue(_own())
    assert not catalogue.problems
    assert {"base", "agfer", "se", "cbam"} <= set(catalogue.modules)
    assert next(iter(catalogue.modules)) == "base"
    assert {"image-folder", "synthetic", "synthetic-faces"} <= set(catalogue.datasets)


def test_a_third_party_block_stands_with_its_distribution(plugin: Make) -> None:
    catalogue = load_catalogue([*_own(), plugin("good", GOOD.format(name="mine"))])
    entry = catalogue.modules["mine"]
    assert (entry.distribution, entry.version) == ("good", "1.2.3")
    assert [option.name for option in entry.options] == ["depth", "residual", "neutral", "control"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_named_and_the_rest_work(plugin: Make, name: str) -> None:
    source, message = BROKEN[name]
    points = [plugin(name, source), plugin("zz-good", GOOD.format(name="mine")), *_own()]
    catalogue = load_catalogue(points)
    assert [problem.distribution for problem in catalogue.problems] == [name]
    assert message in str(catalogue.problems[0])
    assert "\n" not in str(catalogue.problems[0])
    assert catalogue.modules["mine"].distribution == "zz-good"
    assert catalogue.modules["se"].distribution == "agfer-bench"


def test_of_two_equal_names_the_first_distribution_wins(plugin: Make) -> None:
    points = [plugin("b", GOOD.format(name="twin")), plugin("a", GOOD.format(name="twin"))]
    catalogue = load_catalogue(points)
    assert catalogue.modules["twin"].distribution == "a"
    assert "taken by a" in str(catalogue.problems[0])


def test_choices_are_resolved_and_equal_ones_are_one() -> None:
    catalogue = load_catalogue(_own())
    chosen = catalogue.choose_modules(
        "agfer:reduction=8, cbam:shared_mlp=true:reduction=8,agfer,agfer:reduction=16"
    )
    assert [one.label for one in chosen] == [
        "agfer:reduction=8",
        "cbam:reduction=8:shared_mlp=true",
        "agfer",
    ]


def test_every_unknown_name_is_reported_at_once() -> None:
    with pytest.raises(UserError) as caught:
        load_catalogue(_own()).choose_modules("agfr,see,cbam:reductoin=2")
    for part in ("did you mean 'agfer'", "did you mean 'se'", "did you mean 'reduction'"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["", " , "])
def test_no_module_is_an_error(text: str) -> None:
    with pytest.raises(UserError, match="names no module"):
        load_catalogue(_own()).choose_modules(text)


def test_run_finished_is_called_and_its_failure_is_named(plugin: Make, tmp_path: Path) -> None:
    source = (
        "from agfer_bench import hookimpl\nseen = []\n@hookimpl\n"
        "def run_finished(record, folder):\n    seen.append((record, folder))\n"
    )
    bad = (
        "from agfer_bench import hookimpl\n@hookimpl\n"
        "def run_finished(folder):\n    raise OSError('offline')\n"
    )
    listener = plugin("listener", source)
    catalogue = load_catalogue([plugin("bad", bad), listener])
    problems = catalogue.listeners.run_finished("record", tmp_path)  # type: ignore[arg-type]
    assert [str(problem) for problem in problems] == ["plugin bad: run_finished: OSError: offline"]
    assert listener.load().seen == [("record", tmp_path)]


CLASSIFIER = """
from agfer_bench import ClassifierSpec, hookimpl

def build(seed, *, depth: int = 1):
    return None

@hookimpl
def face_classifiers():
    return [ClassifierSpec(name="{name}", build=build, source="arXiv:1", summary="s")]
"""


def test_classifiers_come_through_their_hook_and_share_the_names_of_blocks(plugin: Make) -> None:
    catalogue = load_catalogue(
        [
            *_own(),
            plugin("a-good", CLASSIFIER.format(name="mine")),
            plugin("b-block", GOOD.format(name="mine")),
            plugin("c-takes", CLASSIFIER.format(name="se")),
            plugin("d-other", CLASSIFIER.format(name="yours").replace("[Class", "['se', Class")),
            plugin("e-bare", CLASSIFIER.format(name="bare").replace("depth: int = 1", "depth")),
        ]
    )
    assert {"linear", "hog-svm", "hog-knn", "mine", "yours"} == set(catalogue.classifiers)
    entry = catalogue.classifiers["mine"]
    assert (entry.distribution, entry.version) == ("a-good", "1.2.3")
    assert [option.name for option in entry.options] == ["depth"], "no residual: it is no block"
    assert [str(problem) for problem in catalogue.problems] == [
        "plugin b-block: the name 'mine' is taken by a-good",
        "plugin c-takes: the name 'se' is taken by agfer-bench",
        "plugin d-other: offers 'se', which is not of type ClassifierSpec",
        next(str(p) for p in catalogue.problems if "bare: option 'depth'" in p.message),
    ]
    assert list(catalogue.rows) == [*catalogue.modules, *catalogue.classifiers]


def test_blocks_and_classifiers_are_chosen_together_or_blocks_alone() -> None:
    catalogue = load_catalogue(_own())
    chosen = catalogue.choose_rows("se,hog-svm:C=1,hog-svm:C=1.0")
    assert [one.label for one in chosen] == ["se", "hog-svm:C=1.0"]
    with pytest.raises(UserError) as caught:
        catalogue.choose_rows("hog-svn,hog-knn:neighbors=3,agfr")
    for part in ("did you mean 'hog-svm'", "did you mean 'neighbours'", "did you mean 'agfer'"):
        assert part in str(caught.value)
    with pytest.raises(UserError, match="did you mean 'hog-svm'"):
        catalogue.choose_modules("hog-svn")
    with pytest.raises(UserError, match=r"hog-svm: no attention block .* leave it out here"):
        catalogue.choose_modules("se,hog-svm")
