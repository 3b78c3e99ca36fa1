"""Every `run:` line of the workflow files and of the action is run here, the test command aside."""

from __future__ import annotations

import functools
import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agfer_bench.scaffold.new import write_distribution
from tests.run.support import install
from tests.workflows.steps import ROOT, SCAFFOLD, Runner, Step, all_steps
from tests.workflows.test_comment import GitHub

pytestmark = pytest.mark.slow

STEPS = all_steps()
TEST_COMMANDS = {("tests.yml", "bash .ci/run"), (SCAFFOLD, "python -m pytest")}
TESTED: set[Step] = set()
"""Steps that a test below is of; it sees to it that the test runs them."""
PUBLISHED = ROOT / "results" / "published"
SMALL = (
    "--data synthetic:subjects=6 --test none --epochs 1 --folds 2 --image-size 32 "
    "--set speed.repeats=1 --set speed.fresh=false --set speed.rounds=2 --set speed.seconds=0"
)
LIBRARIES = ["sudo apt-get update", "sudo apt-get install -y libgl1 libglib2.0-0"]
DRY = f"""
if [ "$1 $2 $3" = "-m pip install" ]; then
  set -- "$@" --dry-run --no-deps --no-build-isolation --no-index
fi
exec "{sys.executable}" "$@"
"""
"""pip looks at what it is to install, and neither fetches nor installs it."""

Test = Callable[..., None]


def of(where: str, beginning: str) -> Callable[[Test], Test]:
    """Mark a test as that of a line: it is handed the step, and must have it run."""
    (step,) = (s for s in STEPS if s.where == where and s.script.startswith(beginning))
    TESTED.add(step)

    def mark(test: Test) -> Test:
        @functools.wraps(test)
        def checked(*arguments: object, runner: Runner, **rest: object) -> None:
            test(*arguments, runner=runner, step=step, **rest)
            assert step in runner.ran, f"the test does not run: {step.title}"

        vars(checked)["__signature__"] = _without_step(test)
        return checked

    return mark


def _without_step(test: Test) -> object:
    signature = inspect.signature(test)
    kept = [one for one in signature.parameters.values() if one.name != "step"]
    return signature.replace(parameters=kept)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for what takes long to make."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def runner(tmp_path: Path, shared: Path) -> Runner:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    return Runner(checkout, tmp_path / "temp", shared / "bytecode")


def test_every_line_has_a_test() -> None:
    assert TESTED | {s for s in STEPS if (s.where, s.script) in TEST_COMMANDS} == set(STEPS)
    assert len(STEPS) > 15


@pytest.mark.parametrize("where", ["tests.yml", "leaderboard.yml", SCAFFOLD])
def test_libraries_are_installed(where: str, runner: Runner) -> None:
    (step,) = (s for s in STEPS if s.where == where and s.script.startswith("sudo"))
    done = runner(step)
    assert (done.returncode, runner.calls()) == (0, LIBRARIES)


TESTED |= {step for step in STEPS if step.script.startswith("sudo")}


@pytest.mark.parametrize(
    ("user", "commands", "calls"),
    [
        ("1001", ["apt-get", "sudo"], LIBRARIES),
        ("0", ["apt-get"], [line.removeprefix("sudo ") for line in LIBRARIES]),
        ("0", ["apt-get", "sudo"], [line.removeprefix("sudo ") for line in LIBRARIES]),
        ("1001", ["apt-get"], []),
        ("1001", ["sudo"], []),
        ("0", [], []),
    ],
)
@of("action.yml", "# Jobs in containers")
def test_the_action_installs_libraries_where_it_can(
    runner: Runner, step: Step, user: str, commands: list[str], calls: list[str]
) -> None:
    runner.only(commands)
    runner.stub("id", f"echo {user}")
    done = runner(step)
    assert done.returncode == 0, done.stderr
    assert [line for line in runner.calls() if not line.startswith("id")] == calls
    assert ("::notice::" in done.stdout) == (not calls)


def _packages(output: str) -> set[str]:
    """Return what pip would install, without versions."""
    (line,) = [one for one in output.splitlines() if one.startswith("Would install ")]
    return {one.rpartition("-")[0] for one in line.split()[2:]}


@of("leaderboard.yml", "python -m pip install")
def test_the_leaderboards_job_installs_us(runner: Runner, step: Step) -> None:
    runner.stub("python", DRY)
    runner.folder = ROOT
    done = runner(step)
    assert done.returncode == 0, done.stderr
    assert _packages(done.stdout) == {"agfer-bench"}


