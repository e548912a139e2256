use crate::sys;

/// What a cache holds and what it costs. Blocks shared by forks count once.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Sequences alive.
    pub sequences: u32,
    /// Token entries held, summed over layers; shared ones once.
    pub tokens: u64,
    /// Of these, in coded blocks (or in complete blocks of a 16-bit format).
    pub coded_tokens: u64,
    /// All bytes allocated for blocks, sinks, tails and tables.
    pub bytes: u64,
    /// The most that `bytes` ever was.
    pub peak_bytes: u64,
    /// 0 = no limit.
    pub budget_bytes: u64,
    /// Part of `bytes`: codes.
    pub code_bytes: u64,
    /// Part of `bytes`: scales.
    pub scale_bytes: u64,
    /// Part of `bytes`: mean keys.
    pub mean_bytes: u64,
    /// Part of `bytes`: sinks, tails and recent blocks, tokens in use.
    pub exact_bytes: u64,
    /// Part of `bytes`: block headers, padding, unused tail space, tables.
    pub overhead_bytes: u64,
    /// Complete blocks as a whole, header and padding included.
    pub coded_bytes: u64,
    /// What `tokens` would take in 16 bit, without any overhead.
    pub bytes_16bit: u64,
    /// What `coded_tokens` would take.
    pub coded_bytes_16bit: u64,
    /// `bytes_16bit / bytes`: the whole cache. 0 if empty.
    pub ratio: f64,
    /// `coded_bytes_16bit / coded_bytes`: complete blocks only. 0 if there are none.
    pub ratio_coded: f64,
    /// Successful calls of [`Sequence::append`](crate::Sequence::append) since the cache was made, all threads and
    /// sequences together; the same for the counters below. Times are wall-clock nanoseconds.
    pub append_calls: u64,
    /// Time in them: checking, copying, and encoding complete blocks.
    pub append_ns: u64,
    /// Bytes of keys and values given to them.
    pub append_bytes: u64,
    /// Successful calls of [`Cache::attend`](crate::Cache::attend).
    pub attend_calls: u64,
    /// Time in them, merging included.
    pub attend_ns: u64,
    /// Bytes of the cache that they had to read: coded blocks and exact tokens, once per query tile.
    pub attend_bytes: u64,
    /// Part of `attend_ns`: putting ranges of long contexts together.
    pub merge_ns: u64,
}

impl Statistics {
    /// An older library leaves the fields it does not know at 0.
    pub(crate) fn from_raw(raw: &sys::tq_cache_statistics) -> Self {
        // Without `..`: a field that is new in the C struct does not compile until it is here, too.
        let sys::tq_cache_statistics {
            struct_size: _,
            sequences,
            tokens,
            coded_tokens,
            bytes,
            peak_bytes,
            budget_bytes,
            code_bytes,
            scale_bytes,
            mean_bytes,
            exact_bytes,
            overhead_bytes,
            coded_bytes,
            bytes_16bit,
            coded_bytes_16bit,
            ratio,
            ratio_coded,
            append_calls,
            append_ns,
            append_bytes,
            attend_calls,
            attend_ns,
            attend_bytes,
            merge_ns,
        } = *raw;
        Statistics {
            sequences,
            tokens,
            coded_tokens,
            bytes,
            peak_bytes,
            budget_bytes,
            code_bytes,
            scale_bytes,
            mean_bytes,
            exact_bytes,
            overhead_bytes,
            coded_bytes,
            bytes_16bit,
            coded_bytes_16bit,
            ratio,
            ratio_coded,
            append_calls,
            append_ns,
            append_bytes,
            attend_calls,
            attend_ns,
            attend_bytes,
            merge_ns,
        }
    }
}
