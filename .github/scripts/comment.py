"""Say on a pull request how it changes the leaderboard's table: one comment, kept up to date.

The difference comes from a pull request's own run, so it is a stranger's text: read up to a limit,
and fenced so that nothing in it is rendered or mentions anybody. Which pull request it belongs to
is not taken from there, but asked for by the commit that GitHub says was built.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

MARK = "<!-- agfer-bench leaderboard -->"
AUTHOR = "github-actions[bot]"
MOST = 50_000
"""Characters of the difference; GitHub takes comments of 65,536."""
PAGES = 10
"""Pages of a hundred comments that are looked through for our own."""


def main(file: Path) -> None:
    """Write or renew the comment on the pull request that was built."""
    pull = find_pull()
    if pull is None:
        sys.stdout.write("No open pull request is at this commit: nothing to say.\n")
        return
    comment = {"body": body_of(read(file))}
    comments = f"issues/{pull}/comments"
    own = find_comment(comments)
    if own is None:
        call("POST", comments, comment)
    else:
        call("PATCH", f"issues/comments/{own}", comment)
    sys.stdout.write(f"Said on pull request {pull}.\n")


def find_pull() -> int | None:
    """Return the open pull request whose newest commit was built."""
    head = f"{os.environ['HEAD_OWNER']}:{os.environ['HEAD_BRANCH']}"
    for pull in call("GET", "pulls?" + urlencode({"state": "open", "head": head})):
        if pull["head"]["sha"] == os.environ["HEAD_SHA"]:
            return int(pull["number"])
    return None


def find_comment(comments: str) -> int | None:
    """Return our own comment, if there is one."""
    for page in range(1, PAGES + 1):
        found = call("GET", f"{comments}?per_page=100&page={page}")
        for one in found:
            if one["user"]["login"] == AUTHOR and one["body"].startswith(MARK):
                return int(one["id"])
        if len(found) < 100:
            break
    return None


def read(file: Path) -> str:
    """Return the difference, up to a limit."""
    if file.is_symlink() or not file.is_file():
        raise SystemExit(f"{file} is no file")
    with file.open("rb") as opened:
        raw = opened.read(4 * MOST + 4)  # UTF-8 takes up to four bytes a character
    text = re.sub(r"[^\n\t -~\u00a0-\ufffd]", "\ufffd", raw.decode("utf-8", errors="replace"))
    return text if len(text) <= MOST else text[:MOST] + "\n… and more"


def body_of(difference: str) -> str:
    """Return the comment: the difference in a fence that nothing within it can close."""
    if not difference.strip():
        return f"{MARK}\nThe leaderboard's table stays as it is."
    difference = re.sub("`{9,}", "`" * 8, difference)  # or the fence would have no bound
    longest = max(map(len, re.findall("`+", difference)), default=0)
    fence = "`" * max(3, longest + 1)
    text = difference.rstrip("\n")
    return f"{MARK}\nThis changes the leaderboard's table:\n\n{fence}diff\n{text}\n{fence}"


def call(method: str, path: str, content: dict[str, str] | None = None) -> Any:
    """Call the API of the repository."""
    repository = quote(os.environ["GITHUB_REPOSITORY"])
    request = Request(
        f"{os.environ['GITHUB_API_URL']}/repos/{repository}/{path}",
        data=None if content is None else json.dumps(content).encode(),
        method=method,
        headers={
            "Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
        },
    )
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
