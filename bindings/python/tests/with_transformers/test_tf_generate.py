"""generate(): attention on codes against the same cache decoded for transformers' own attention.

Tolerance. Both see the same codes, but attention on codes rounds queries and weights to 8 bits (docs/numerics.md). Of
the models here, whose logits spread by about 0.6 to 2, logits then differ by less than 2 % of that spread (root mean
square) and less than 20 % at most. So a token may only differ where the two candidates are closer than that.
"""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
from models import (
    ARCHITECTURES,
    SDPA_CANNOT,
    book_tokens,
    forward,
    logits_of,
    random_model,
    random_tokens,
    torch,
    transformers,
)

from libturboquant.transformers import TurboQuantCache

ROOT_MEAN_SQUARE, LARGEST = 0.02, 0.2  # of the standard deviation of the logits
NEW_TOKENS = 70  # crosses the end of a coded block


def decoding_attention(kind: str) -> str:
    return "eager" if kind in SDPA_CANNOT else "sdpa"


def cache_of(model: Any, **options: Any) -> TurboQuantCache:
    return TurboQuantCache(model.config, threads=1, **options)


def assert_close(ours: Any, reference: Any) -> None:
    spread = reference.std()
    difference = (ours - reference) / spread
    assert torch.isfinite(ours).all()
    assert difference.square().mean().sqrt() < ROOT_MEAN_SQUARE
    assert difference.abs().max() < LARGEST


