// Made by generate.sh from turboquant.h; do not edit.

pub const TQ_VERSION: u32 = 100;
pub const TQ_MAX_MAGNITUDE: f32 = 1152921504606847000.0;
pub const TQ_MAX_HEAD_DIM: u32 = 1024;
pub const TQ_BLOCK_TOKENS: u32 = 64;
pub const TQ_MAX_PROFILE_BYTES: u32 = 1048576;
pub type tq_status = i32;
pub const TQ_OK: tq_status = 0;
#[doc = " the message names the argument and its value"]
pub const TQ_ERR_INVALID_ARGUMENT: tq_status = 1;
#[doc = " the allocator or the byte budget refused; the cache is as it was"]
pub const TQ_ERR_OUT_OF_MEMORY: tq_status = 2;
#[doc = " the message says how many bytes are needed"]
pub const TQ_ERR_BUFFER_TOO_SMALL: tq_status = 3;
#[doc = " the content of a file is damaged or impossible; the message says where"]
pub const TQ_ERR_CORRUPT_DATA: tq_status = 4;
#[doc = " a newer format, an option or a CPU target this build does not know"]
pub const TQ_ERR_UNSUPPORTED: tq_status = 5;
#[doc = " a bug in libturboquant; please report the message"]
pub const TQ_ERR_INTERNAL: tq_status = 6;
#[doc = " a sequence that does not exist, or no longer; a file that does not exist"]
pub const TQ_ERR_NOT_FOUND: tq_status = 7;
#[doc = " another thread is writing the same sequence"]
pub const TQ_ERR_BUSY: tq_status = 8;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_error {
    #[doc = " in: sizeof(tq_error), see tq_error_init; anything smaller is left alone"]
    pub struct_size: u32,
    #[doc = " out"]
    pub status: tq_status,
    #[doc = " out: NUL-terminated, for people; never parse it"]
    pub message: [::core::ffi::c_char; 248usize],
}
#[doc = " Element types of buffers. Fixed values."]
pub type tq_dtype = u32;
pub const TQ_DTYPE_AUTO: tq_dtype = 0;
pub const TQ_F32: tq_dtype = 1;
pub const TQ_F16: tq_dtype = 2;
pub const TQ_BF16: tq_dtype = 3;
#[doc = " How keys or values are stored (docs/format.md). Fixed values; 5 and 6 are reserved."]
pub type tq_format = u32;
#[doc = " rotation + 4-bit codes, one 8-bit scale per group"]
pub const TQ_FORMAT_TQ4: tq_format = 1;
#[doc = " rotation + 8-bit codes"]
pub const TQ_FORMAT_TQ8: tq_format = 2;
#[doc = " exact for f16 input"]
pub const TQ_FORMAT_F16: tq_format = 3;
#[doc = " exact for bf16 input"]
pub const TQ_FORMAT_BF16: tq_format = 4;
#[doc = " Allocator callbacks. Both NULL: aligned malloc and free. `allocate` returns `size` bytes aligned to `alignment` (a\n power of two, at most 64) or NULL; `release` gets the same size back. Called from whichever thread calls the\n library; must be safe for as many threads as the caller uses."]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_allocator {
    pub allocate: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            size: usize,
            alignment: usize,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub release: ::core::option::Option<
        unsafe extern "C" fn(
            user: *mut ::core::ffi::c_void,
            pointer: *mut ::core::ffi::c_void,
            size: usize,
        ),
    >,
    pub user: *mut ::core::ffi::c_void,
}
#[doc = " one record of tq_codec_vector_bytes after another: random access"]
pub const TQ_LAYOUT_VECTORS: u32 = 0;
#[doc = " blocks of 64 interleaved vectors, the layout of the cache: the fastest for tq_scores"]
pub const TQ_LAYOUT_BLOCKS: u32 = 1;
#[doc = " How encoded vectors lie in memory."]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_codec_options {
    pub struct_size: u32,
    #[doc = " required: values per vector, 1..1024"]
    pub head_dim: u32,
    #[doc = " default TQ_FORMAT_TQ4"]
    pub format: tq_format,
    #[doc = " values per scale: 64 (default) or 32"]
    pub group_size: u32,
    #[doc = " a power of two that divides head_dim; 1 = signs only; 0 (default) = the largest"]
    pub rotation_block: u32,
    #[doc = " 1 (default): best of seven scales by squared error; 0: scale from the norm alone"]
    pub scale_search: u32,
    #[doc = " TQ_LAYOUT_VECTORS (default) or TQ_LAYOUT_BLOCKS"]
    pub layout: u32,
    #[doc = " 0"]
    pub reserved: u32,
    #[doc = " of the random signs; equal options and seed give equal bytes on every CPU"]
    pub seed: u64,
    #[doc = " for the codec itself and for scratch memory of its calls"]
    pub allocator: tq_allocator,
}
#[repr(C)]
#[derive(Debug)]
pub struct tq_codec {
    _unused: [u8; 0],
}
#[doc = " One layer of the model. Every layer may differ."]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_layer_options {
    pub struct_size: u32,
    #[doc = " required, 1..65536"]
    pub kv_heads: u32,
    #[doc = " required, 1..1024"]
    pub key_dim: u32,
    #[doc = " 0 (default) = key_dim"]
    pub value_dim: u32,
    #[doc = " default TQ_FORMAT_TQ4"]
    pub key_format: tq_format,
    #[doc = " default TQ_FORMAT_TQ4"]
    pub value_format: tq_format,
    #[doc = " 64 (default) or 32"]
    pub key_group_size: u32,
    #[doc = " 64 (default) or 32"]
    pub value_group_size: u32,
    #[doc = " as in tq_codec_options; 0 (default) = the largest"]
    pub key_rotation_block: u32,
    #[doc = " the same"]
    pub value_rotation_block: u32,
    #[doc = " 1 (default): code keys relative to the mean key of their block"]
    pub center_keys: u32,
    #[doc = " 1 (default)"]
    pub scale_search: u32,
    #[doc = " first tokens of a sequence, kept in 16 bit; default 4, 0..64"]
    pub sink_tokens: u32,
    #[doc = " complete blocks kept in 16 bit before they are coded; default 0, at most 1024"]
    pub recent_blocks: u32,
    #[doc = " 16-bit type of sinks and tail: TQ_DTYPE_AUTO (default) = that of a sequence's first\nappend (f16 for f32 input; an empty sequence forgets it), TQ_F16 or TQ_BF16. A side\nin TQ_FORMAT_F16 takes no value beyond 65504 either way"]
    pub exact_dtype: tq_dtype,
    #[doc = " sliding window: a query at p sees keys p - window + 1 .. p; 0 (default) = all"]
    pub window: u32,
    #[doc = " of the random signs"]
    pub seed: u64,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_cache_options {
    pub struct_size: u32,
    #[doc = " required, 1..65536"]
    pub layer_count: u32,
    #[doc = " required: layer_count of them, each layers[0].struct_size bytes .."]
    pub layers: *const tq_layer_options,
    #[doc = " .. or 1 (default 0 = layer_count): one description for every layer"]
    pub layers_given: u32,
    #[doc = " 0"]
    pub reserved: u32,
    #[doc = " most bytes of blocks, tails and tables; 0 (default) = no limit"]
    pub byte_budget: u64,
    pub allocator: tq_allocator,
}
#[repr(C)]
#[derive(Debug)]
pub struct tq_cache {
    _unused: [u8; 0],
}
pub type tq_sequence = u64;
#[doc = " Keys and values of `count` tokens. Element (token t, kv head h, coordinate c) of the keys is at\n keys[t * key_token_stride + h * key_head_stride + c]; a stride of 0 means contiguous [token][kv_head][dim], and both\n strides of one tensor must be given or both be 0."]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_kv {
    #[doc = " sizeof(tq_kv)"]
    pub struct_size: u32,
    #[doc = " TQ_F32, TQ_F16 or TQ_BF16"]
    pub dtype: tq_dtype,
    pub count: usize,
    #[doc = " after RoPE"]
    pub keys: *const ::core::ffi::c_void,
    pub values: *const ::core::ffi::c_void,
    pub key_token_stride: usize,
    pub key_head_stride: usize,
    pub value_token_stride: usize,
    pub value_head_stride: usize,
}
#[doc = " Where tq_cache_read writes; the strides mean what they mean in tq_kv. keys or values may be NULL (not wanted)."]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_kv_out {
    #[doc = " sizeof(tq_kv_out)"]
    pub struct_size: u32,
    pub dtype: tq_dtype,
    pub keys: *mut ::core::ffi::c_void,
    pub values: *mut ::core::ffi::c_void,
    pub key_token_stride: usize,
    pub key_head_stride: usize,
    pub value_token_stride: usize,
    pub value_head_stride: usize,
}
#[doc = " What the cache holds and what it costs. Blocks shared by forks count once."]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_cache_statistics {
    #[doc = " in"]
    pub struct_size: u32,
    #[doc = " alive"]
    pub sequences: u32,
    #[doc = " token entries held, summed over layers; shared ones once"]
    pub tokens: u64,
    #[doc = " of these, in coded blocks (or in complete blocks of a 16-bit format)"]
    pub coded_tokens: u64,
    #[doc = " all bytes allocated for blocks, sinks, tails and tables"]
    pub bytes: u64,
    pub peak_bytes: u64,
    #[doc = " 0 = no limit"]
    pub budget_bytes: u64,
    #[doc = " the parts of `bytes` .."]
    pub code_bytes: u64,
    pub scale_bytes: u64,
    pub mean_bytes: u64,
    #[doc = " sinks, tails and recent blocks, tokens in use"]
    pub exact_bytes: u64,
    #[doc = " block headers, padding, unused tail space, tables"]
    pub overhead_bytes: u64,
    #[doc = " complete blocks as a whole, header and padding included"]
    pub coded_bytes: u64,
    #[doc = " what `tokens` would take in 16 bit, without any overhead"]
    pub bytes_16bit: u64,
    #[doc = " what `coded_tokens` would take"]
    pub coded_bytes_16bit: u64,
    #[doc = " bytes_16bit / bytes: the whole cache. 0 if empty"]
    pub ratio: f64,
    #[doc = " coded_bytes_16bit / coded_bytes: complete blocks only. 0 if there are none"]
    pub ratio_coded: f64,
    #[doc = " Successful calls since tq_cache_create, summed over threads and sequences; times are wall-clock nanoseconds."]
    pub append_calls: u64,
    #[doc = " in tq_cache_append: checking, copying, and encoding complete blocks"]
    pub append_ns: u64,
    #[doc = " of keys and values given to it"]
    pub append_bytes: u64,
    pub attend_calls: u64,
    #[doc = " in tq_attend, merging included"]
    pub attend_ns: u64,
    #[doc = " of the cache that it had to read: coded blocks and exact tokens, once per query tile"]
    pub attend_bytes: u64,
    #[doc = " of attend_ns: putting ranges of long contexts together"]
    pub merge_ns: u64,
}
#[repr(C)]
#[derive(Debug)]
pub struct tq_profile {
    _unused: [u8; 0],
}
#[doc = " ---- Threads ----------------------------------------------------------------------------------------------------"]
#[repr(C)]
#[derive(Debug)]
pub struct tq_pool {
    _unused: [u8; 0],
}
#[doc = " The caller's own threads: must call task(context, i) once for each i < count, in any order and on any thread, and\n return when all are done. task never throws."]
pub type tq_parallel_for = ::core::option::Option<
    unsafe extern "C" fn(
        user: *mut ::core::ffi::c_void,
        count: usize,
        task: ::core::option::Option<
            unsafe extern "C" fn(context: *mut ::core::ffi::c_void, index: usize),
        >,
        context: *mut ::core::ffi::c_void,
    ),