@pytest.fixture
def gate(runner: Runner) -> Path:
    """Check out a distribution that `modules new` wrote."""
    runner.folder = runner.folder / "my-gate"
    write_distribution("my-gate", runner.folder, author=None, taken={})
    runner.stub("python", DRY)
    return runner.folder


@of("action.yml", "python -m pip install")
def test_the_action_installs_itself_and_the_callers_package(
    runner: Runner, gate: Path, step: Step
) -> None:
    values = {"inputs.install || github.action_path": ROOT, "inputs.package": "."}
    done = runner(step, values)
    assert done.returncode == 0, done.stderr
    assert _packages(done.stdout) == {"agfer-bench", "my-gate"}


@of(SCAFFOLD, 'python -m pip install "$AGFER_BENCH"')
def test_a_new_distributions_workflow_installs_us(runner: Runner, gate: Path, step: Step) -> None:
    assert step.env == {"AGFER_BENCH": "agfer-bench"}
    done = runner(step)
    assert done.returncode == 0, done.stderr
    assert runner.calls() == ["python -m pip install agfer-bench"]


@of(SCAFFOLD, "python -m pip install -e")
def test_a_new_distributions_workflow_installs_it(runner: Runner, gate: Path, step: Step) -> None:
    done = runner(step)
    assert done.returncode == 0, done.stderr
    assert _packages(done.stdout) == {"my-gate"}


@pytest.fixture
def site(runner: Runner) -> dict[str, str]:
    """Install my-gate; return the environment in which it is found."""
    folder = runner.temp / "site"
    folder.mkdir()
    written = runner.temp / "written"
    write_distribution("my-gate", written, author=None, taken={})
    source = (written / "src" / "my_gate" / "__init__.py").read_text(encoding="utf-8")
    install(folder, "my-gate", source)
    return {"PYTHONPATH": str(folder)}


def _made_small(runner: Runner, more: str) -> None:
    """Have `agfer-bench` do less than it is asked for."""
    real = Path(sys.executable).parent / "agfer-bench"
    runner.stub("agfer-bench", f'exec "{real}" "$@" {more}')