@pytest.mark.parametrize("kind", ARCHITECTURES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_logits_equal_those_of_decoded_attention(kind: str, dtype: Any) -> None:
    if kind == "gpt_oss" and dtype is not torch.float32:
        pytest.skip("the choice of experts turns on the last bit of a 16-bit logit")
    model, tokens = random_model(kind).to(dtype), random_tokens(1, 160)
    logits = []
    for implementation in (decoding_attention(kind), "turboquant"):
        model.set_attn_implementation(implementation)
        logits.append(logits_of(model, tokens, cache_of(model), cuts=[70, 95]))
    assert_close(logits[1], logits[0])
    if kind not in SDPA_CANNOT:
        assert torch.equal(logits[1][:, :70], logits[0][:, :70]), "the first tokens are attended to exactly"


def generated(model: Any, tokens: Any, implementation: str, cache: Any = None, **options: Any) -> Any:
    model.set_attn_implementation(implementation)
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(
            tokens,
            past_key_values=cache_of(model) if cache is None else cache,
            max_new_tokens=NEW_TOKENS,
            return_dict_in_generate=True,
            output_logits=True,
            **{"do_sample": False, **options},
        )


def first_difference(a: Any, b: Any) -> int | None:
    length = min(len(a), len(b))
    differs = (a[:length] != b[:length]).nonzero().flatten().tolist()
    assert differs or len(a) == len(b)
    return differs[0] if differs else None


def assert_same_tokens(ours: Any, reference: Any, prompt: int) -> None:
    """Up to the first token whose rival is within the tolerance; that must not come at once."""
    for row, (a, b) in enumerate(zip(ours.sequences, reference.sequences, strict=True)):
        place = first_difference(a, b)
        if place is None:
            continue
        logits = reference.logits[place - prompt][row].float()
        gap = (logits[a[place]] - logits[b[place]]).abs() / logits.std()
        assert gap < LARGEST, f"row {row}, token {place}"
        assert place - prompt > 10


RANDOM = ["llama", "qwen2", "qwen3", "mistral", "gemma3"]


@pytest.mark.parametrize("kind", RANDOM)
@pytest.mark.parametrize(
    "options", [{}, {"prompt_lookup_num_tokens": 3, "eos_token_id": 0}], ids=["greedy", "assisted"]
)
def test_greedy_tokens_of_random_models(kind: str, options: dict[str, Any]) -> None:
    window = transformers.cache_utils.DynamicSlidingWindowLayer
    if kind == "gemma3" and options and not hasattr(window, "activate_past_recording"):
        pytest.skip("the sliding windows of this transformers do not roll back")
    model, tokens = random_model(kind), random_tokens(1, 50)
    reference = generated(model, tokens, "sdpa", **options)
    assert_same_tokens(generated(model, tokens, "turboquant", **options), reference, 50)


@pytest.mark.parametrize("kind", RANDOM)
def test_sampled_tokens_of_random_models(kind: str) -> None:
    """The same random numbers choose the same tokens, until one is a close call."""
    model, tokens = random_model(kind), random_tokens(1, 50)
    reference, ours = (generated(model, tokens, name, do_sample=True, top_k=20) for name in ("sdpa", "turboquant"))
    place = first_difference(ours.sequences[0], reference.sequences[0])
    equal = NEW_TOKENS if place is None else place - 50
    assert equal > 20
    assert_close(torch.stack(ours.logits[:equal]), torch.stack(reference.logits[:equal]))


@pytest.mark.parametrize("kind", RANDOM)
def test_beams_of_random_models(kind: str) -> None:
    """The score of every beam is that of its tokens read from front to back, so its rows were reordered rightly."""
    model, tokens = random_model(kind), random_tokens(2, 50)
    beams = generated(model, tokens, "turboquant", num_beams=3, output_scores=True)
    model.set_attn_implementation("sdpa")
    logits = logits_of(model, beams.sequences, cache_of(model), cuts=[50])[:, 49:-1]
    chosen = logits.log_softmax(-1).gather(2, beams.sequences[:, 50:, None])
    assert torch.allclose(beams.sequences_scores, chosen.mean(dim=(1, 2)), atol=0.005)


@pytest.mark.parametrize(
    "options",
    [{}, {"do_sample": True, "top_p": 0.9}, {"num_beams": 4}, {"num_return_sequences": 3, "do_sample": True}],
    ids=["greedy", "sampling", "beams", "several"],
)
def test_tokens_of_a_trained_model(books: Any, options: dict[str, Any]) -> None:
    tokens = book_tokens(200)
    reference = generated(books, tokens, "sdpa", **options)
    ours = generated(books, tokens, "turboquant", **options)
    assert torch.equal(ours.sequences, reference.sequences)


@pytest.mark.parametrize("noise", [0.0, 0.02, 10.0], ids=["always right", "sometimes right", "never right"])
def test_assisted_decoding(books: Any, noise: float, implementation: str) -> None:
    """The draft only saves time, so tokens are those of greedy decoding; refused ones are cut off the cache."""
    assistant = copy.deepcopy(books)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in assistant.parameters():
            parameter.add_(noise * parameter.std() * torch.randn_like(parameter))
    assistant.set_attn_implementation("sdpa")
    assistant.generation_config.num_assistant_tokens = 4
    assistant.generation_config.num_assistant_tokens_schedule = "constant"
    tokens = book_tokens(150)
    cache = cache_of(books)
    reference = generated(books, tokens, "sdpa")
    ours = generated(books, tokens, implementation, cache, assistant_model=assistant)
    assert_same_tokens(ours, reference, 150)
    assert cache.get_seq_length() == ours.sequences.shape[1] - 1
    assert {cache._store.rows[0].length(layer) for layer in range(5)} == {ours.sequences.shape[1] - 1}


@pytest.mark.parametrize("kind", ["llama", "gemma3", "books"])
def test_left_padding(kind: str, books: Any) -> None:
    model = books if kind == "books" else random_model(kind)
    rows = [book_tokens(n, 300)[0] if kind == "books" else random_tokens(1, n)[0] for n in (90, 20, 60)]
    tokens = torch.stack([torch.cat([torch.full((90 - len(row),), 0), row]) for row in rows])
    mask = torch.stack([torch.arange(90) >= 90 - len(row) for row in rows]).long()
    announced = cache_of(model)
    announced.skip_padding(mask)
    reference = generated(model, tokens, "sdpa", announced, attention_mask=mask)
    cache = cache_of(model)
    ours = generated(model, tokens, "turboquant", cache, attention_mask=mask)
    assert_same_tokens(ours, reference, 90)
    assert [row.length(0) for row in cache._store.rows] == [len(row) + NEW_TOKENS - 1 for row in rows]
    for index, row in enumerate(rows):  # and the same as each prompt on its own
        alone = generated(model, row[None], "turboquant")
        assert torch.equal(alone.sequences[0, len(row) :], ours.sequences[index, 90:])


def test_padding_that_nobody_announced_is_stored_but_not_seen(books: Any) -> None:
    tokens = torch.cat([torch.zeros(1, 30, dtype=torch.long), book_tokens(100)], dim=1)
    mask = (torch.arange(130) >= 30).long()[None]
    exact = {"key_format": "tq8", "value_format": "tq8"}
    ours = generated(books, tokens, "sdpa", cache_of(books, **exact), attention_mask=mask)
    alone = generated(books, tokens[:, 30:], "sdpa", cache_of(books, **exact))
    assert torch.equal(ours.sequences[0, 130:], alone.sequences[0, 100:])


def test_a_prefix_is_computed_once(books: Any, implementation: str) -> None:
    books.set_attn_implementation(implementation)
    prefix = book_tokens(180)

    def cache_with_prefix() -> TurboQuantCache:
        cache = cache_of(books)
        with torch.no_grad():
            forward(books, prefix, cache)
        return cache

    cache = cache_with_prefix()
    first = cache.stats()
    for ending in (book_tokens(20, 700)[:, 1:], book_tokens(33, 800)[:, 1:]):
        tokens = torch.cat([prefix, ending], dim=1)
        reused = generated(books, tokens, implementation, copy.deepcopy(cache)).sequences
        assert torch.equal(reused, generated(books, tokens, implementation, cache_with_prefix()).sequences)
    assert cache.get_seq_length() == 180
    assert cache.stats().tokens == first.tokens, "copies are gone, and the prefix is as it was"


def test_another_turn(books: Any) -> None:
    """generate() goes on with a cache that already holds the conversation so far."""
    turns = []
    for name in ("sdpa", "turboquant"):
        cache = cache_of(books)
        once = generated(books, book_tokens(100), name, cache).sequences
        longer = torch.cat([once, book_tokens(30, 500)[:, 1:]], dim=1)
        turns.append(generated(books, longer, name, cache))
        assert cache.get_seq_length() == turns[-1].sequences.shape[1] - 1 == longer.shape[1] + NEW_TOKENS - 1
    assert torch.equal(turns[0].sequences, turns[1].sequences)


@pytest.mark.parametrize(("cached", "end"), [(100, 130), (130, 131)])
def test_eager_attention_gets_the_same_numbers(books: Any, cached: int, end: int) -> None:
    """Of the same codes: two caches may differ by a code where sums in another order end beside a rounding."""
    tokens, cache, logits = book_tokens(end), cache_of(books), []
    books.set_attn_implementation("sdpa")
    logits_of(books, tokens[:, :cached], cache, cuts=[cached])
    assert cache.get_seq_length() == cached
    for name in ("sdpa", "eager"):
        books.set_attn_implementation(name)
        with torch.no_grad():
            logits.append(forward(books, tokens[:, cached:], copy.deepcopy(cache)).logits)
    assert torch.allclose(*logits, atol=1e-4)


def test_the_default_is_close_to_a_16_bit_cache(books: Any, implementation: str) -> None:
    tokens = book_tokens(700)
    books.set_attn_implementation(implementation)
    ours = logits_of(books, tokens, cache_of(books), cuts=[50, 200, 350, 500, 690])
    books.set_attn_implementation("sdpa")
    exact = logits_of(books, tokens, transformers.DynamicCache(config=books.config), cuts=[700])
    p, q = exact.log_softmax(-1), ours.log_softmax(-1)
    divergence = (p.exp() * (p - q)).sum(-1)
    assert 0 < divergence.mean() < 0.01
    assert (p.argmax(-1) == q.argmax(-1)).float().mean() > 0.95
