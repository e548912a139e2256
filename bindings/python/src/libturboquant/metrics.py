"""Counters of caches for monitoring: as a plain dict, and for Prometheus.

    from libturboquant.metrics import Collector, counters

    counters(cache)  # {"encode_calls_total": 128, ..}

    collector = Collector()  # needs the extra: pip install 'libturboquant[prometheus]'
    prometheus_client.REGISTRY.register(collector)
    collector.add(cache, "llama-3")  # held weakly; shown until it is closed or collected

Nothing is measured that the library does not count anyway, no thread is started and no port is opened: whoever scrapes
calls `tq_cache_stats`, which any thread may do at any time.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import _core
from ._cache import Cache
from ._errors import InvalidArgument
from ._statistics import CacheStatistics

NANO = 1e-9


@dataclass(frozen=True)
class Series:
    """A name without prefix, whether it only grows, what it means, and the value of one label if it has one."""

    name: str
    counter: bool
    help: str
    label: tuple[str, str] | None = None

    @property
    def key(self) -> str:
        """In the dict: such as ``cache_bytes{kind="codes"}``."""
        return self.name if self.label is None else f'{self.name}{{{self.label[0]}="{self.label[1]}"}}'


def _bytes(kind: str) -> Series:
    return Series("cache_bytes", False, "Bytes allocated, by what they hold.", ("kind", kind))


def _tokens(state: str) -> Series:
    return Series("cache_tokens", False, "Token entries held, summed over layers.", ("state", state))


def measured(stats: CacheStatistics) -> list[tuple[Series, float]]:
    """Every series and its value."""
    return [
        (Series("encode_calls_total", True, "Successful appends."), stats.append_calls),
        (Series("encode_seconds_total", True, "Time in appends, encoding included."), stats.append_ns * NANO),
        (Series("encode_input_bytes_total", True, "Bytes of keys and values appended."), stats.append_bytes),
        (Series("attention_calls_total", True, "Successful attention calls."), stats.attend_calls),
        (Series("attention_seconds_total", True, "Time in attention."), stats.attend_ns * NANO),
        (Series("attention_read_bytes_total", True, "Bytes of cache that attention read."), stats.attend_bytes),
        (Series("attention_merge_seconds_total", True, "Of that: merging ranges."), stats.merge_ns * NANO),
        (Series("cache_sequences", False, "Sequences alive."), stats.sequences),
        (_tokens("coded"), stats.coded_tokens),
        (_tokens("exact"), stats.tokens - stats.coded_tokens),
        (_bytes("codes"), stats.code_bytes),
        (_bytes("scales"), stats.scale_bytes),
        (_bytes("means"), stats.mean_bytes),
        (_bytes("exact"), stats.exact_bytes),
        (_bytes("overhead"), stats.overhead_bytes),
        (Series("cache_peak_bytes", False, "Most bytes there were."), stats.peak_bytes),
        (Series("cache_budget_bytes", False, "Most bytes there may be; 0: no limit."), stats.budget_bytes),
        (Series("cache_usage_ratio", False, "Bytes / budget, 0 to 1; 0 without one."), _usage(stats)),
        (Series("cache_compression_ratio", False, "16-bit bytes / bytes; 0 if empty."), stats.ratio),
    ]


def _usage(stats: CacheStatistics) -> float:
    return stats.bytes / stats.budget_bytes if stats.budget_bytes else 0.0


def counters(cache: Any) -> dict[str, float]:
    """Of one cache, by name; names with a label as Prometheus writes them.

    cache: a `Cache`, or a `TurboQuantCache` of libturboquant.transformers.
    """
    return {series.key: value for series, value in measured(native_cache(cache).stats())}


def native_cache(cache: Any) -> Cache:
    """The cache of the library behind a cache of transformers."""
    native = getattr(getattr(cache, "_store", None), "cache", cache)
    if not isinstance(native, Cache):
        raise TypeError(f"cache is {cache!r:.80}; expected a Cache or a TurboQuantCache")
    return native


class Collector:
    """A collector of prometheus_client; `prometheus_client.REGISTRY.register(collector)` makes it visible.

    Parameters
    ----------
    prefix : str
        Of every name.

    Notes
    -----
    Every series has the label `cache`. A cache that was closed or collected is no longer shown; its series end. Any
    thread may add and scrape.
    """

    def __init__(self, prefix: str = "libturboquant") -> None:
        try:
            import prometheus_client.core as core
        except ImportError as error:
            raise ImportError("Collector needs prometheus_client: pip install 'libturboquant[prometheus]'") from error
        self._core: Any = core
        self._prefix = prefix
        self._lock = threading.Lock()
        self._caches: dict[str, weakref.ref[Cache]] = {}

    def add(self, cache: Any, name: str) -> None:
        """Show a cache under a name, which takes the place of another cache that had it.

        cache: a `Cache` or a `TurboQuantCache`.
        """
        native = native_cache(cache)
        if native.closed:
            raise InvalidArgument(f"cache '{name}' is closed")
        with self._lock:
            self._caches[name] = weakref.ref(native)

    def describe(self) -> Iterable[Any]:
        """Nothing: names are known when something is collected."""
        return []

    def collect(self) -> Iterable[Any]:
        """Called by the registry: one family of metrics per name."""
        families: dict[str, Any] = {}
        for name, stats in self._statistics():
            for series, value in measured(stats):
                labels = {"cache": name, **dict([series.label] if series.label else [])}
                family = families.setdefault(series.name, self._family(series, list(labels)))
                family.add_metric(list(labels.values()), value)
        isa = self._core.GaugeMetricFamily(
            f"{self._prefix}_isa_info", "Instruction set in use; always 1.", labels=["isa", "version"]
        )
        isa.add_metric([_core.cpu_target(), _core.version()], 1)
        return [*families.values(), isa]

    def _family(self, series: Series, labels: list[str]) -> Any:
        kind = self._core.CounterMetricFamily if series.counter else self._core.GaugeMetricFamily
        return kind(f"{self._prefix}_{series.name}", series.help, labels=labels)

    def _statistics(self) -> list[tuple[str, CacheStatistics]]:
        found = []
        with self._lock:
            for name, reference in list(self._caches.items()):
                cache = reference()
                if cache is None or cache.closed:
                    del self._caches[name]
                else:
                    found.append((name, cache))
        # Outside of the lock: a cache may be closed at any moment, which is no reason for a scrape to fail.
        return [(name, stats) for name, cache in found if (stats := _stats_or_none(cache)) is not None]


def _stats_or_none(cache: Cache) -> CacheStatistics | None:
    try:
        return cache.stats()
    except InvalidArgument:
        return None
