"""Weights that a host starts from in place of random ones: timm's, or those of a file.

VGG16 takes its thirteen convolutions (the paper's fully connected layers read another map than
ImageNet's), other hosts all but their classifier. The input is normalised as timm says that the
architecture's weights want it. What is taken is kept in the cache under the hash of its values, so
that processes that train read the same weights, and the protocol names them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from timm.models import load_state_dict
from torch import Tensor

from agfer_bench.errors import UserError, describe
from agfer_bench.files import refuse_odd, replacing
from agfer_bench.protocol import Protocol

if TYPE_CHECKING:
    from agfer_bench.network.host import Host

FROM_TIMM = "timm"
"""What users type for the weights that timm itself would load."""

_FULL_SCALE = 255.0
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Pretrained:
    """Weights in the cache, and the input that they want."""

    path: Path
    """A file of the host's weights, by name, as safetensors."""
    name: str
    """Where they are from, and the hash of their values: `protocol.pretrained`."""
    mean: tuple[float, float, float]
    """Mean of red, green and blue that the input is to be normalised with, 0..255."""
    std: tuple[float, float, float]
    """Standard deviation of red, green and blue, likewise."""

    def load_into(self, host: Host) -> None:
        """Set the weights of a host.

        Raises:
            UserError: The cache has lost the file.
        """
        try:
            found = load_file(self.path)
        except (OSError, SafetensorError) as error:
            raise UserError(
                f"cannot read the pretrained weights in {self.path}: {describe(error)}; run again"
            ) from None
        with torch.no_grad():
            for name, tensor in host.weights().items():
                tensor.copy_(found[name])


def keep_weights(choice: str, architecture: str, host: Host, cache: Path) -> Pretrained:
    """Take the weights that a host needs from timm or a file, and keep them in the cache.

    Args:
        choice: `timm`, or the path of a file: safetensors, or a state dict saved by torch.
        architecture: timm's name of the host's architecture.
        host: A host without blocks; its weights play no part.
        cache: Where they are kept.

    Raises:
        UserError: They cannot be had, are no weights, or do not fit the host.
    """
    if choice == FROM_TIMM:
        source, state = f"timm-{architecture}", _from_timm(architecture)
    else:
        source, state = Path(choice).name, _from_file(Path(choice).expanduser())
    wanted = host.weights()
    _check(state, wanted, choice)
    taken = {name: state[name].detach().to(tensor.dtype) for name, tensor in wanted.items()}
    digest = _sha256(taken)
    path = cache / "weights" / f"{digest}.safetensors"
    if not path.is_file():
        with replacing(path) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in taken.items()}, temporary)
    mean, std = _normalisation(architecture)
    return Pretrained(path=path, name=f"{source}@sha256:{digest}", mean=mean, std=std)


def settle(protocol: Protocol, pretrained: Pretrained, *, own_input: bool) -> Protocol:
    """Return the protocol that names the weights, with their input normalisation if wanted.

    Raises:
        UserError: The protocol names others, or the host's width is not theirs.
    """
    digest = pretrained.name.rpartition("@")[2]
    if protocol.pretrained not in ("none", pretrained.name) and not protocol.pretrained.endswith(
        digest
    ):
        raise UserError(
            f"the weights given are not those that the protocol names ({protocol.pretrained})"
        )
    changes = {"pretrained": pretrained.name}
    if own_input:
        changes["normalisation"] = "pretrained"
    return protocol.with_settings(changes)


def _from_timm(architecture: str) -> dict[str, Tensor]:
    try:
        return dict(timm.create_model(architecture, pretrained=True).state_dict())
    except Exception as error:  # hub, network, file system: anything
        raise UserError(
            f"timm cannot load pretrained weights of {architecture}: {describe(error)[:200]}; "
            "give a file with --pretrained FILE"
        ) from None


_NUMBERS = {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int64}
"""Types that weights come in; batch normalisation counts its batches in whole numbers."""
_LARGEST = 2**35
"""Bytes that a file of weights may hold."""


def _from_file(path: Path) -> dict[str, Tensor]:
    try:
        refuse_odd(path.stat(), path, _LARGEST)
        state = load_state_dict(str(path), device="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(
            f"--pretrained {path}: there is no such file; name one, or `timm`"
        ) from None
    except OSError as error:
        raise UserError(f"--pretrained {path}: {error.strerror or describe(error)}") from None
    except Exception as error:  # torch, pickle, safetensors: anything
        raise UserError(
            f"--pretrained {path} is no file of weights alone: {describe(error)[:200]}"
        ) from None
    if not isinstance(state, dict):
        raise UserError(f"--pretrained {path} holds no named weights")
    return {str(name): value for name, value in state.items() if isinstance(value, Tensor)}


def _check(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], choice: str) -> None:
    missing = [name for name in wanted if name not in state]
    other = [n for n in wanted if n in state and state[n].shape != wanted[n].shape]
    for names, what in ((missing, "lacks"), (other, "has other shapes of")):
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            raise UserError(
                f"--pretrained {choice} {what} {', '.join(names[:_SHOWN])}{more}, which the host "
                "needs: the weights are of another architecture"
            )
    strange = [name for name in wanted if not _holds_numbers(state[name])]
    if strange:
        kind = str(state[strange[0]].dtype).removeprefix("torch.")
        raise UserError(
            f"--pretrained {choice}: {strange[0]} holds no plain numbers ({kind}); save the "
            "weights as float32"
        )
    odd = [name for name in wanted if not torch.isfinite(state[name]).all()]
    if odd:
        raise UserError(f"--pretrained {choice}: {odd[0]} holds numbers that are not finite")


def _holds_numbers(tensor: Tensor) -> bool:
    """Tell plain numbers from weights that are quantised, sparse, 8 bit, or without storage."""
    return (
        tensor.dtype in _NUMBERS
        and tensor.layout == torch.strided
        and not (tensor.is_meta or tensor.is_quantized)
    )


def _normalisation(
    architecture: str,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    settings = timm.get_pretrained_cfg(architecture)
    if settings is None:
        raise UserError(f"timm knows no input normalisation of {architecture}")
    mean, std = (tuple(_FULL_SCALE * v for v in part) for part in (settings.mean, settings.std))
    return (mean[0], mean[1], mean[2]), (std[0], std[1], std[2])


def _sha256(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(f"{name} {tuple(state[name].shape)} {state[name].dtype}\n".encode())
        digest.update(state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
