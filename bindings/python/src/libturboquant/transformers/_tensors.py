"""Torch tensors as the native library sees them: NumPy views, bfloat16 as its bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .._typing import Bits

NAMES = {torch.float32: "float32", torch.float16: "float16", torch.bfloat16: "bfloat16"}
"""Types of keys and values that the library takes."""


def bits_of(dtype: Any) -> Bits | None:
    """The argument `dtype` of native calls for views of tensors of this type."""
    return "bfloat16" if dtype is torch.bfloat16 else None


def view(tensor: Any) -> Any:
    """The same memory as a NumPy array; bfloat16 becomes uint16."""
    tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(np.uint16)
    return tensor.numpy()


def tokens_of(tensor: Any, row: int, first: int = 0) -> Any:
    """A view ``[tokens, heads, dim]`` of one row of ``[batch, heads, tokens, dim]``."""
    part = tensor[row, :, first:].transpose(0, 1)
    if part.shape[0] == 1 or part.stride(-1) != 1:
        part = part.contiguous()  # one token is small, and its strides say nothing
    return view(part)


def check_tokens(keys: Any, values: Any, layer: int) -> None:
    """Refuse what cannot be stored, with an error that names it."""
    for name, tensor in (("keys", keys), ("values", values)):
        if tensor.device.type != "cpu":
            raise TypeError(
                f"the {name} of layer {layer} are on {tensor.device}; TurboQuantCache works in the CPU's memory: "
                "move the model there with model.to('cpu')"
            )
        if tensor.dtype not in NAMES:
            raise TypeError(
                f"the {name} of layer {layer} are {tensor.dtype}; TurboQuantCache takes {', '.join(NAMES.values())}"
            )
        if tensor.dim() != 4:
            raise ValueError(
                f"the {name} of layer {layer} have the shape {tuple(tensor.shape)}; "
                "expected (batch, kv_heads, tokens, dim)"
            )
    if keys.dtype != values.dtype:
        raise TypeError(f"the keys of layer {layer} are {keys.dtype}, but its values {values.dtype}")
    if keys.shape[:3] != values.shape[:3]:
        raise ValueError(
            f"the keys of layer {layer} have the shape {tuple(keys.shape)}, but its values {tuple(values.shape)}"
        )
