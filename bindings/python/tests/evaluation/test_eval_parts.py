"""Pieces that the commands are made of: windows, passes, emulated caches, layer errors, planted strings, budgets."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from eval_models import NumberTokenizer, copier  # noqa: E402
from eval_support import MODEL, TEXT  # noqa: E402

import libturboquant as tq  # noqa: E402
from libturboquant.evaluation import codes, needle  # noqa: E402
from libturboquant.evaluation.attention_error import layer_errors  # noqa: E402
from libturboquant.evaluation.budget import bits_per_value, coded_bits  # noqa: E402
from libturboquant.evaluation.caches import EmulatedLayer  # noqa: E402
from libturboquant.evaluation.lockstep import passes, read_windows  # noqa: E402
from libturboquant.evaluation.model import Subject, cut_windows, load_model, read_text  # noqa: E402
from libturboquant.evaluation.settings import parse_setting, unique_settings  # noqa: E402


@pytest.fixture(scope="module")
def subject() -> Subject:
    return load_model(str(MODEL))


def sliding_model() -> Subject:
    """Gemma-3: two of three layers see 32 tokens only."""
    torch.manual_seed(1)
    config = transformers.Gemma3TextConfig(
        vocab_size=300,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        sliding_window=32,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
    )
    return Subject("gemma", transformers.Gemma3ForCausalLM(config).eval(), NumberTokenizer(), None)


def test_windows(subject: Subject) -> None:
    text = np.arange(1, 31)
    windows = cut_windows(subject, text, 3, 11)
    assert [window.tolist() for window in windows] == [[0, *range(i, i + 10)] for i in (1, 11, 21)]
    assert cut_windows(subject, text, 1, 11, first=2)[0].tolist() == windows[2].tolist()
    subject = Subject(subject.name, subject.model, subject.tokenizer, None)
    assert [window.tolist() for window in cut_windows(subject, text, 2, 15)] == [[*range(1, 16)], [*range(16, 31)]]


def test_passes() -> None:
    first, second, third = passes([np.arange(100), np.arange(50)])
    assert (first.first, second.first, third.first) == (True, False, True)
    assert [each.segment for each in (first, second, third)] == [0, 1, 2]
    assert first.following.tolist() == list(range(1, 65))
    assert second.following.tolist() == [*range(65, 100), -1]
    assert third.chunk.tolist() == list(range(50))


def test_an_emulated_layer_codes_complete_blocks_after_they_were_seen() -> None:
    layer = EmulatedLayer(lambda rows: rows + 1, sinks=4)
    states = torch.zeros(1, 2, 100, 32)
    seen, _ = layer.update(states, states.clone())
    assert not seen.any()
    assert layer.coded == 68
    seen, _ = layer.update(states[:, :, :1], states[:, :, :1])
    assert seen[0, 0, :, 0].tolist() == [0] * 4 + [1] * 64 + [0] * 33
    layer.update(states[:, :, :63], states[:, :, :63])
    assert layer.coded == 4 + 128
    assert EmulatedLayer(lambda rows: rows, tail=False).block == 1


def test_layer_errors_of_a_code_that_is_off_by_a_tenth(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(codes.CODES, "int8", lambda rows: rows * np.float32(1.1))
    window = cut_windows(subject, read_text(subject, TEXT), 1, 256)
    before = subject.model.config._attn_implementation
    errors = layer_errors(subject, window, unique_settings(["int8", "k=f16,v=f16"]))
    assert subject.model.config._attn_implementation == before
    assert errors["int8"].keys == pytest.approx([0.1] * 5, rel=1e-3)
    assert errors["int8"].values == pytest.approx([0.1] * 5, rel=1e-3)
    assert errors["int8"].attention.shape == (5, 4)
    assert errors["k=f16,v=f16"].attention.max() < 1e-3


def test_sliding_layers_stay_exact() -> None:
    subject = sliding_model()
    text = np.random.default_rng(1).integers(1, 300, 400)
    windows = cut_windows(subject, text, 2, 200)
    settings = unique_settings(["default", "int4"])
    errors = layer_errors(subject, windows, settings)
    for name in ("default", "int4"):
        assert errors[name].attention[1].min() > 0
        assert not errors[name].attention[[0, 2]].any()
    readings = read_windows(subject, windows, settings)
    assert readings["16bit"].cost.bytes == 200 * 2 * 32 * 2  # one layer, keys and values, 16 bit
    assert 0 < readings["default"].positions.kl.mean() < readings["int4"].positions.kl.mean() * 3


def test_16_bit_formats_are_the_reference(subject: Subject) -> None:
    windows = cut_windows(subject, read_text(subject, TEXT), 1, 200)
    readings = read_windows(subject, windows, unique_settings(["k=f16,v=f16"]))
    assert readings["k=f16,v=f16"].positions.kl.max() < 1e-5
    assert readings["k=f16,v=f16"].positions.same_top.all()


def test_attention_on_codes_agrees_with_decoded_tokens(subject: Subject) -> None:
    windows = cut_windows(subject, read_text(subject, TEXT), 1, 512)
    readings = read_windows(subject, windows, unique_settings(["default", "default,attention=codes"]))
    decoded, on_codes = (readings[name].positions for name in ("default", "default,attention=codes"))
    assert not np.array_equal(decoded.kl, on_codes.kl)
    assert on_codes.kl.mean() == pytest.approx(decoded.kl.mean(), rel=0.2)


def test_planted_strings() -> None:
    subject = copier()
    text = np.random.default_rng(1).permutation(np.arange(1, 3000))
    lengths = needle.lengths_for(1024, len(text))
    assert lengths == [512, 1024]
    for haystack in needle.make_haystacks(subject, text, lengths):
        query = needle.CUE + needle.ANSWER
        assert len(haystack.tokens) == len(haystack.without) == haystack.length - query
        assert haystack.tokens[0] == 0
        planted = " ".join(map(str, haystack.tokens))
        assert all(" ".join(map(str, string)) in planted for string in haystack.strings)
        last = int(np.flatnonzero(haystack.tokens == haystack.strings[-1][0])[-1])
        assert len(haystack.tokens) - (last + query) >= 64  # so that its block is complete
        passages = [string for string, kind in zip(haystack.strings, haystack.kinds, strict=True) if kind == "passage"]
        assert len(passages) == len(needle.DEPTHS)
        assert not np.isin(np.concatenate(passages), haystack.without).any()
    assert needle.lengths_for(200, len(text)) == []


def test_bits_per_value() -> None:
    def bits(**fields: object) -> float:
        return coded_bits(tq.LayerOptions(8, 128, **fields))  # type: ignore[arg-type]

    # Of 128 values: codes 4 bits, two scale bytes, and 130 bytes of mean for the keys of a block of 64.
    plain = 4 + 16 / 128
    mean = 130 * 8 / (64 * 128)
    assert plain + mean / 2 <= bits() <= plain + mean / 2 + 0.05
    assert bits(center_keys=False) <= bits() - mean / 2 + 0.02
    assert bits(key_format="tq8") - bits() == pytest.approx(2, abs=0.03)
    assert bits(sink_tokens=0) == bits(sink_tokens=64, recent_blocks=3) == bits()
    narrow = tq.LayerOptions(1, 64, key_format="f16", value_format="f16")
    wide = tq.LayerOptions(3, 64)
    mixed = bits_per_value([narrow, wide])
    assert mixed == pytest.approx((coded_bits(narrow) + 3 * coded_bits(wide)) / 4)


def test_settings_that_name_a_layer_of_their_own(subject: Subject) -> None:
    windows = cut_windows(subject, read_text(subject, TEXT), 1, 256)
    plain = parse_setting("default")
    changed = type(plain)("two", "turboquant", {}, {2: {"key_format": "tq8", "value_format": "tq8"}})
    errors = layer_errors(subject, windows, [plain, changed])
    assert errors["two"].values[2] < errors["default"].values[2] / 5
    assert errors["two"].values[1] == errors["default"].values[1]
