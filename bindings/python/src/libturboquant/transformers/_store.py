"""The tokens of a batch: one native cache for all layers, one native sequence for every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import Cache, LayerOptions, OutOfMemory, Pool
from .. import Sequence as NativeSequence
from ._masks import MaskMemory
from ._step import KEYS, Step
from ._tensors import bits_of, check_tokens, tokens_of, view


class TokenStore:
    """Rows of tokens, all with the same number of them, in every layer that is compressed.

    Leading padding is counted, but not stored: it would take the place of the exact first tokens, and nobody reads it.

    Attributes
    ----------
    rows : list of Sequence
        Empty until the first tokens come.
    padding : list of int
        Per row, leading tokens that are not stored.
    lengths : list of int
        Per layer, tokens given so far; padding and those of a pending step included.
    version : int
        Changes whenever tokens are moved or removed.
    """

    def __init__(self, cache: Cache, pool: Pool | None, names: Sequence[int]) -> None:
        self.cache = cache
        self.pool = pool
        self.names = names  # index in the model, for messages
        self.rows: list[NativeSequence] = []
        self.padding: list[int] = []
        self.lengths = [0] * cache.layer_count
        self.pending: list[Step | None] = [None] * cache.layer_count
        self.expected_padding: list[int] | None = None
        self.dtype: Any = None
        self.version = 0
        self.failed = False
        self.workspaces: dict[Any, Any] = {}
        self.masks = MaskMemory()

    def begin(self, layer: int, keys: Any, values: Any) -> Step:
        """Take new tokens of one layer; `commit` stores them."""
        if self.failed:
            raise RuntimeError(
                "an earlier call failed and left layers of different lengths: crop the cache to a length that all of "
                f"them have ({min(self.lengths)} or less) or reset it"
            )
        self._flush_layer(layer)
        self._check(layer, keys, values)
        if not self.rows:
            self._open(keys.shape[0])
        self.dtype = keys.dtype
        step = Step(self, layer, keys, values, self.lengths[layer])
        self.lengths[layer] += step.count
        self.pending[layer] = step
        return step

    def commit(self, step: Step) -> None:
        """Append the tokens of a step, except for padding."""
        self._finish(step, lambda row: self._append_row(step, row))

    def commit_with(self, step: Step, append_row: Callable[[int], None]) -> None:
        """The same, where the caller has the tokens in a better form."""
        self._finish(step, append_row)

    def _finish(self, step: Step, append_row: Callable[[int], None]) -> None:
        if step.committed:
            return
        step.committed = True
        self.pending[step.layer] = None
        try:
            for row in range(len(self.rows)):
                append_row(row)
        except Exception as error:
            self.fail(step)
            if isinstance(error, OutOfMemory):
                raise OutOfMemory(
                    f"layer {self.names[step.layer]}, tokens {step.before} to {step.before + step.count - 1} of each "
                    f"row: {error}; give a larger byte_budget or keep fewer tokens"
                ) from error
            raise

    def fail(self, step: Step) -> None:
        """After an error: this step and those that wait are forgotten, and layers may differ in length."""
        for lost in (step, *self.pending):
            if lost is not None:
                lost.committed = True
                self.lengths[lost.layer] = lost.before
        self.pending = [None] * len(self.pending)
        self.failed = True

    def _append_row(self, step: Step, row: int) -> None:
        skip = min(max(self.padding[row] - step.before, 0), step.count)
        if skip == step.count:
            return
        keys, values = step.fresh
        self.rows[row].append(
            step.layer, tokens_of(keys, row, skip), tokens_of(values, row, skip), dtype=bits_of(keys.dtype)
        )

    def read(self, layer: int, side: int, count: int, out: Any) -> None:
        """Decode the first `count` tokens into ``out[:, :, :count]``; padding becomes zeros."""
        for row, sequence in enumerate(self.rows):
            padding = min(self.padding[row], count)
            target = out[row].transpose(0, 1)
            target[:padding] = 0
            array = view(target[padding:count])
            sequence.read(
                layer,
                0,
                count - padding,
                dtype=bits_of(out.dtype) or "float32",
                out=(array, None) if side == KEYS else (None, array),
            )

    def flush(self) -> None:
        """Store what nobody has attended to."""
        for layer in range(len(self.pending)):
            self._flush_layer(layer)

    def _flush_layer(self, layer: int) -> None:
        step = self.pending[layer]
        if step is not None:
            self.commit(step)

    def expect_padding(self, counts: list[int]) -> None:
        """Leading padding of the rows to come."""
        if self.rows:
            raise ValueError("the padding must be known before the first tokens; reset the cache first")
        self.expected_padding = counts

    def set_padding(self, step: Step, counts: list[int]) -> bool:
        """Learn from a mask what is padding. False if the mask hides tokens that are stored."""
        for row, count in enumerate(counts):
            known = self.padding[row]
            if count == known:
                continue
            if count < known:
                raise ValueError(
                    f"the attention mask shows tokens of row {row} from {count} on, but its first {known} tokens came "
                    "as padding and are not stored"
                )
            if known < step.before or any(self.rows[row].length(i) for i in range(self.cache.layer_count)):
                return False
            self.padding[row] = count
        return True

    def crop(self, length: int) -> None:
        """Keep at most `length` tokens, padding included, of every row and layer."""
        self.flush()
        for row, sequence in enumerate(self.rows):
            self.padding[row] = min(self.padding[row], length)
            kept = length - self.padding[row]
            if any(sequence.length(layer) > kept for layer in range(self.cache.layer_count)):
                sequence.truncate(kept)
        if length <= min(self.lengths):
            self.failed = False
        self.lengths = [min(have, length) for have in self.lengths]
        self._moved()

    def select(self, indices: Iterable[int]) -> None:
        """New rows out of the present ones, any number of times each."""
        if not self.rows:
            return
        self.flush()
        chosen = list(indices)
        for index in chosen:
            if not -len(self.rows) <= index < len(self.rows):
                raise IndexError(f"row {index}, but the cache has {len(self.rows)} rows")
        chosen = [index % len(self.rows) for index in chosen]
        taken: set[int] = set()
        rows = []
        for index in chosen:
            rows.append(self.rows[index].fork() if index in taken else self.rows[index])
            taken.add(index)
        for index, sequence in enumerate(self.rows):
            if index not in taken:
                sequence.close()
        self.rows = rows
        self.padding = [self.padding[index] for index in chosen]
        self._moved()

    def fork(self) -> TokenStore:
        """The same tokens again, sharing their memory."""
        self.flush()
        other = TokenStore(self.cache, self.pool, self.names)
        other.rows = [row.fork() for row in self.rows]
        other.padding = list(self.padding)
        other.lengths = list(self.lengths)
        other.expected_padding = self.expected_padding
        other.dtype = self.dtype
        other.failed = self.failed
        return other

    def clear(self) -> None:
        """Forget everything."""
        for sequence in self.rows:
            sequence.close()
        self.rows, self.padding = [], []
        self.lengths = [0] * self.cache.layer_count
        self.pending = [None] * self.cache.layer_count
        self.expected_padding = None
        self.failed = False
        self._moved()

    def _moved(self) -> None:
        self.version += 1
        self.workspaces.clear()

    def _open(self, batch: int) -> None:
        expected = self.expected_padding or [0] * batch
        if batch % len(expected):
            raise ValueError(f"the padding of {len(expected)} rows was announced, but {batch} rows came")
        self.padding = [count for count in expected for _ in range(batch // len(expected))]
        self.rows = [self.cache.sequence() for _ in range(batch)]

    def _check(self, layer: int, keys: Any, values: Any) -> None:
        check_tokens(keys, values, self.names[layer])
        options: LayerOptions = self.cache.layers[layer]
        expected = (options.kv_heads, options.key_dim, options.value_dim or options.key_dim)
        given = (keys.shape[1], keys.shape[3], values.shape[3])
        if given != expected:
            fields = ", ".join(f'"{n}": {v}' for n, v in zip(("kv_heads", "key_dim", "value_dim"), given, strict=True))
            raise ValueError(
                f"layer {self.names[layer]} has (kv_heads, key_dim, value_dim) = {given}, but its options say "
                f"{expected}; give layers={{{self.names[layer]}: {{{fields}}}}}"
            )
        if self.rows and keys.shape[0] != len(self.rows):
            raise ValueError(
                f"layer {self.names[layer]} got {keys.shape[0]} rows, but the cache holds {len(self.rows)}; reset it, "
                "or use batch_select_indices or batch_repeat_interleave"
            )
