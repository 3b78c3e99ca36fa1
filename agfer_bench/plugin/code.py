"""The code that a block or a classifier consists of, whoever wrote it and wherever it lies.

A finished training is used again only where this code is the same. It is found from the objects
themselves: the function that builds, the classes of what it built, and what their files import. So
a change of a neighbour in the same distribution changes nothing, and a change of a library does.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

_BY_VERSION = frozenset(
    {
        "cv2",
        "mkl",
        "numpy",
        "pandas",
        "scipy",
        "skimage",
        "sklearn",
        "timm",
        "torch",
        "torchvision",
        "triton",
    }
)
"""Large libraries whose files nobody edits in place: the version of each stands for its code."""

_PLAIN = (bool, int, float, str, bytes, type(None))


@dataclass(frozen=True, kw_only=True)
class Code:
    """What was found."""

    files: dict[str, str]
    """SHA-256 (hex) of the file of each module, by the module's dotted name."""
    parts: dict[str, str]
    """SHA-256 (hex) of single functions, and the text of plain values, by their dotted names."""
    versions: dict[str, str]
    """Versions of libraries that are known by them, by the name of their distribution."""

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of it all; the same wherever the same code lies."""
        digest = hashlib.sha256()
        for kind in (self.files, self.parts, self.versions):
            for name, value in sorted(kind.items()):
                digest.update(f"{name}\0{value}\0".encode())
            digest.update(b"\1")
        return digest.hexdigest()


def code_of(build: Callable[..., Any], parts: Iterable[Any] = ()) -> Code:
    """Find the code of something that a plugin builds.

    Of the building function only its own lines count, and what they name: other builders may stand
    in the same file. Of classes the whole file counts, and what it imports, however far.

    Args:
        build: The plugin's function.
        parts: What it built: the modules of a network, say. Torch's own add nothing.
    """
    walk = _Walk()
    walk.value("build", build)
    for part in parts:
        walk.type(type(part))
        for name, value in vars(part).items() if hasattr(part, "__dict__") else ():
            if isinstance(value, FunctionType | functools.partial):
                walk.value(name, value)
    return Code(files=walk.files, parts=walk.parts, versions=walk.versions)


@dataclass
class _Walk:
    """Goes from an object to all code that it needs; each thing once."""

    files: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def value(self, name: str, value: Any) -> None:
        """Add what a name stands for."""
        if isinstance(value, functools.partial):
            self.value(name, value.func)
            for number, bound in enumerate((*value.args, *value.keywords.values())):
                self.value(f"{name}.{number}", bound)
        elif isinstance(value, MethodType):
            self.value(name, value.__func__)
            self.type(value.__self__ if inspect.isclass(value.__self__) else type(value.__self__))
        elif isinstance(value, FunctionType):
            self.function(value)
        elif isinstance(value, ModuleType):
            self.module(value.__name__)
        elif inspect.isclass(value):
            self.type(value)
        elif _is_plain(value):
            self.parts[name] = repr(value)
        else:
            self.type(type(value))

    def type(self, kind: type) -> None:
        """Add the files of a class and of those that it inherits from."""
        for base in inspect.getmro(kind):
            self.module(base.__module__)

    def function(self, function: FunctionType) -> None:
        """Add a function by its own text, and what it names."""
        function = inspect.unwrap(function)
        if not self._follows(function.__module__ or "__main__"):
            return
        name = f"{function.__module__}:{function.__qualname__}:{function.__code__.co_firstlineno}"
        if name in self._seen:
            return
        self._seen.add(name)
        # Line numbers change with a neighbour's text.
        text = _text(function)
        self.parts[name.rpartition(":")[0]] = hashlib.sha256(text).hexdigest()
        package = str(function.__globals__.get("__package__") or "")
        for module, names in _imports(text, function.__module__, package):
            self._imported(module, names)
        for used in _names(function.__code__):
            if used in function.__globals__:
                self.value(f"{function.__module__}:{used}", function.__globals__[used])
        cells = function.__closure__ or ()
        for used, cell in zip(function.__code__.co_freevars, cells, strict=True):
            with suppress(ValueError):  # it is empty until its name is given something
                self.value(f"{function.__qualname__}:{used}", cell.cell_contents)
        for number, default in enumerate(function.__defaults__ or ()):
            self.value(f"{function.__qualname__}:default {number}", default)

    def module(self, name: str) -> None:
        """Add a module's file, and what it imports."""
        if name in self._seen or not self._follows(name):
            return
        self._seen.add(name)
        loaded = sys.modules.get(name) or _loaded(name)
        if loaded is None:
            return
        content = _content(loaded)
        if content is None:
            return
        self.files[name] = content.sha256
        for module, names in content.imports:
            self._imported(module, names)

    def _imported(self, module: str, names: tuple[str, ...]) -> None:
        """Add what an import statement brings: the file where a thing is made, not handed on."""
        found = sys.modules.get(module) or _loaded(module)
        if not names or found is None:
            self.module(module)
        for name in names if found is not None else ():
            inner = f"{module}.{name}"
            value = getattr(found, name, None)
            origin = getattr(value, "__module__", None)
            if inner in sys.modules or (not hasattr(found, name) and _loaded(inner)):
                self.module(inner)
            elif inspect.isclass(value):
                self.type(value)
            elif isinstance(value, FunctionType) and isinstance(origin, str):
                self.module(origin)
            else:
                self.module(module)

    def _follows(self, name: str) -> bool:
        """Tell whether a module's files are looked at; keep the version of a large library."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or top == "agfer_bench":
            return False  # the harness's own code has a hash of its own
        if top in _BY_VERSION:
            self.versions.update(_distributions(top))
            return False
        return True


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(one) for key, one in value.items())
    return isinstance(value, _PLAIN)


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global names that a function uses, its inner functions included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _text(function: FunctionType) -> bytes:
    """Return a function's text, or its compiled form where it has no file."""
    try:
        return textwrap.dedent(inspect.getsource(function)).encode()
    except (OSError, TypeError):
        return _compiled(function.__code__)


