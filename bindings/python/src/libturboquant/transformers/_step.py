"""What one forward pass gives to one layer, and a tensor that stands for it and all tokens before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_map

if TYPE_CHECKING:
    from ._store import TokenStore

KEYS, VALUES = 0, 1


class Step:
    """New tokens of one layer at full precision, and how many tokens the layer had before.

    They are appended once attention has been computed, so that every implementation of attention sees the same:
    earlier tokens as they are stored at that moment, new ones exactly.
    """

    def __init__(self, store: TokenStore, layer: int, keys: Any, values: Any, before: int) -> None:
        self.store = store
        self.layer = layer
        self.fresh = (keys, values)
        self.before = before
        self.version = store.version
        self.decoded = 0  # sides that somebody has read, as bits
        self.committed = False

    @property
    def count(self) -> int:
        """New tokens."""
        return int(self.fresh[KEYS].shape[2])

    def shape(self, side: int) -> tuple[int, ...]:
        """Of keys or values of all tokens."""
        batch, heads, count, dim = self.fresh[side].shape
        return (batch, heads, self.before + count, dim)

    def decode(self, side: int) -> Any:
        """Keys or values of all tokens, ``[batch, heads, tokens, dim]``; the second side read appends the new ones."""
        if self.version != self.store.version:
            raise RuntimeError("the cache has been cropped, reordered or reset since this tensor was made")
        fresh = self.fresh[side]
        result = fresh if self.before == 0 else self._joined(side)
        self.decoded |= 1 << side
        if self.decoded == 0b11:
            self.store.commit(self)
        return result

    def _joined(self, side: int) -> Any:
        fresh = self.fresh[side]
        result = fresh.new_empty(self.shape(side))
        self.store.read(self.layer, side, self.before, result)
        if not fresh.requires_grad:
            result[:, :, self.before :] = fresh
            return result
        return torch.cat([result[:, :, : self.before], fresh], dim=2)


class CodedTensor(torch.Tensor):
    """Keys or values of one layer that become numbers when an operation needs them.

    Shape, type and device are known at once. Attention on codes takes the step; everything else gets decoded tensors.
    """

    step: Step
    side: int
    _plain: Any

    @staticmethod
    def __new__(cls, step: Step, side: int) -> CodedTensor:
        fresh = step.fresh[side]
        tensor: CodedTensor = torch.Tensor._make_wrapper_subclass(
            cls, step.shape(side), dtype=fresh.dtype, device=fresh.device
        )
        tensor.step = step
        tensor.side = side
        tensor._plain = None
        return tensor

    def __init__(self, step: Step, side: int) -> None:
        """All is done in `__new__`."""

    def plain(self) -> Any:
        """Decoded; kept as long as this tensor lives, which is one call of one layer."""
        if self._plain is None:
            self._plain = self.step.decode(self.side)
        return self._plain

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        return func(*decoded(args), **decoded(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*decoded(args), **decoded(kwargs or {}))

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        side = "keys" if self.side == KEYS else "values"
        return f"CodedTensor({side}, layer={self.step.layer}, shape={tuple(self.shape)}, dtype={self.dtype})"


# What needs no numbers.
_METADATA = {
    torch.Tensor.shape.__get__,
    torch.Tensor.dtype.__get__,
    torch.Tensor.device.__get__,
    torch.Tensor.ndim.__get__,
    torch.Tensor.layout.__get__,
    torch.Tensor.is_cuda.__get__,
    torch.Tensor.requires_grad.__get__,
    torch.Tensor.size,
    torch.Tensor.dim,
    torch.Tensor.numel,
    torch.Tensor.element_size,
    torch.Tensor.is_floating_point,
    torch.Tensor.__repr__,
    torch.Tensor.__len__,
}


def decoded(tree: Any) -> Any:
    """The same arguments with plain tensors in place of coded ones."""
    return tree_map(lambda leaf: leaf.plain() if isinstance(leaf, CodedTensor) else leaf, tree)
