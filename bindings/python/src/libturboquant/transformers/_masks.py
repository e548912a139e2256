"""What a mask of transformers says, if it is of the kind that attention on codes knows."""

from __future__ import annotations

import weakref
from typing import Any

import torch


def leading_padding(mask: Any, batch: int, queries: int, tokens: int) -> list[int] | None:
    """Hidden leading tokens per row, if the mask is causal but for these; None if it is anything else.

    Parameters
    ----------
    mask : tensor, shape (batch or 1, 1, queries, tokens)
        True where a query sees a token. Of another type or shape: not of the kind.
    """
    if mask.dtype is not torch.bool or mask.dim() != 4 or mask.shape[0] not in (1, batch):
        return None
    if mask.shape[1:] != (1, queries, tokens):
        return None
    last = mask[:, 0, -1]
    seen = last.any(dim=1)
    first = torch.where(seen, last.int().argmax(dim=1), tokens)
    if not _is_causal_from(mask, first):
        return None
    counts = [int(count) for count in first.tolist()]
    return counts if len(counts) == batch else counts * batch


def _is_causal_from(mask: Any, first: Any) -> bool:
    """Whether query i of n sees exactly tokens first .. tokens - n + i. Row by row: such a mask may be large."""
    queries, tokens = mask.shape[2:]
    column = torch.arange(tokens)
    if queries == 1:
        return bool((mask[:, 0, 0] == (column >= first[:, None])).all())
    causal = column <= (torch.arange(queries) + (tokens - queries))[:, None]
    return all(torch.equal(row[0], causal & (column >= start)) for row, start in zip(mask, first, strict=True))


class MaskMemory:
    """The answer for the last mask: every layer of a forward pass gets the same one."""

    def __init__(self) -> None:
        self._mask: Any = None
        self._key: tuple[int, ...] = ()
        self._answer: list[int] | None = None

    def leading_padding(self, mask: Any, batch: int, queries: int, tokens: int) -> list[int] | None:
        """As the function of that name; no mask hides nothing."""
        if mask is None:
            return [0] * batch
        key = (0 if mask.is_inference() else mask._version, batch, queries, tokens)
        if self._mask is None or self._mask() is not mask or self._key != key:
            self._answer = leading_padding(mask, batch, queries, tokens)
            self._mask, self._key = weakref.ref(mask), key
        return self._answer


def check_hidden(mask: Any, padding: list[int]) -> None:
    """Refuse a mask that shows tokens which were padding when they came: they are not stored."""
    for row, count in enumerate(padding):
        if count == 0:
            continue
        if mask is not None:
            part = mask[row if mask.shape[0] > 1 else 0, ..., :count]
            visible = part if part.dtype is torch.bool else part > torch.finfo(part.dtype).min / 2
            if not bool(visible.any()):
                continue
        raise ValueError(
            f"the attention mask shows the first {count} tokens of row {row}, but they came as padding and are not "
            "stored"
        )
