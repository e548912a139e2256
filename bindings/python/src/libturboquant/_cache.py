"""The public class Cache: what takes Python's idioms, on top of the handle in the extension module."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import _core
from ._errors import InvalidArgument
from ._options import LayerFields, LayerOptions
from ._statistics import CacheStatistics

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack


class Cache(_core.Cache):
    """The compressed KV cache of one model.

    ``Cache(LayerOptions(kv_heads=8, key_dim=128), layer_count=32)`` and
    ``Cache(layer_count=32, kv_heads=8, key_dim=128)`` describe 32 equal layers,
    ``Cache([LayerOptions(..), LayerOptions(..)])`` layers that differ.

    Parameters
    ----------
    layers : LayerOptions or iterable of LayerOptions, optional
        One description per layer, or one for all of them.
    layer_count : int, optional
        By default the number of descriptions.
    byte_budget : int
        Most bytes of blocks, tails and tables; 0: no limit.
    **layer
        The fields of `LayerOptions`, instead of `layers`.

    Raises
    ------
    InvalidArgument
        If an option is out of range.
    Unsupported
        If a format is not known to this build, or ``TQ_CPU_TARGET`` names an unknown instruction set.

    Notes
    -----
    Calls on different sequences may run at the same time. See `Sequence` for the rest of the rules.
    """

    def __init__(
        self,
        layers: LayerOptions | Iterable[LayerOptions] | None = None,
        *,
        layer_count: int | None = None,
        byte_budget: int = 0,
        **layer: Unpack[LayerFields],
    ) -> None:
        if layers is None:
            given: tuple[LayerOptions, ...] = (LayerOptions(**layer),)
        elif layer:
            raise InvalidArgument(f"layers and {', '.join(layer)}: describe layers in one way, not both")
        else:
            given = (layers,) if isinstance(layers, LayerOptions) else tuple(layers)
        for index, options in enumerate(given):
            if not isinstance(options, LayerOptions):
                raise TypeError(f"layers[{index}] is {options!r:.80}; expected a LayerOptions")
        super().__init__(given, len(given) if layer_count is None else layer_count, byte_budget)
        self._layers = given

    @property
    def layers(self) -> tuple[LayerOptions, ...]:
        """The description of every layer."""
        return self._layers * (self.layer_count // len(self._layers))

    def sequence(self) -> _core.Sequence:
        """A new, empty sequence of tokens: ``Sequence(cache)``."""
        return _core.Sequence(self)

    def stats(self) -> CacheStatistics:
        """What the cache holds and what it costs. May be called at any time from any thread."""
        return CacheStatistics(**self._stats())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self.layer_count} layers, {self._layers[0]}"
        return f"<libturboquant.Cache: {state}>"
