"""The comment on a pull request, against a stand-in for GitHub's API on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.workflows.steps import ROOT

SCRIPT = ROOT / ".github" / "scripts" / "comment.py"
LIMIT = 65_536
"""Characters of a comment at most, by GitHub's word."""


class GitHub:
    """Pull requests and comments of one repository."""

    def __init__(self) -> None:
        self.pulls: list[dict[str, Any]] = []
        self.comments: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        handler = type("Handler", (_Handler,), {"github": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def serve(self) -> Iterator[GitHub]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()
        thread.join()

    def environment(self) -> dict[str, str]:
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "lab/agfer-bench",
            "GITHUB_TOKEN": "secret",
            "HEAD_OWNER": "stranger",
            "HEAD_BRANCH": "my&gate #1",
            "HEAD_SHA": "c0ffee",
        }

    def answer(self, method: str, path: str, query: dict[str, list[str]], content: Any) -> Any:
        self.asked.append((method, path))
        root = "/repos/lab/agfer-bench"
        if path == f"{root}/pulls":
            assert query["head"] == ["stranger:my&gate #1"]
            return self.pulls
        if method == "GET":
            assert path == f"{root}/issues/7/comments"
            page = int(query["page"][0])
            return self.comments[100 * (page - 1) : 100 * page]
        assert len(content["body"]) <= LIMIT
        if method == "PATCH":
            (one,) = [c for c in self.comments if path == f"{root}/issues/comments/{c['id']}"]
            one["body"] = content["body"]
            return one
        assert path == f"{root}/issues/7/comments"
        self.say("github-actions[bot]", content["body"])
        return self.comments[-1]

    def say(self, login: str, body: str) -> None:
        number = len(self.comments)
        self.comments.append({"id": 1000 + number, "user": {"login": login}, "body": body})


class _Handler(BaseHTTPRequestHandler):
    github: GitHub

    def _answer(self) -> None:
        assert self.headers["Authorization"] == "Bearer secret"
        length = int(self.headers.get("Content-Length") or 0)
        content = json.loads(self.rfile.read(length)) if length else None
        url = urlsplit(self.path)
        found = self.github.answer(self.command, url.path, parse_qs(url.query), content)
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = _answer

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def github() -> Iterator[GitHub]:
    yield from GitHub().serve()


def _comment(github: GitHub, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(file)],
        env={**os.environ, **github.environment()},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def change(tmp_path: Path) -> Path:
    file = tmp_path / "leaderboard.diff"
    file.write_text("--- before\n+++ after\n@@ -1 +1 @@\n-| se |\n+| my-gate |\n")
    return file


def test_it_says_it_once_and_keeps_it_up_to_date(github: GitHub, change: Path) -> None:
    github.pulls = [
        {"number": 6, "head": {"sha": "older"}},
        {"number": 7, "head": {"sha": "c0ffee"}},
    ]
    for number in range(120):
        github.say("stranger", f"<!-- agfer-bench leaderboard --> not ours {number}")
    done = _comment(github, change)
    assert done.returncode == 0, done.stderr
    assert len(github.comments) == 121
    assert "```diff\n--- before\n" in github.comments[-1]["body"]
    assert github.comments[-1]["body"].endswith("+| my-gate |\n```")
    change.write_text("")
    assert _comment(github, change).returncode == 0
    assert len(github.comments) == 121, "the same comment"
    assert github.comments[-1]["body"].endswith("stays as it is.")


def test_a_pull_request_that_has_moved_on_is_left_alone(github: GitHub, change: Path) -> None:
    github.pulls = [{"number": 7, "head": {"sha": "newer"}}]
    done = _comment(github, change)
    assert done.returncode == 0
    assert "nothing to say" in done.stdout
    assert [method for method, _ in github.asked] == ["GET"]


def test_what_a_stranger_wrote_cannot_leave_its_fence(github: GitHub, change: Path) -> None:
    github.pulls = [{"number": 7, "head": {"sha": "c0ffee"}}]
    hostile = b"+```\n+````\n+@everyone \x1b[2J\xff\r<script>\n"
    change.write_bytes(hostile)
    assert _comment(github, change).returncode == 0
    _, _, _, first, *_, last = github.comments[0]["body"].split("\n")
    assert (first, last) == ("`````diff", "`````")
    body = github.comments[0]["body"]
    assert body.count("`````") == 2
    assert all(one not in body for one in ("\x1b", "\r"))


def test_it_is_bounded(github: GitHub, change: Path) -> None:
    github.pulls = [{"number": 7, "head": {"sha": "c0ffee"}}]
    for text in ("+ß" * 10_000_000, "`" * 10_000_000):
        change.write_text(text, encoding="utf-8")
        assert _comment(github, change).returncode == 0
        assert "… and more" in github.comments[-1]["body"]


def test_what_is_no_file_is_refused(github: GitHub, tmp_path: Path) -> None:
    github.pulls = [{"number": 7, "head": {"sha": "c0ffee"}}]
    secret, link = tmp_path / "secret", tmp_path / "link"
    secret.write_text("token")
    link.symlink_to(secret)
    for file in (link, tmp_path, tmp_path / "gone"):
        assert _comment(github, file).returncode == 1
    assert not github.comments