@of("action.yml", "IFS=, read -ra names")
def test_the_action_checks_each_block(runner: Runner, site: dict[str, str], step: Step) -> None:
    _made_small(runner, "--quick")
    done = runner(step, {"inputs.modules": "my-gate,my-gate:kernel=5"}, **site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("keeps the contract") == 2
    assert runner.calls() == ["agfer-bench modules check my-gate my-gate:kernel=5"]


@of(SCAFFOLD, "agfer-bench modules check")
def test_a_new_distributions_workflow_checks_it(
    runner: Runner, site: dict[str, str], step: Step
) -> None:
    _made_small(runner, "--quick")
    done = runner(step, **site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("keeps the contract") == 1


@of("action.yml", "shopt -s nullglob")
def test_the_action_compares_and_tells(
    runner: Runner, site: dict[str, str], shared: Path, step: Step
) -> None:
    values = {"inputs.modules": "my-gate", "inputs.baselines": "se", "inputs.arguments": SMALL}
    done = runner(step, values, AGFER_BENCH_CACHE=str(shared / "cache"), **site)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(runner.text("output").removeprefix("folder=").rstrip("\n"))
    assert (folder / "record.json").is_file()
    assert "jobs" not in folder.parts
    table = [line.split("|") for line in runner.text("summary").splitlines() if "|" in line]
    assert [row[1].strip() for row in table[2:5]] == ["base", "my-gate", "se"]


@of("action.yml", "shopt -s nullglob")
def test_the_action_keeps_the_record_of_a_run_that_failed(runner: Runner, step: Step) -> None:
    made = 'mkdir -p "$5/quick-x"; cd "$5/quick-x"; echo table > table.md; touch record.json'
    runner.stub("agfer-bench", f"{made}; exit 1")
    values = {"inputs.modules": "a", "inputs.baselines": "", "inputs.arguments": "--seeds\n 2 "}
    assert runner(step, values).returncode == 1
    out = runner.temp / "agfer-bench"
    assert runner.calls() == [f"agfer-bench run --modules a --out {out} --seeds 2"]
    assert runner.text("output") == f"folder={out}/quick-x\n"
    assert runner.text("summary") == "table\n"


@of(SCAFFOLD, "agfer-bench run")
def test_a_new_distributions_workflow_compares_it(
    runner: Runner, site: dict[str, str], shared: Path, step: Step
) -> None:
    _made_small(runner, SMALL)
    done = runner(step, AGFER_BENCH_CACHE=str(shared / "cache"), **site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(runner.folder.glob("results/quick-*/record.json")), "what is uploaded"


@of("action.yml", "conditions=()")
def test_the_action_fails_on_a_condition(runner: Runner, step: Step) -> None:
    folder = PUBLISHED / "quick-cpu"

    def gates(*lines: str) -> int:
        values = {"inputs.fail-if": "\n".join(lines), "steps.run.outputs.folder": folder}
        return runner(step, values).returncode

    assert gates("accuracy < base - 0.02", "  ", "latency > 10 * base", "") == 0
    assert gates("accuracy < base - 0.02", "latency > 1.1 * base") == 1
    runner.stub("agfer-bench", "")
    assert gates(" ", "$(touch here)", "*") == 0
    told = f"agfer-bench compare {folder} --fail-if $(touch here) --fail-if *"
    assert runner.calls() == [told], "it is text"
    assert not list(runner.folder.iterdir())


@pytest.fixture
def proposal(runner: Runner) -> Path:
    """Check out a pull request that adds a record: its first parent is the base."""
    place = runner.folder / "results" / "published"

    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
            cwd=runner.folder,
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    shutil.copytree(PUBLISHED / "quick-synthetic-cpu", place / "old")
    git("add", "-A")
    git("commit", "-q", "-m", "base")
    shutil.copytree(PUBLISHED / "ablation-split-synthetic-cpu", place / "new")
    git("add", "-A")
    git("commit", "-q", "-m", "proposal")
    return place


@of("leaderboard.yml", "agfer-bench results validate")
def test_records_are_validated(runner: Runner, proposal: Path, step: Step) -> None:
    done = runner(step)
    assert done.returncode == 0, done.stdout + done.stderr
    record = next(proposal.glob("new/*/record.json"))
    record.write_text(record.read_text().replace('"folds": ', '"folds": 1'))
    done = runner(step)
    assert done.returncode == 1
    assert record.parent.name in done.stdout


@of("leaderboard.yml", "agfer-bench leaderboard")
def test_the_site_is_built(runner: Runner, proposal: Path, step: Step) -> None:
    done = runner(step)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("index.html", "leaderboard.md", "leaderboard.json"):
        assert (runner.folder / "site" / name).is_file()


@of("leaderboard.yml", "mkdir base change")
def test_the_tables_change_is_told(runner: Runner, proposal: Path, step: Step) -> None:
    (build,) = (s for s in STEPS if s.script.startswith("agfer-bench leaderboard"))
    assert runner(build).returncode == 0
    done = runner(step)
    assert done.returncode == 0, done.stdout + done.stderr
    change = runner.folder / "change" / "leaderboard.diff"
    added = [line for line in change.read_text().splitlines() if line.startswith("+|")]
    assert any("base" in line for line in added)
    shutil.rmtree(runner.folder / "base")
    shutil.rmtree(runner.folder / "change")
    shutil.rmtree(proposal / "new")
    assert runner(build).returncode == 0
    assert runner(step).returncode == 0
    assert change.read_text() == "", "the same records, the same table"


@of("leaderboard-comment.yml", "python3 .github/scripts/comment.py")
def test_the_comment_is_written(runner: Runner, step: Step) -> None:
    change = runner.folder / "change" / "leaderboard.diff"
    change.parent.mkdir()
    change.write_text("+| my-gate |\n")
    shutil.copytree(ROOT / ".github" / "scripts", runner.folder / ".github" / "scripts")
    github = GitHub()
    github.pulls = [{"number": 7, "head": {"sha": "c0ffee"}}]
    run = "github.event.workflow_run"
    known = github.environment()
    values = {
        "github.token": known.pop("GITHUB_TOKEN"),
        f"{run}.head_repository.owner.login": known.pop("HEAD_OWNER"),
        f"{run}.head_branch": known.pop("HEAD_BRANCH"),
        f"{run}.head_sha": known.pop("HEAD_SHA"),
    }
    for _ in github.serve():
        done = runner(step, values, **known)
        assert done.returncode == 0, done.stderr
    assert "my-gate" in github.comments[0]["body"]
