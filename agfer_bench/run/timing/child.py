"""A process for one repeat: `python -m agfer_bench.run.timing.child`, started by `process`.

The job comes in on standard input, as JSON; messages go out on standard output, one JSON object a
line. What plugins print goes to standard error, which the parent keeps for a post-mortem.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from agfer_bench.errors import UserError
from agfer_bench.plugin.catalogue import Catalogue, Chosen
from agfer_bench.plugin.finder import load_catalogue
from agfer_bench.plugin.specs import AttentionSpec
from agfer_bench.run.timing.messages import RepeatJob, TimedModule

LOST = 70
"""Exit code where the device was lost."""


def main() -> None:
    """Do the job and hand the result over."""
    import torch

    from agfer_bench.measure.clock import TimingDeviceLost
    from agfer_bench.run.timing.repeat import run_repeat

    job = RepeatJob.model_validate_json(sys.stdin.buffer.read())
    channel = _take_over_output()

    def send(message: dict[str, object]) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    def heard(what: str, label: str | None, share: float) -> None:
        send({"what": what, "label": label, "share": share})

    heard("starting", None, 0.0)
    torch.set_num_threads(job.threads)
    catalogue = load_catalogue(only={module.distribution for module in job.modules})
    try:
        result = run_repeat(job, lambda module: choose(catalogue, module), heard, "own")
    except TimingDeviceLost as error:
        sys.stderr.write(f"the device is lost: {error}\n")
        sys.stderr.flush()
        os._exit(LOST)  # a broken CUDA context may keep the interpreter from ending
    send({"result": result.model_dump(mode="json")})
    channel.close()
    # What plugins left running, threads or destructors, plays no part any more.
    os._exit(0)


def choose(catalogue: Catalogue, module: TimedModule) -> Chosen[AttentionSpec]:
    """Find a block among the installed plugins.

    Raises:
        UserError: No installed plugin offers it.
    """
    entry = catalogue.modules.get(module.name)
    if entry is None or entry.distribution != module.distribution:
        raise UserError(
            f"no installed plugin offers {module.name!r} as {module.distribution} does here: a "
            "fresh process cannot time it; set speed.fresh=false"
        )
    return Chosen(entry=entry, values=module.options)


def _take_over_output() -> TextIO:
    """Return the parent's channel; plugins read nothing and print to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout.flush()
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return channel


if __name__ == "__main__":
    main()
