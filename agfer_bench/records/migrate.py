"""Records of earlier versions, brought to the present layout before they are validated."""

from __future__ import annotations

from typing import Any

from agfer_bench.protocol import settings_fingerprint


def migrate_run(content: Any) -> Any:
    """Return a run record's content in the layout of version 9.

    Version 2 knew networks alone; version 3 also has classifiers of their own, which lack what
    only a network has. Version 4 adds several seeds and what comparisons over subjects rest on.
    Version 5 adds settings to the protocol, whose defaults are what was done before, and with them
    a new fingerprint. Version 6 tells what gates are worth, which older records do not. Versions
    7 and 8 add settings, as version 5 did; version 8 also what was classified, the terms of the
    data set, and the copies in it. Version 9 adds the place of the blocks, which leaves the
    fingerprint as it was where it is the former one.

    Args:
        content: Parsed JSON, or anything else, which is left to the validation.
    """
    if not isinstance(content, dict):
        return content
    if content.get("schema_version") == 1:
        content = _to_version_2(content)
    if content.get("schema_version") == 2:
        content = content | {"schema_version": 3}
    if content.get("schema_version") == 3:
        content = content | {"schema_version": 4}
    if content.get("schema_version") == 4:
        content = _with_settings(content) | {"schema_version": 5}
    if content.get("schema_version") == 5:
        content = content | {"schema_version": 6}
    if content.get("schema_version") == 6:
        content = _with_settings(content) | {"schema_version": 7}
    if content.get("schema_version") == 7:
        content = _with_copies(_with_settings(content)) | {"schema_version": 8}
    if content.get("schema_version") == 8:
        content = content | {"schema_version": 9}
    return content


def _with_settings(content: dict[str, Any]) -> dict[str, Any]:
    """The protocol has more settings now, and a fingerprint over all of them.

    One that is right for the settings as they stand is dropped, and derived anew from the whole
    protocol. A wrong one is left, so that an audit still finds it.
    """
    protocol, told = content.get("protocol"), content.get("protocol_fingerprint")
    if isinstance(protocol, dict) and told == settings_fingerprint(protocol):
        return {name: value for name, value in content.items() if name != "protocol_fingerprint"}
    return content


def _with_copies(content: dict[str, Any]) -> dict[str, Any]:
    """Before version 8 nobody looked for copies: photographs were divided as they came.

    There are none among drawn faces, whose folds are those of today.
    """
    protocol, data = content.get("protocol"), content.get("data")
    if not isinstance(protocol, dict) or not isinstance(data, dict) or "duplicates" in protocol:
        return content
    duplicates = "group" if data.get("drawn") is True else "keep"
    return content | {"protocol": protocol | {"duplicates": duplicates}}


def _to_version_2(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 timed all networks once, in the process of the run, in fp32 as written.

    Its ratio to base is dropped, since it follows from the times.
    """
    content = content | {"schema_version": 2}
    if isinstance(content.get("protocol"), dict):
        protocol = content["protocol"]
        speed = {"repeats": 1, "fresh": False, "seconds": 0.0}
        if isinstance(protocol.get("speed"), dict):
            speed |= protocol["speed"]
        content["protocol"] = protocol | {"speed": speed}
    if isinstance(content.get("modules"), list):
        content["modules"] = [_module(module) for module in content["modules"]]
    return content


def _module(module: Any) -> Any:
    if not isinstance(module, dict) or not isinstance(module.get("speed"), dict):
        return module
    speed = dict(module["speed"])
    speed.pop("ratio_to_base", None)
    mode = {
        "precision": "fp32",
        "memory_format": module.get("memory_format"),
        "execution": "eager",
        "stream": [speed],
    }
    return module | {"speed": {"modes": {"eager-fp32": mode}}}
