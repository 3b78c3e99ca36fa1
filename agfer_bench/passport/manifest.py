"""Manifests of salted hashes: two sets compared without exchanging pictures.

A manifest holds, for each picture, two keyed hashes (HMAC with SHA-256, FIPS 198-1): of the file's
bytes, and of the 63 bits of its perceptual hash, which are the same for its mirrored copy. The key
is a salt that both sides know. Names, labels and subjects are not in it.

What it gives away is told in docs/passport.md: who has the salt and a picture can confirm that the
picture is in the set, and who has the salt may try perceptual hashes out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agfer_bench.errors import UserError
from agfer_bench.files import read_whole, write_text
from agfer_bench.passport.hashes import words

FORMAT = "agfer-bench manifest 1"
MOST_BYTES = 512 * 2**20
"""Largest manifest that is read."""
_DIGITS = 32


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Salted hashes of a set's pictures, sorted, so that their order tells nothing."""

    salt: str
    """What both sides share."""
    entries: tuple[tuple[str, str | None], ...]
    """For each picture the hash of its bytes and of its look; None for a uniform picture's look."""


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """What two sets have in common, as far as manifests tell."""

    same_bytes: tuple[int, ...]
    """Pictures of the first set whose bytes are in the second."""
    same_look: tuple[int, ...]
    """Other pictures of the first set whose perceptual hash is."""


def new_salt() -> str:
    """Return a salt of 128 random bits."""
    return secrets.token_hex(16)


def make_manifest(
    sha256: Sequence[str], looks_NSS: NDArray[np.uint8], salt: str
) -> tuple[Manifest, list[tuple[str, str | None]]]:
    """Make a manifest.

    Args:
        sha256: SHA-256 (hex) of each file.
        looks_NSS: (N, 64, 64) grey copies.
        salt: What both sides share.

    Returns:
        The manifest, and its entries in the order of the pictures.
    """
    entries = [
        (
            _keyed(salt, b"bytes", bytes.fromhex(digest)),
            None if word is None else _keyed(salt, b"look", word),
        )
        for digest, word in zip(sha256, words(looks_NSS), strict=True)
    ]
    ordered = tuple(sorted(entries, key=lambda one: (one[0], one[1] or "")))
    return Manifest(salt=salt, entries=ordered), entries


def _keyed(salt: str, kind: bytes, content: bytes) -> str:
    return hmac.new(salt.encode(), kind + b"\0" + content, hashlib.sha256).hexdigest()[:_DIGITS]


def meet(entries: Sequence[tuple[str, str | None]], other: Manifest) -> Meeting:
    """Find pictures of one set in another's manifest of the same salt.

    Args:
        entries: The first set's entries, by `make_manifest` with the other's salt.
        other: The second set's manifest.
    """
    files = {digest for digest, _ in other.entries}
    looks = {look for _, look in other.entries if look is not None}
    same = [number for number, (digest, _) in enumerate(entries) if digest in files]
    known = set(same)
    alike = [n for n, (_, look) in enumerate(entries) if n not in known and look in looks]
    return Meeting(same_bytes=tuple(same), same_look=tuple(alike))


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as JSON.

    Raises:
        UserError: The file cannot be written.
    """
    content = {"format": FORMAT, "salt": manifest.salt, "pictures": manifest.entries}
    write_text(path, json.dumps(content, indent=0) + "\n")


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, maybe a stranger's.

    Raises:
        UserError: It cannot be read, is too large, or is no manifest.
    """
    try:
        content: Any = json.loads(read_whole(path, MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise UserError(f"cannot read manifest {path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path} is no manifest: it is not JSON") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path} is no manifest of this version ({FORMAT!r})")
    salt, pictures = content.get("salt"), content.get("pictures")
    if not isinstance(salt, str) or not isinstance(pictures, list) or not all(map(_fits, pictures)):
        raise UserError(f"manifest {path} is damaged: ask for it again")
    return Manifest(salt=salt, entries=tuple((digest, look) for digest, look in pictures))


def _fits(entry: Any) -> bool:
    return (
        isinstance(entry, list)
        and len(entry) == 2
        and isinstance(entry[0], str)
        and isinstance(entry[1], str | None)
    )
