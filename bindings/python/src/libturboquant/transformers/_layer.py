"""One layer of the cache as transformers knows it. Operations on all layers are those of `TurboQuantCache`."""

from __future__ import annotations

from typing import Any, NoReturn

import torch

from transformers.cache_utils import CacheLayerMixin

from ._step import KEYS, VALUES, CodedTensor
from ._store import TokenStore

COMPILED = ("flex_attention",)
"""Implementations that transformers compiles: what is traced must be plain tensors."""


class TurboQuantLayer(CacheLayerMixin):
    """A full-attention layer whose tokens lie compressed in the native cache.

    `keys` and `values` are decoded anew whenever they are read; nothing is kept in 16 bit but what the options say.
    """

    is_sliding = False
    is_compileable = False
    is_croppable = True
    supports_early_init = True

    def __init__(self, store: TokenStore, index: int, config: Any) -> None:
        self._store = store
        self._index = index  # in the native cache
        self._config = config

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Take new tokens ``[batch, kv_heads, tokens, dim]``; gives tensors that stand for those of all tokens."""
        step = self._store.begin(self._index, key_states, value_states)
        if self._config._attn_implementation in COMPILED:
            return step.decode(KEYS), step.decode(VALUES)
        return CodedTensor(step, KEYS), CodedTensor(step, VALUES)

    def lazy_initialization(self, key_states: Any, value_states: Any = None) -> None:
        """Nothing to prepare: shapes are known from the configuration, rows come with the first tokens."""

    @property
    def is_initialized(self) -> bool:
        """Whether tokens have come."""
        return bool(self._store.rows)

    @property
    def keys(self) -> Any:
        """Decoded keys ``[batch, kv_heads, tokens, key_dim]``, None if the cache is empty."""
        return self._read(KEYS)

    @property
    def values(self) -> Any:
        """Decoded values ``[batch, kv_heads, tokens, value_dim]``, None if the cache is empty."""
        return self._read(VALUES)

    def _read(self, side: int) -> Any:
        store = self._store
        if not store.rows:
            return None
        store.flush()
        options = store.cache.layers[self._index]
        dim = options.key_dim if side == KEYS else options.value_dim or options.key_dim
        length = store.lengths[self._index]
        result = torch.empty((len(store.rows), options.kv_heads, length, dim), dtype=store.dtype)
        store.read(self._index, side, length, result)
        return result

    def get_seq_length(self) -> int:
        """Tokens so far."""
        return self._store.lengths[self._index]

    def get_mask_sizes(self, query_length: Any) -> tuple[int, int]:
        """Length and offset of the mask; `query_length` is a number or, before transformers 5, positions."""
        count = query_length if isinstance(query_length, int) else query_length.shape[0]
        return self.get_seq_length() + count, 0

    def get_max_length(self) -> int:
        """No maximum."""
        return -1

    get_max_cache_shape = get_max_length

    def offload(self) -> None:
        """The tokens are in the CPU's memory already."""

    def prefetch(self) -> None:
        """The tokens are in the CPU's memory already."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(
            "the layers of a TurboQuantCache are cropped, reordered and reset together: call the method of the cache"
        )

    reset = crop = reorder_cache = batch_repeat_interleave = batch_select_indices = _refuse