>;
#[doc = " ---- Attention --------------------------------------------------------------------------------------------------"]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_attend_options {
    pub struct_size: u32,
    pub layer: u32,
    #[doc = " required: a multiple of kv_heads; query head h reads kv head h / (q_heads / kv_heads)"]
    pub q_heads: u32,
    #[doc = " default TQ_F32"]
    pub query_dtype: tq_dtype,
    #[doc = " default TQ_F32"]
    pub output_dtype: tq_dtype,
    #[doc = " 1 (default); 0: a query also sees the tokens after it"]
    pub causal: u32,
    #[doc = " of q . k; 0 (default) = 1 / sqrt(key_dim)"]
    pub scale: f32,
    #[doc = " c > 0: logits become c tanh(logit / c); 0 (default) = off"]
    pub softcap: f32,
    #[doc = " per query head an extra logit that joins the softmax and has no value; NULL = none"]
    pub sink_logits: *const f32,
    #[doc = " NULL = only the calling thread .."]
    pub pool: *mut tq_pool,
    #[doc = " .. or this; not both"]
    pub parallel_for: tq_parallel_for,
    pub parallel_user: *mut ::core::ffi::c_void,
}
#[doc = " One sequence's part of a tq_attend call. Element (query i, query head h, coordinate c) is at\n query[i * query_token_stride + h * query_head_stride + c]; strides of 0 mean contiguous [query][q_head][dim].\n\n Two ways to use it:\n   new_tokens == NULL: the queries belong to the last n_query tokens appended. Query i stands at position\n     length - n_query + i and sees the keys up to itself. (If not causal, n_query may be more than the length.)\n   new_tokens != NULL: n_query new tokens that are not appended yet, with their keys and values. Query i sees all\n     cached tokens, exactly as they are stored now, and new tokens 0 .. i at the precision given. Append them after.\n     This is the choice for prefill and speculative decoding, and the more accurate one."]
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct tq_attend_item {
    #[doc = " sizeof(tq_attend_item), equal for all items of a call"]
    pub struct_size: u32,
    #[doc = " 0"]
    pub reserved: u32,
    pub sequence: tq_sequence,
    pub n_query: usize,
    pub query: *const ::core::ffi::c_void,
    #[doc = " [n_query][q_heads][value_dim]; a query that sees nothing gets zeros"]
    pub output: *mut ::core::ffi::c_void,
    #[doc = " [n_query][q_heads], natural logarithm, sink logits included (alone if the query sees no\ntoken; -infinity if there is none either); or NULL"]
    pub log_sum_exp: *mut f32,
    pub new_tokens: *const tq_kv,
    pub query_token_stride: usize,
    pub query_head_stride: usize,
    pub output_token_stride: usize,
    pub output_head_stride: usize,
}
unsafe extern "C" {
    pub fn tq_error_init(err: *mut tq_error, struct_size: u32);
    pub fn tq_version() -> u32;
    pub fn tq_version_string() -> *const ::core::ffi::c_char;
    pub fn tq_status_name(status: tq_status) -> *const ::core::ffi::c_char;
    #[doc = " The instruction set in use: \"baseline\" (SSE2), \"avx2\", \"avx512\", \"avx512_vnni\", \"avx512_amx\", \"neon\". Chosen once, at\n the first call into the library, as the best this CPU has and the system grants (Linux is asked for AMX's tile\n registers), capped by the environment variable TQ_CPU_TARGET (one of these names). An unknown name there makes every\n *_create fail with TQ_ERR_UNSUPPORTED. Static, never NULL."]
    pub fn tq_cpu_target() -> *const ::core::ffi::c_char;
    #[doc = " Orthonormal Walsh-Hadamard transform, in place, of `count` contiguous rows of `size` floats: x <- H x / sqrt(size).\n Its own inverse. `size` is a power of two from 1 to 1024. Same bits on every CPU. count == 0 succeeds."]
    pub fn tq_fwht(data: *mut f32, size: usize, count: usize, err: *mut tq_error) -> tq_status;
    #[doc = " Writes the defaults of this header's version; pass sizeof(tq_codec_options)."]
    pub fn tq_codec_options_init(options: *mut tq_codec_options, struct_size: u32);
    pub fn tq_codec_create(
        options: *const tq_codec_options,
        out: *mut *mut tq_codec,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_codec_destroy(codec: *mut tq_codec);
    #[doc = " Bytes of one record in TQ_LAYOUT_VECTORS (67 for head_dim 128 in TQ4); in TQ_LAYOUT_BLOCKS the same quantity rounded\n up over a whole block. 0 if codec is NULL."]
    pub fn tq_codec_vector_bytes(codec: *const tq_codec) -> usize;
    #[doc = " Bytes that `count` encoded vectors take in the codec's layout; 0 if codec is NULL or the product overflows."]
    pub fn tq_codec_encoded_bytes(codec: *const tq_codec, count: usize) -> usize;
    #[doc = " Encodes `count` vectors. Vector i starts at element i * stride of `vectors` (stride 0 = head_dim).\n `codes_size` >= tq_codec_encoded_bytes(codec, count); `codes` must not overlap `vectors`. NaN, infinity and values\n beyond TQ_MAX_MAGNITUDE are refused with their index and `codes` is left alone. f32 input is not rounded to 16 bit\n first (unless the format is one of 16 bit). Bit-exact on every CPU and for any thread count. count == 0 succeeds."]
    pub fn tq_encode(
        codec: *const tq_codec,
        vectors: *const ::core::ffi::c_void,
        dtype: tq_dtype,
        stride: usize,
        count: usize,
        codes: *mut ::core::ffi::c_void,
        codes_size: usize,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " Decodes vectors first .. first + count - 1 out of `codes`, which holds at least first + count of them.\n `vectors` gets rows of head_dim elements of `dtype`, `stride` apart (0 = head_dim); 16-bit types round to nearest even,\n and f16 saturates at +-65504."]
    pub fn tq_decode(
        codec: *const tq_codec,
        codes: *const ::core::ffi::c_void,
        codes_size: usize,
        first: usize,
        count: usize,
        vectors: *mut ::core::ffi::c_void,
        dtype: tq_dtype,
        stride: usize,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " x -> H S x / sqrt(n) of `count` contiguous rows of head_dim floats, in place, and its inverse. For callers who fold\n the rotation into their own weights or keep codes of rotated data."]
    pub fn tq_rotate(
        codec: *const tq_codec,
        rows: *mut f32,
        count: usize,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_unrotate(
        codec: *const tq_codec,
        rows: *mut f32,
        count: usize,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " All dot products of n_query queries with `count` encoded vectors: scores[q * count + i] = query_q . decoded_i.\n queries: n_query rows of head_dim floats. The query is rounded to 8 bits after rotation (TQ4) or to 15 (TQ8):\n docs/numerics.md has the error. `scores` holds n_query * count floats."]
    pub fn tq_scores(
        codec: *const tq_codec,
        codes: *const ::core::ffi::c_void,
        codes_size: usize,
        count: usize,
        queries: *const f32,
        n_query: usize,
        scores: *mut f32,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_layer_options_init(options: *mut tq_layer_options, struct_size: u32);
    pub fn tq_cache_options_init(options: *mut tq_cache_options, struct_size: u32);
    pub fn tq_cache_create(
        options: *const tq_cache_options,
        out: *mut *mut tq_cache,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " Destroys the cache and every sequence in it. Nobody may be using it."]
    pub fn tq_cache_destroy(cache: *mut tq_cache);
    pub fn tq_sequence_create(
        cache: *mut tq_cache,
        out: *mut tq_sequence,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " A new sequence with the same tokens. Coded blocks, sinks and tail are shared; whoever appends next copies the tail."]
    pub fn tq_sequence_fork(
        cache: *mut tq_cache,
        sequence: tq_sequence,
        out: *mut tq_sequence,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " Cuts every layer to at most `length` tokens; refused if no layer has that many. Cutting into a coded block decodes\n the rest of that block back into the 16-bit tail. Refused, too, where a sliding window has already released tokens\n that the next query would need."]
    pub fn tq_sequence_truncate(
        cache: *mut tq_cache,
        sequence: tq_sequence,
        length: usize,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_sequence_destroy(
        cache: *mut tq_cache,
        sequence: tq_sequence,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " Tokens appended to `layer` so far. Layers are appended one by one, so they differ within a forward pass."]
    pub fn tq_sequence_length(
        cache: *const tq_cache,
        sequence: tq_sequence,
        layer: u32,
        out: *mut usize,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_kv_init(kv: *mut tq_kv, struct_size: u32);
    #[doc = " Appends tokens to one layer of a sequence. Either all of them or, on any error, none. The result does not depend on\n how tokens are cut into calls. NaN, infinity and values out of range are refused with token, head and coordinate."]
    pub fn tq_cache_append(
        cache: *mut tq_cache,
        sequence: tq_sequence,
        layer: u32,
        kv: *const tq_kv,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_kv_out_init(kv: *mut tq_kv_out, struct_size: u32);
    #[doc = " Decodes tokens first .. first + count - 1 of one layer."]
    pub fn tq_cache_read(
        cache: *const tq_cache,
        sequence: tq_sequence,
        layer: u32,
        first: usize,
        count: usize,
        out: *const tq_kv_out,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_cache_statistics_init(stats: *mut tq_cache_statistics, struct_size: u32);
    #[doc = " May be called at any time from any thread; the numbers are those of one moment only if nobody writes meanwhile."]
    pub fn tq_cache_stats(
        cache: *const tq_cache,
        stats: *mut tq_cache_statistics,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " Reads a file, or `length` bytes of text, which need no NUL at their end. `fingerprint` is that of the model at hand;\n NULL: any will do. The message names file, field and value:\n   TQ_ERR_NOT_FOUND         there is no file at `path`\n   TQ_ERR_INVALID_ARGUMENT  the file cannot be read, or its fingerprint is another one\n   TQ_ERR_CORRUPT_DATA      it is no JSON, no profile, too long, or says what tq_cache_create would refuse\n   TQ_ERR_UNSUPPORTED       a version, a field or a format that this library does not know\n Since 0.1."]
    pub fn tq_profile_load(
        path: *const ::core::ffi::c_char,
        fingerprint: *const ::core::ffi::c_char,
        out: *mut *mut tq_profile,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_profile_parse(
        text: *const ::core::ffi::c_char,
        length: usize,
        fingerprint: *const ::core::ffi::c_char,
        out: *mut *mut tq_profile,
        err: *mut tq_error,
    ) -> tq_status;
    pub fn tq_profile_destroy(profile: *mut tq_profile);
    #[doc = " Of the model. UTF-8, never NULL (\"\" for a NULL profile), borrowed until the profile is destroyed."]
    pub fn tq_profile_name(profile: *const tq_profile) -> *const ::core::ffi::c_char;
    pub fn tq_profile_fingerprint(profile: *const tq_profile) -> *const ::core::ffi::c_char;
    pub fn tq_profile_layer_count(profile: *const tq_profile) -> u32;
    #[doc = " Copies the options of one layer; *out comes from tq_layer_options_init."]
    pub fn tq_profile_layer(
        profile: *const tq_profile,
        layer: u32,
        out: *mut tq_layer_options,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " Sets layer_count, layers and layers_given of *options, which come from tq_cache_options_init; the rest stays. The\n layers are borrowed until the profile is destroyed. tq_cache_create keeps none of them."]
    pub fn tq_profile_cache_options(
        profile: *const tq_profile,
        options: *mut tq_cache_options,
        err: *mut tq_error,
    ) -> tq_status;
    #[doc = " A pool of threads for tq_attend; `threads` counts the caller, so 1 starts none. 1..1024. One call at a time uses\n the workers; further calls at the same moment run on their callers alone."]
    pub fn tq_pool_create(threads: u32, out: *mut *mut tq_pool, err: *mut tq_error) -> tq_status;
    pub fn tq_pool_destroy(pool: *mut tq_pool);
    pub fn tq_attend_options_init(options: *mut tq_attend_options, struct_size: u32);
    pub fn tq_attend_item_init(item: *mut tq_attend_item, struct_size: u32);
    #[doc = " Attention of a batch: `count` items, one layer. Never changes the cache and takes no lock; outputs are written for\n all items or, on an error found while validating, for none; only if scratch memory runs out on the way\n (TQ_ERR_OUT_OF_MEMORY) are they incomplete. NaN or infinity in a query gives NaN in the output of that query and head;\n in new_tokens it is refused, as tq_cache_append would. Scratch memory comes from the cache's allocator."]
    pub fn tq_attend(
        cache: *const tq_cache,
        options: *const tq_attend_options,
        items: *const tq_attend_item,
        count: usize,
        err: *mut tq_error,
    ) -> tq_status;
}
