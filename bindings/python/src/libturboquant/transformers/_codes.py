"""Attention of one layer on the codes of a `TokenStore`."""

from __future__ import annotations

from typing import Any

import torch

from .. import AttendItem, attend
from ._step import KEYS, VALUES, Step
from ._store import TokenStore
from ._tensors import bits_of, tokens_of, view


def attend_to_step(step: Step, query: Any, scaling: float | None, softcap: float | None, sinks: Any) -> Any:
    """Attention of the new tokens of a step to all tokens, and their storage if that is still to be done.

    Parameters
    ----------
    query : tensor, shape (batch, q_heads, step.count, key_dim)

    Returns
    -------
    tensor, shape (batch, step.count, q_heads, value_dim), of the type of `query`
    """
    options = {"scale": scaling, "softcap": softcap, "pool": step.store.pool}
    if sinks is not None:
        options["sink_logits"] = sinks.detach().float().flatten().contiguous().numpy()
    try:
        if step.count == 1 and not step.committed:
            return _Workspace.of(step, query).run(step, query, options)
        return _attend_many(step, query, options)
    except Exception:
        step.store.fail(step)
        raise


def _bits(*tensors: Any) -> Any:
    """The argument `dtype` of AttendItem: what uint16 arrays hold, if there are any."""
    return next((bits for bits in (bits_of(tensor.dtype) for tensor in tensors) if bits), None)


def _attend_many(step: Step, query: Any, options: dict[str, Any]) -> Any:
    keys, values = step.fresh
    batch, heads, count, _ = query.shape
    output = torch.empty((batch, count, heads, values.shape[3]), dtype=query.dtype)
    items = []
    for row, sequence in enumerate(step.store.rows):
        fresh = None if step.committed else (tokens_of(keys, row), tokens_of(values, row))
        bits = _bits(query) if fresh is None else _bits(query, keys)
        items.append(AttendItem(sequence, tokens_of(query, row), new_tokens=fresh, out=view(output[row]), dtype=bits))
    attend(step.layer, items, **options)
    step.store.commit(step)
    return output


class _Workspace:
    """Buffers for one new token per row, and the native items that point at them: made once, used by every layer."""

    def __init__(self, store: TokenStore, query: Any, keys: Any, values: Any) -> None:
        batch, heads, _, dim = query.shape
        self.query = torch.empty((batch, 1, heads, dim), dtype=query.dtype)
        self.keys = torch.empty((batch, 1, *keys.shape[1::2]), dtype=keys.dtype)
        self.values = torch.empty((batch, 1, *values.shape[1::2]), dtype=keys.dtype)
        self.output = torch.empty((batch, 1, heads, values.shape[3]), dtype=query.dtype)
        self.bits = bits_of(keys.dtype)
        self.tokens = [(view(self.keys[row]), view(self.values[row])) for row in range(batch)]
        self.rows = store.rows
        self.items = [
            AttendItem(
                sequence,
                view(self.query[row]),
                new_tokens=self.tokens[row],
                out=view(self.output[row]),
                dtype=_bits(query, keys),
            )
            for row, sequence in enumerate(store.rows)
        ]

    @staticmethod
    def of(step: Step, query: Any) -> _Workspace:
        """The one for these shapes; moving rows makes them all invalid."""
        keys, values = step.fresh[KEYS], step.fresh[VALUES]
        kind = (query.shape, query.dtype, keys.shape, keys.dtype, values.shape)
        found: _Workspace | None = step.store.workspaces.get(kind)
        if found is None:
            found = step.store.workspaces[kind] = _Workspace(step.store, query, keys, values)
        return found

    def run(self, step: Step, query: Any, options: dict[str, Any]) -> Any:
        """Attention, then storage."""
        keys, values = step.fresh
        self.query.copy_(query.transpose(1, 2))
        self.keys.copy_(keys.transpose(1, 2))
        self.values.copy_(values.transpose(1, 2))
        attend(step.layer, self.items, **options)
        step.store.commit_with(step, lambda row: self._append(step.layer, row))
        return self.output.clone()

    def _append(self, layer: int, row: int) -> None:
        keys, values = self.tokens[row]
        self.rows[row].append(layer, keys, values, dtype=self.bits)
