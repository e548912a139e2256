"""TurboQuantCache: the cache that transformers' models and `generate` take."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._pytree import tree_leaves
from transformers.cache_utils import Cache as TransformersCache
from transformers.cache_utils import DynamicLayer

from .. import Cache, CacheStatistics, Pool
from ._layer import TurboQuantLayer
from ._options import Overrides, decoder_config, layer_options, layers_of_profile, transformers_layers
from ._store import TokenStore

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._options import LayerFields


class TurboQuantCache(TransformersCache):
    """The KV cache of a transformers model in about a quarter of its 16-bit size.

    ``model.generate(**inputs, past_key_values=TurboQuantCache(model.config))``. Layers with full attention are
    compressed; sliding windows, recurrent states and the like stay with transformers' own layers.

    Parameters
    ----------
    config : PreTrainedConfig
        Of the model; of a multimodal model the text decoder counts.
    layers : mapping of int to mapping, or sequence of LayerOptions, optional
        What differs: ``{0: {"key_format": "tq8"}}`` for layer 0 of the model; or a full description of every layer, or
        of every full-attention layer.
    profile : path or object with `layers`, optional
        Such a description: the path of a profile, or an object that has one in its attribute `layers`.
    byte_budget : int
        Most bytes of all compressed layers; 0: no limit.
    threads : int
        Of attention on codes; 0: as many as PyTorch uses now.
    **fields
        Fields of `LayerOptions`, for all layers: `key_format`, `value_format`, `sink_tokens` and the like. `kv_heads`,
        `key_dim` and `value_dim` come from `config`.

    Raises
    ------
    ValueError
        If the model has no layer to compress, a head size beyond 1024, or is not the one that `layers` or `profile`
        describes.
    TypeError
        If an option does not exist; later, if keys and values are not in the CPU's memory or not float32, float16 or
        bfloat16.
    OutOfMemory
        Later, if `byte_budget` is used up.

    Notes
    -----
    New tokens are coded once, in blocks of 64, and never again. Attention of a forward pass sees its own tokens at
    full precision and earlier ones as stored. `copy.deepcopy` shares the memory of the tokens: compute a common prefix
    once and give each `generate` a copy. One forward pass at a time, as with any cache of transformers.
    """

    def __init__(
        self,
        config: Any,
        *,
        layers: Overrides | None = None,
        profile: Any = None,
        byte_budget: int = 0,
        threads: int = 0,
        **fields: Unpack[LayerFields],
    ) -> None:
        config = decoder_config(config)
        if profile is not None:
            if layers is not None:
                raise ValueError("layers and profile: describe the layers in one way, not both")
            layers = layers_of_profile(profile)
        found, ours = transformers_layers(config)
        native = Cache(layer_options(config, ours, dict(fields), layers), byte_budget=byte_budget)
        threads = threads or torch.get_num_threads()
        store = TokenStore(native, Pool(threads) if threads > 1 else None, ours)
        super().__init__(layers=_with_ours(found, store, config))
        self._store = store
        self._config = config

    def reset(self) -> None:
        """Forget all tokens; the cache can be used again, with another batch size, too."""
        self._store.clear()
        for layer in self._others():
            layer.reset()

    def crop(self, length: int) -> None:
        """Keep the first `length` tokens, or remove the last ``-length``, of every row; padding counts.

        Zero does what it does in the DynamicCache of the installed transformers.
        """
        for layer in self._others():
            layer.crop(length)
        if length > 0 or (length == 0 and _zero_means_empty()):
            self._store.crop(length)
        elif length < 0:
            self._store.flush()
            self._store.crop(max(max(self._store.lengths) + length, 0))

    def reorder_cache(self, beam_idx: Any) -> None:
        """Row i becomes a copy of row ``beam_idx[i]``; copies share memory."""
        self._store.select(beam_idx.tolist())
        for layer in self._others():
            layer.reorder_cache(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Every row `repeats` times, one after the other; copies share memory."""
        self._store.select(row for row in range(len(self._store.rows)) for _ in range(repeats))
        for layer in self._others():
            layer.batch_repeat_interleave(repeats)

    def batch_select_indices(self, indices: Any) -> None:
        """Keep only these rows; a tensor of indices or of booleans."""
        rows = indices.nonzero().flatten() if indices.dtype is torch.bool else indices
        self._store.select(rows.tolist())
        for layer in self._others():
            layer.batch_select_indices(indices)

    def skip_padding(self, attention_mask: Any) -> None:
        """Say before the first tokens which of them are left padding, so that it is not stored.

        With ``attn_implementation="turboquant"`` this is not needed: the mask of the first forward pass says it. With
        others padding is stored, and takes the place of the exact first tokens, unless it is announced here.

        Parameters
        ----------
        attention_mask : tensor, shape (batch, tokens)
            The mask that the tokenizer gave, 0 for padding.
        """
        mask = attention_mask.bool()
        self._store.expect_padding((~mask).cumprod(dim=1).sum(dim=1).tolist())

    def stats(self) -> CacheStatistics:
        """What the compressed layers hold and what they cost; copies by `copy.deepcopy` included."""
        self._store.flush()
        return self._store.cache.stats()

    @property
    def nbytes(self) -> int:
        """Bytes of the whole cache: compressed layers (copies included) and those of transformers."""
        state = [vars(layer) for layer in self._others()]
        tensors = [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]
        storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
        return self.stats().bytes + int(sum(storages.values()))

    def __deepcopy__(self, memo: dict[int, Any]) -> TurboQuantCache:
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        store = self._store.fork()
        layers = [None if isinstance(x, TurboQuantLayer) else copy.deepcopy(x, memo) for x in self.layers]
        for name, value in vars(self).items():
            if name not in ("_store", "_config", "layers"):
                setattr(other, name, copy.deepcopy(value, memo))
        other._store, other._config = store, self._config
        other.layers = _with_ours(layers, store, self._config)
        return other

    def __repr__(self) -> str:
        store = self._store
        return (
            f"{type(self).__name__}({store.cache.layer_count} of {len(self.layers)} layers compressed, "
            f"{len(store.rows)} rows, {max(store.lengths)} tokens)"
        )

    def _others(self) -> list[Any]:
        return [layer for layer in self.layers if not isinstance(layer, TurboQuantLayer)]


def _with_ours(layers: list[Any], store: TokenStore, config: Any) -> list[Any]:
    replaced = list(layers)
    for native, index in enumerate(store.names):
        replaced[index] = TurboQuantLayer(store, native, config)
    return replaced


@functools.cache
def _zero_means_empty() -> bool:
    """Whether crop(0) empties a DynamicLayer, as before transformers 5, or removes nothing."""
    layer = DynamicLayer()
    token = torch.zeros(1, 1, 1, 1)
    layer.update(token, token)
    layer.crop(0)
    return bool(layer.get_seq_length() == 0)
