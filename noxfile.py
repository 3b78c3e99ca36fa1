"""Sessions of development: lint, type and tests by default; `nox -s slow`, `nox -s bench`.

`nox --no-venv` uses the environment that nox is installed in.
"""

import nox

nox.options.sessions = ["lint", "type", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def lint(session: nox.Session) -> None:
    """Style, spelling, and which part may import which."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    session.run("lint-imports")


@nox.session
def type(session: nox.Session) -> None:
    """Types."""
    session.install("-e", ".[test]")
    session.run("mypy", "--strict")


@nox.session(python=["3.11", "3.12"])
def tests(session: nox.Session) -> None:
    """All tests but the slow kinds."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Kills, browsers, builds by pip, whole studies, compilers."""
    session.install("-e", ".[test]")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmarks."""
    session.install("-e", ".[test]")
    session.run("pytest", "bench", *session.posargs)
