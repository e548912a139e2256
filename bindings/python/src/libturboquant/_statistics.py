"""What a cache holds and what it costs: tq_cache_statistics as a dataclass."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CacheStatistics:
    """Numbers of one moment. Blocks shared by forks count once.

    Attributes
    ----------
    sequences : int
        Alive.
    tokens : int
        Token entries held, summed over layers.
    coded_tokens : int
        Of these, in coded blocks (or in complete blocks of a 16-bit format).
    bytes, peak_bytes, budget_bytes : int
        All bytes allocated for blocks, sinks, tails and tables; the most there were; the limit, 0: none.
    code_bytes, scale_bytes, mean_bytes, exact_bytes, overhead_bytes : int
        The parts of `bytes`; exact: sinks, tails and recent blocks; overhead: headers, padding, unused tail, tables.
    coded_bytes : int
        Complete blocks as a whole.
    bytes_16bit, coded_bytes_16bit : int
        What `tokens` and `coded_tokens` would take in 16 bit, without any overhead.
    ratio : float
        ``bytes_16bit / bytes``: the whole cache; 0 if empty.
    ratio_coded : float
        ``coded_bytes_16bit / coded_bytes``: complete blocks only; 0 if there are none.
    append_calls, append_ns, append_bytes : int
        Successful calls of `append` so far, their wall-clock nanoseconds, bytes of keys and values given to them.
    attend_calls, attend_ns, attend_bytes : int
        Of `attend`: calls, nanoseconds, bytes of the cache that had to be read.
    merge_ns : int
        Of `attend_ns`: putting ranges of long contexts together.
    """

    sequences: int
    tokens: int
    coded_tokens: int
    bytes: int
    peak_bytes: int
    budget_bytes: int
    code_bytes: int
    scale_bytes: int
    mean_bytes: int
    exact_bytes: int
    overhead_bytes: int
    coded_bytes: int
    bytes_16bit: int
    coded_bytes_16bit: int
    ratio: float
    ratio_coded: float
    append_calls: int
    append_ns: int
    append_bytes: int
    attend_calls: int
    attend_ns: int
    attend_bytes: int
    merge_ns: int