def _compiled(code: CodeType) -> bytes:
    inner = b"".join(_compiled(one) for one in code.co_consts if isinstance(one, CodeType))
    plain = repr([one for one in code.co_consts if not isinstance(one, CodeType)])
    return code.co_code + plain.encode() + repr(code.co_names).encode() + inner


_Imports = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class _Content:
    """A module's file, as it was when the module was first asked about."""

    spec: Any
    """The module's spec: another one once it is loaded anew."""
    sha256: str
    imports: _Imports


_CONTENTS: WeakKeyDictionary[ModuleType, _Content] = WeakKeyDictionary()
"""Kept, since what runs is what was loaded, whatever has become of the file since."""


def _content(module: ModuleType) -> _Content | None:
    """Read a module's file, once for each time that it is loaded; None where it has none."""
    known = _CONTENTS.get(module)
    spec = getattr(module, "__spec__", None)
    if known is not None and known.spec is spec:
        return known
    try:
        text = Path(str(module.__file__)).read_bytes()
    except (AttributeError, OSError):
        return None
    imports = _imports(text, module.__name__, module.__package__ or "")
    found = _Content(spec, hashlib.sha256(text).hexdigest(), imports)
    _CONTENTS[module] = found
    return found


def _imports(text: bytes, name: str, package: str) -> _Imports:
    """Return the import statements of a text: a module, and the names taken from it.

    None of what is compiled.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return ()
    found: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parents = (package or name).split(".")
            parents = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*parents, *([node.module] if node.module else [])])
            names = tuple(alias.name for alias in node.names if alias.name != "*")
            found.append((module, names))
    return tuple(found)


def _loaded(name: str) -> ModuleType | None:
    """Load a module that a function imports when it is called, where its package is loaded."""
    if name.partition(".")[0] not in sys.modules:
        return None
    try:
        return import_module(name)
    except Exception:  # a stranger's optional part
        return None


@cache
def _distributions(top: str) -> dict[str, str]:
    """Return the versions of the distributions that offer a top-level package."""
    found = {}
    for name in packages_distributions().get(top, ()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
