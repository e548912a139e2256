"""Counters as a dict and as Prometheus reads them."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import libturboquant as tq
from libturboquant.metrics import Collector, counters
from support import gaussian


def used_cache() -> tuple[tq.Cache, tq.Sequence]:
    cache = tq.Cache(layer_count=2, kv_heads=2, key_dim=64, byte_budget=1 << 20)
    sequence = cache.sequence()
    for layer in range(2):
        sequence.append(layer, gaussian(200, 2, 64), gaussian(200, 2, 64))
    sequence.attend(0, gaussian(1, 4, 64))
    return cache, sequence


def test_counters() -> None:
    cache, sequence = used_cache()
    found = counters(cache)
    stats = cache.stats()
    assert found["encode_calls_total"] == 2
    assert found["encode_input_bytes_total"] == 2 * 2 * 200 * 2 * 64 * 4
    assert found["attention_calls_total"] == 1
    assert found["attention_read_bytes_total"] > 200 * 2 * 64
    assert 0 < found["attention_seconds_total"] < 10
    assert found["encode_seconds_total"] == pytest.approx(stats.append_ns / 1e9)
    assert found['cache_tokens{state="coded"}'] == 2 * 192
    assert found['cache_tokens{state="exact"}'] == 2 * 8
    assert sum(value for name, value in found.items() if name.startswith("cache_bytes")) == stats.bytes
    assert found["cache_usage_ratio"] == pytest.approx(stats.bytes / (1 << 20))
    sequence.attend(1, gaussian(1, 4, 64))
    assert counters(cache)["attention_calls_total"] == 2


def test_what_is_no_cache() -> None:
    with pytest.raises(TypeError, match="cache is 3; expected a Cache or a TurboQuantCache"):
        counters(3)


def test_prometheus() -> None:
    client = pytest.importorskip("prometheus_client")
    registry = client.CollectorRegistry()
    collector = Collector()
    registry.register(collector)
    cache, sequence = used_cache()
    collector.add(cache, "a")
    other, _ = used_cache()
    collector.add(other, "b")

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"libturboquant_{name}", labels)

    assert value("attention_calls_total", cache="a") == 1
    assert value("cache_bytes", cache="a", kind="codes") == cache.stats().code_bytes
    assert value("isa_info", isa=tq.cpu_target(), version=tq.version()) == 1
    sequence.attend(1, gaussian(1, 4, 64))
    assert value("attention_calls_total", cache="a") == 2
    assert value("attention_calls_total", cache="b") == 1
    text = client.generate_latest(registry).decode()
    assert "# TYPE libturboquant_encode_calls_total counter" in text
    assert "# TYPE libturboquant_cache_bytes gauge" in text

    other.close()
    assert value("attention_calls_total", cache="b") is None
    del cache, sequence
    gc.collect()
    assert value("attention_calls_total", cache="a") is None
    assert value("isa_info", isa=tq.cpu_target(), version=tq.version()) == 1
    with pytest.raises(tq.InvalidArgument, match="cache 'b' is closed"):
        collector.add(other, "b")


def test_without_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client.core", None)
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(ImportError, match=r"pip install 'libturboquant\[prometheus\]'"):
        Collector()
    cache, _ = used_cache()
    assert np.isfinite(list(counters(cache).values())).all()
