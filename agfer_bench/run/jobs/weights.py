"""The file of a network's weights, which `--save-weights` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from agfer_bench.errors import UserError, describe
from agfer_bench.files import replacing


def save_weights(network: nn.Module, path: Path, about: Mapping[str, str]) -> None:
    """Write weights and buffers of a network, host and blocks, as safetensors.

    What was there before is gone also where it cannot be written.

    Args:
        network: On any device, its maps in any layout.
        path: The file.
        about: What the file says of itself.

    Raises:
        UserError: It cannot be written.
    """
    # A clone each: safetensors takes no two tensors of one memory, which a block may have.
    tensors = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in network.state_dict().items()
        if isinstance(tensor, Tensor)
    }
    path.unlink(missing_ok=True)
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary, metadata={"format": "pt", **about})
    except SafetensorError as error:  # it is no OSError, whatever the system said
        raise UserError(f"cannot write {path}: {describe(error)}; free space") from error
