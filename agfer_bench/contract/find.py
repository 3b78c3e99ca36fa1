"""From what authors and users name to blocks under test."""

from __future__ import annotations

from agfer_bench.contract.block import Block
from agfer_bench.errors import UserError
from agfer_bench.plugin.catalogue import Catalogue, Chosen, Entry
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.options import options_of
from agfer_bench.plugin.specs import AttentionSpec


def find_blocks(what: str | AttentionSpec) -> list[Block]:
    """Return the blocks of a name with options, or of a spec with its defaults.

    Raises:
        UserError: The name or an option is unknown; where plugins do not load, it says so.
    """
    if isinstance(what, AttentionSpec):
        return [Block(chosen=_chosen(what))]
    catalogue = load_catalogue()
    try:
        return [Block(chosen=chosen) for chosen in catalogue.choose_modules(what)]
    except UserError as error:
        raise UserError("; ".join([str(error), *_hints(catalogue)])) from None


def _hints(catalogue: Catalogue) -> list[str]:
    problems = [str(problem) for problem in catalogue.problems]
    return problems or ["is the plugin's project installed in this environment?"]


def _chosen(spec: AttentionSpec) -> Chosen[AttentionSpec]:
    module = getattr(spec.build, "__module__", None) or "unknown"
    entry = Entry(
        spec=spec,
        distribution=module,
        version="unknown",
        module=module,
        options=options_of(spec.build),
    )
    return Chosen(entry=entry, values={option.name: option.default for option in entry.options})
