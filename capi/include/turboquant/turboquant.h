/* turboquant.h: the C ABI of libturboquant, and its manual. Plain C99; every binding is built on this file alone.
 *
 * libturboquant keeps the KV cache of a language model in about a quarter of its 16-bit size and computes attention
 * directly on the compressed cache. The bytes are described in docs/format.md, the mathematics in docs/numerics.md.
 *
 * In five calls
 *     tq_cache_create    one cache per model: head sizes, formats, byte budget
 *     tq_sequence_create one sequence per conversation
 *     tq_cache_append    per layer: the keys (after RoPE) and values of new tokens
 *     tq_attend          per layer: softmax(q K^T) V for one or many sequences
 *     tq_cache_stats     how many bytes it really takes
 *
 * Errors     Fallible calls return a tq_status. Out-parameters are written only on TQ_OK, unless a function says
 *            otherwise. `err` may be NULL; it is caller-owned memory, so it is safe from any thread or goroutine. The
 *            message names the argument and the value that was refused. A failed call changes nothing.
 * Ownership  *_create (and tq_profile_load, _parse) gives the caller a handle and *_destroy takes it back (NULL is a
 *            no-op). A sequence is a number, not a pointer: using it after its destruction is an error, not undefined
 *            behaviour. Every other pointer is borrowed until the call returns, unless a function says otherwise.
 * Threads    Codecs, pools and profiles may be used by many threads at once. In a cache, calls on different sequences
 *            may run at the same time, appending and attending. One sequence has one writer (append, truncate,
 *            destroy) at a time; any number of threads may attend to, read or fork a sequence that nobody is writing.
 *            Two writers on one sequence are detected and refused with TQ_ERR_BUSY. The library starts no thread but
 *            those of tq_pool.
 * Stack      No call needs more than 64 KB of it.
 * Options    Structs start with struct_size, which their init function sets together with the defaults. The library
 *            reads min(struct_size, its own size) bytes; a size below that of version 0.1 is TQ_ERR_INVALID_ARGUMENT,
 *            non-zero bytes past what this build knows are TQ_ERR_UNSUPPORTED.
 * Stability  Within one SOVERSION names, values and offsets never change; structs grow only at the end.
 *
 * Numbers    Bits are equal on every CPU for encoding and decoding, provided the program has not switched the CPU to
 *            flush denormal numbers to zero or to another rounding mode.
 *
 * Shapes are row-major, sizes count elements unless a name says bytes, strides count elements of the stated dtype. */
#ifndef TURBOQUANT_TURBOQUANT_H
#define TURBOQUANT_TURBOQUANT_H

#include <stddef.h>
#include <stdint.h>

#if defined(TQ_STATIC)
#define TQ_API
#elif defined(_WIN32)
#if defined(TQ_BUILDING)
#define TQ_API __declspec(dllexport)
#else
#define TQ_API __declspec(dllimport)
#endif
#else
#define TQ_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Library ---------------------------------------------------------------------------------------------------- */

#define TQ_VERSION 100u /* of this header: major * 10000 + minor * 100 + patch */

typedef int32_t tq_status; /* fixed width on the ABI; the enum below only names the values */
enum {
  TQ_OK = 0,
  TQ_ERR_INVALID_ARGUMENT = 1, /* the message names the argument and its value */
  TQ_ERR_OUT_OF_MEMORY = 2,    /* the allocator or the byte budget refused; the cache is as it was */
  TQ_ERR_BUFFER_TOO_SMALL = 3, /* the message says how many bytes are needed */
  TQ_ERR_CORRUPT_DATA = 4,     /* the content of a file is damaged or impossible; the message says where */
  TQ_ERR_UNSUPPORTED = 5,      /* a newer format, an option or a CPU target this build does not know */
  TQ_ERR_INTERNAL = 6,         /* a bug in libturboquant; please report the message */
  TQ_ERR_NOT_FOUND = 7,        /* a sequence that does not exist, or no longer; a file that does not exist */
  TQ_ERR_BUSY = 8              /* another thread is writing the same sequence */
};

typedef struct tq_error {
  uint32_t struct_size; /* in: sizeof(tq_error), see tq_error_init; anything smaller is left alone */
  tq_status status;     /* out */
  char message[248];    /* out: NUL-terminated, for people; never parse it */
} tq_error;

TQ_API void tq_error_init(tq_error* err, uint32_t struct_size);

TQ_API uint32_t tq_version(void);           /* of the loaded library; compare with TQ_VERSION */
TQ_API const char* tq_version_string(void); /* "0.1.0"; static */
TQ_API const char* tq_status_name(
    tq_status status); /* "TQ_OK", ..; "unknown tq_status" for other numbers; static, never NULL */

/* The instruction set in use: "baseline" (SSE2), "avx2", "avx512", "avx512_vnni", "avx512_amx", "neon". Chosen once, at
 * the first call into the library, as the best this CPU has and the system grants (Linux is asked for AMX's tile
 * registers), capped by the environment variable TQ_CPU_TARGET (one of these names). An unknown name there makes every
 * *_create fail with TQ_ERR_UNSUPPORTED. Static, never NULL. */
TQ_API const char* tq_cpu_target(void);

/* Element types of buffers. Fixed values. */
typedef uint32_t tq_dtype;
enum { TQ_DTYPE_AUTO = 0, TQ_F32 = 1, TQ_F16 = 2, TQ_BF16 = 3 };

/* How keys or values are stored (docs/format.md). Fixed values; 5 and 6 are reserved. */
typedef uint32_t tq_format;
enum {
  TQ_FORMAT_TQ4 = 1, /* rotation + 4-bit codes, one 8-bit scale per group */
  TQ_FORMAT_TQ8 = 2, /* rotation + 8-bit codes */
  TQ_FORMAT_F16 = 3, /* exact for f16 input */
  TQ_FORMAT_BF16 = 4 /* exact for bf16 input */
};

/* Largest absolute value accepted for coding, 2^60. A cache that keeps exact tokens in f16 also refuses values beyond
 * 65504. */
#define TQ_MAX_MAGNITUDE 1152921504606846976.0f
#define TQ_MAX_HEAD_DIM 1024u
#define TQ_BLOCK_TOKENS 64u

/* Allocator callbacks. Both NULL: aligned malloc and free. `allocate` returns `size` bytes aligned to `alignment` (a
 * power of two, at most 64) or NULL; `release` gets the same size back. Called from whichever thread calls the
 * library; must be safe for as many threads as the caller uses. */
typedef struct tq_allocator {
  void* (*allocate)(void* user, size_t size, size_t alignment);
  void (*release)(void* user, void* pointer, size_t size);
  void* user;
} tq_allocator;

/* ---- Transform -------------------------------------------------------------------------------------------------- */

/* Orthonormal Walsh-Hadamard transform, in place, of `count` contiguous rows of `size` floats: x <- H x / sqrt(size).
 * Its own inverse. `size` is a power of two from 1 to 1024. Same bits on every CPU. count == 0 succeeds. */
TQ_API tq_status tq_fwht(float* data, size_t size, size_t count, tq_error* err);

/* ---- Codec: vectors to bytes and back --------------------------------------------------------------------------- */

/* How encoded vectors lie in memory. */
enum {
  TQ_LAYOUT_VECTORS = 0, /* one record of tq_codec_vector_bytes after another: random access */
  TQ_LAYOUT_BLOCKS = 1   /* blocks of 64 interleaved vectors, the layout of the cache: the fastest for tq_scores */
};

typedef struct tq_codec_options {
  uint32_t struct_size;
  uint32_t head_dim;       /* required: values per vector, 1..1024 */
  tq_format format;        /* default TQ_FORMAT_TQ4 */
  uint32_t group_size;     /* values per scale: 64 (default) or 32 */
  uint32_t rotation_block; /* a power of two that divides head_dim; 1 = signs only; 0 (default) = the largest */
  uint32_t scale_search;   /* 1 (default): best of seven scales by squared error; 0: scale from the norm alone */
  uint32_t layout;         /* TQ_LAYOUT_VECTORS (default) or TQ_LAYOUT_BLOCKS */
  uint32_t reserved;       /* 0 */
  uint64_t seed;           /* of the random signs; equal options and seed give equal bytes on every CPU */
  tq_allocator allocator;  /* for the codec itself and for scratch memory of its calls */
} tq_codec_options;        /* since 0.1 */

typedef struct tq_codec tq_codec; /* immutable once created */

/* Writes the defaults of this header's version; pass sizeof(tq_codec_options). */
TQ_API void tq_codec_options_init(tq_codec_options* options, uint32_t struct_size);
TQ_API tq_status tq_codec_create(const tq_codec_options* options, tq_codec** out, tq_error* err);
TQ_API void tq_codec_destroy(tq_codec* codec);

/* Bytes of one record in TQ_LAYOUT_VECTORS (67 for head_dim 128 in TQ4); in TQ_LAYOUT_BLOCKS the same quantity rounded
 * up over a whole block. 0 if codec is NULL. */
TQ_API size_t tq_codec_vector_bytes(const tq_codec* codec);

/* Bytes that `count` encoded vectors take in the codec's layout; 0 if codec is NULL or the product overflows. */
TQ_API size_t tq_codec_encoded_bytes(const tq_codec* codec, size_t count);

/* Encodes `count` vectors. Vector i starts at element i * stride of `vectors` (stride 0 = head_dim).
 * `codes_size` >= tq_codec_encoded_bytes(codec, count); `codes` must not overlap `vectors`. NaN, infinity and values
 * beyond TQ_MAX_MAGNITUDE are refused with their index and `codes` is left alone. f32 input is not rounded to 16 bit
 * first (unless the format is one of 16 bit). Bit-exact on every CPU and for any thread count. count == 0 succeeds. */
TQ_API tq_status tq_encode(const tq_codec* codec, const void* vectors, tq_dtype dtype, size_t stride, size_t count,
                           void* codes, size_t codes_size, tq_error* err);

/* Decodes vectors first .. first + count - 1 out of `codes`, which holds at least first + count of them.
 * `vectors` gets rows of head_dim elements of `dtype`, `stride` apart (0 = head_dim); 16-bit types round to nearest even,
 * and f16 saturates at +-65504. */
TQ_API tq_status tq_decode(const tq_codec* codec, const void* codes, size_t codes_size, size_t first, size_t count,
                           void* vectors, tq_dtype dtype, size_t stride, tq_error* err);

/* x -> H S x / sqrt(n) of `count` contiguous rows of head_dim floats, in place, and its inverse. For callers who fold
 * the rotation into their own weights or keep codes of rotated data. */
TQ_API tq_status tq_rotate(const tq_codec* codec, float* rows, size_t count, tq_error* err);
TQ_API tq_status tq_unrotate(const tq_codec* codec, float* rows, size_t count, tq_error* err);

/* All dot products of n_query queries with `count` encoded vectors: scores[q * count + i] = query_q . decoded_i.
 * queries: n_query rows of head_dim floats. The query is rounded to 8 bits after rotation (TQ4) or to 15 (TQ8):
 * docs/numerics.md has the error. `scores` holds n_query * count floats. */
TQ_API tq_status tq_scores(const tq_codec* codec, const void* codes, size_t codes_size, size_t count,
                           const float* queries, size_t n_query, float* scores, tq_error* err);

/* ---- Cache ------------------------------------------------------------------------------------------------------ */

/* One layer of the model. Every layer may differ. */
typedef struct tq_layer_options {
  uint32_t struct_size;
  uint32_t kv_heads;             /* required, 1..65536 */
  uint32_t key_dim;              /* required, 1..1024 */
  uint32_t value_dim;            /* 0 (default) = key_dim */
  tq_format key_format;          /* default TQ_FORMAT_TQ4 */
  tq_format value_format;        /* default TQ_FORMAT_TQ4 */
  uint32_t key_group_size;       /* 64 (default) or 32 */
  uint32_t value_group_size;     /* 64 (default) or 32 */
  uint32_t key_rotation_block;   /* as in tq_codec_options; 0 (default) = the largest */
  uint32_t value_rotation_block; /* the same */
  uint32_t center_keys;          /* 1 (default): code keys relative to the mean key of their block */
  uint32_t scale_search;         /* 1 (default) */
  uint32_t sink_tokens;          /* first tokens of a sequence, kept in 16 bit; default 4, 0..64 */
  uint32_t recent_blocks;        /* complete blocks kept in 16 bit before they are coded; default 0, at most 1024 */
  tq_dtype exact_dtype;          /* 16-bit type of sinks and tail: TQ_DTYPE_AUTO (default) = that of a sequence's first
                                    append (f16 for f32 input; an empty sequence forgets it), TQ_F16 or TQ_BF16. A side
                                    in TQ_FORMAT_F16 takes no value beyond 65504 either way */
  uint32_t window;               /* sliding window: a query at p sees keys p - window + 1 .. p; 0 (default) = all */
  uint64_t seed;                 /* of the random signs */
} tq_layer_options;              /* since 0.1 */

TQ_API void tq_layer_options_init(tq_layer_options* options, uint32_t struct_size);

typedef struct tq_cache_options {
  uint32_t struct_size;
  uint32_t layer_count;           /* required, 1..65536 */
  const tq_layer_options* layers; /* required: layer_count of them, each layers[0].struct_size bytes .. */
  uint32_t layers_given;          /* .. or 1 (default 0 = layer_count): one description for every layer */
  uint32_t reserved;              /* 0 */
  uint64_t byte_budget;           /* most bytes of blocks, tails and tables; 0 (default) = no limit */
  tq_allocator allocator;
} tq_cache_options; /* since 0.1 */

TQ_API void tq_cache_options_init(tq_cache_options* options, uint32_t struct_size);

typedef struct tq_cache tq_cache;
typedef uint64_t tq_sequence; /* 0 is never a sequence */

TQ_API tq_status tq_cache_create(const tq_cache_options* options, tq_cache** out, tq_error* err);

/* Destroys the cache and every sequence in it. Nobody may be using it. */
TQ_API void tq_cache_destroy(tq_cache* cache);

TQ_API tq_status tq_sequence_create(tq_cache* cache, tq_sequence* out, tq_error* err);

/* A new sequence with the same tokens. Coded blocks, sinks and tail are shared; whoever appends next copies the tail. */
TQ_API tq_status tq_sequence_fork(tq_cache* cache, tq_sequence sequence, tq_sequence* out, tq_error* err);

/* Cuts every layer to at most `length` tokens; refused if no layer has that many. Cutting into a coded block decodes
 * the rest of that block back into the 16-bit tail. Refused, too, where a sliding window has already released tokens
 * that the next query would need. */
TQ_API tq_status tq_sequence_truncate(tq_cache* cache, tq_sequence sequence, size_t length, tq_error* err);

TQ_API tq_status tq_sequence_destroy(tq_cache* cache, tq_sequence sequence, tq_error* err);

/* Tokens appended to `layer` so far. Layers are appended one by one, so they differ within a forward pass. */
TQ_API tq_status tq_sequence_length(const tq_cache* cache, tq_sequence sequence, uint32_t layer, size_t* out,
                                    tq_error* err);

/* Keys and values of `count` tokens. Element (token t, kv head h, coordinate c) of the keys is at
 * keys[t * key_token_stride + h * key_head_stride + c]; a stride of 0 means contiguous [token][kv_head][dim], and both
 * strides of one tensor must be given or both be 0. */
typedef struct tq_kv {
  uint32_t struct_size; /* sizeof(tq_kv) */
  tq_dtype dtype;       /* TQ_F32, TQ_F16 or TQ_BF16 */
  size_t count;
  const void* keys; /* after RoPE */
  const void* values;
  size_t key_token_stride, key_head_stride;
  size_t value_token_stride, value_head_stride;
} tq_kv; /* since 0.1 */

TQ_API void tq_kv_init(tq_kv* kv, uint32_t struct_size);

/* Appends tokens to one layer of a sequence. Either all of them or, on any error, none. The result does not depend on
 * how tokens are cut into calls. NaN, infinity and values out of range are refused with token, head and coordinate. */
TQ_API tq_status tq_cache_append(tq_cache* cache, tq_sequence sequence, uint32_t layer, const tq_kv* kv, tq_error* err);

/* Where tq_cache_read writes; the strides mean what they mean in tq_kv. keys or values may be NULL (not wanted). */
typedef struct tq_kv_out {
  uint32_t struct_size; /* sizeof(tq_kv_out) */
  tq_dtype dtype;
  void* keys;
  void* values;
  size_t key_token_stride, key_head_stride;
  size_t value_token_stride, value_head_stride;
} tq_kv_out; /* since 0.1 */

TQ_API void tq_kv_out_init(tq_kv_out* kv, uint32_t struct_size);

/* Decodes tokens first .. first + count - 1 of one layer. */
TQ_API tq_status tq_cache_read(const tq_cache* cache, tq_sequence sequence, uint32_t layer, size_t first, size_t count,
                               const tq_kv_out* out, tq_error* err);

/* What the cache holds and what it costs. Blocks shared by forks count once. */
typedef struct tq_cache_statistics {
  uint32_t struct_size;  /* in */
  uint32_t sequences;    /* alive */
  uint64_t tokens;       /* token entries held, summed over layers; shared ones once */
  uint64_t coded_tokens; /* of these, in coded blocks (or in complete blocks of a 16-bit format) */
  uint64_t bytes;        /* all bytes allocated for blocks, sinks, tails and tables */
  uint64_t peak_bytes;
  uint64_t budget_bytes; /* 0 = no limit */
  uint64_t code_bytes;   /* the parts of `bytes` .. */
  uint64_t scale_bytes;
  uint64_t mean_bytes;
  uint64_t exact_bytes;       /* sinks, tails and recent blocks, tokens in use */
  uint64_t overhead_bytes;    /* block headers, padding, unused tail space, tables */
  uint64_t coded_bytes;       /* complete blocks as a whole, header and padding included */
  uint64_t bytes_16bit;       /* what `tokens` would take in 16 bit, without any overhead */
  uint64_t coded_bytes_16bit; /* what `coded_tokens` would take */
  double ratio;               /* bytes_16bit / bytes: the whole cache. 0 if empty */
  double ratio_coded;         /* coded_bytes_16bit / coded_bytes: complete blocks only. 0 if there are none */
  /* Successful calls since tq_cache_create, summed over threads and sequences; times are wall-clock nanoseconds. */
  uint64_t append_calls;
  uint64_t append_ns;    /* in tq_cache_append: checking, copying, and encoding complete blocks */
  uint64_t append_bytes; /* of keys and values given to it */
  uint64_t attend_calls;
  uint64_t attend_ns;    /* in tq_attend, merging included */
  uint64_t attend_bytes; /* of the cache that it had to read: coded blocks and exact tokens, once per query tile */
  uint64_t merge_ns;     /* of attend_ns: putting ranges of long contexts together */
} tq_cache_statistics;   /* since 0.1 */

TQ_API void tq_cache_statistics_init(tq_cache_statistics* stats, uint32_t struct_size);

/* May be called at any time from any thread; the numbers are those of one moment only if nobody writes meanwhile. */
TQ_API tq_status tq_cache_stats(const tq_cache* cache, tq_cache_statistics* stats, tq_error* err);

/* ---- Profiles --------------------------------------------------------------------------------------------------- */

/* The options of every layer as they were chosen for one model, in a JSON file (docs/profile.md). A file has at most
 * TQ_MAX_PROFILE_BYTES bytes. Nothing of it is believed: a profile that was loaded makes a cache. */
#define TQ_MAX_PROFILE_BYTES 1048576u

typedef struct tq_profile tq_profile; /* immutable */

/* Reads a file, or `length` bytes of text, which need no NUL at their end. `fingerprint` is that of the model at hand;
 * NULL: any will do. The message names file, field and value:
 *   TQ_ERR_NOT_FOUND         there is no file at `path`
 *   TQ_ERR_INVALID_ARGUMENT  the file cannot be read, or its fingerprint is another one
 *   TQ_ERR_CORRUPT_DATA      it is no JSON, no profile, too long, or says what tq_cache_create would refuse
 *   TQ_ERR_UNSUPPORTED       a version, a field or a format that this library does not know
 * Since 0.1. */
TQ_API tq_status tq_profile_load(const char* path, const char* fingerprint, tq_profile** out, tq_error* err);
TQ_API tq_status tq_profile_parse(const char* text, size_t length, const char* fingerprint, tq_profile** out,
                                  tq_error* err);
TQ_API void tq_profile_destroy(tq_profile* profile);

/* Of the model. UTF-8, never NULL ("" for a NULL profile), borrowed until the profile is destroyed. */
TQ_API const char* tq_profile_name(const tq_profile* profile);
TQ_API const char* tq_profile_fingerprint(const tq_profile* profile);

TQ_API uint32_t tq_profile_layer_count(const tq_profile* profile); /* 1..65536; 0 if profile is NULL */

/* Copies the options of one layer; *out comes from tq_layer_options_init. */
TQ_API tq_status tq_profile_layer(const tq_profile* profile, uint32_t layer, tq_layer_options* out, tq_error* err);

/* Sets layer_count, layers and layers_given of *options, which come from tq_cache_options_init; the rest stays. The
 * layers are borrowed until the profile is destroyed. tq_cache_create keeps none of them. */
TQ_API tq_status tq_profile_cache_options(const tq_profile* profile, tq_cache_options* options, tq_error* err);

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

typedef struct tq_pool tq_pool;

/* A pool of threads for tq_attend; `threads` counts the caller, so 1 starts none. 1..1024. One call at a time uses
 * the workers; further calls at the same moment run on their callers alone. */
TQ_API tq_status tq_pool_create(uint32_t threads, tq_pool** out, tq_error* err);
TQ_API void tq_pool_destroy(tq_pool* pool);

/* The caller's own threads: must call task(context, i) once for each i < count, in any order and on any thread, and
 * return when all are done. task never throws. */
typedef void (*tq_parallel_for)(void* user, size_t count, void (*task)(void* context, size_t index), void* context);

/* ---- Attention -------------------------------------------------------------------------------------------------- */

typedef struct tq_attend_options {
  uint32_t struct_size;
  uint32_t layer;
  uint32_t q_heads;         /* required: a multiple of kv_heads; query head h reads kv head h / (q_heads / kv_heads) */
  tq_dtype query_dtype;     /* default TQ_F32 */
  tq_dtype output_dtype;    /* default TQ_F32 */
  uint32_t causal;          /* 1 (default); 0: a query also sees the tokens after it */
  float scale;              /* of q . k; 0 (default) = 1 / sqrt(key_dim) */
  float softcap;            /* c > 0: logits become c tanh(logit / c); 0 (default) = off */
  const float* sink_logits; /* per query head an extra logit that joins the softmax and has no value; NULL = none */
  tq_pool* pool;            /* NULL = only the calling thread .. */
  tq_parallel_for parallel_for; /* .. or this; not both */
  void* parallel_user;
} tq_attend_options; /* since 0.1 */

TQ_API void tq_attend_options_init(tq_attend_options* options, uint32_t struct_size);

/* One sequence's part of a tq_attend call. Element (query i, query head h, coordinate c) is at
 * query[i * query_token_stride + h * query_head_stride + c]; strides of 0 mean contiguous [query][q_head][dim].
 *
 * Two ways to use it:
 *   new_tokens == NULL: the queries belong to the last n_query tokens appended. Query i stands at position
 *     length - n_query + i and sees the keys up to itself. (If not causal, n_query may be more than the length.)
 *   new_tokens != NULL: n_query new tokens that are not appended yet, with their keys and values. Query i sees all
 *     cached tokens, exactly as they are stored now, and new tokens 0 .. i at the precision given. Append them after.
 *     This is the choice for prefill and speculative decoding, and the more accurate one. */
typedef struct tq_attend_item {
  uint32_t struct_size; /* sizeof(tq_attend_item), equal for all items of a call */
  uint32_t reserved;    /* 0 */
  tq_sequence sequence;
  size_t n_query;
  const void* query;
  void* output;       /* [n_query][q_heads][value_dim]; a query that sees nothing gets zeros */
  float* log_sum_exp; /* [n_query][q_heads], natural logarithm, sink logits included (alone if the query sees no
                            token; -infinity if there is none either); or NULL */
  const tq_kv* new_tokens;
  size_t query_token_stride, query_head_stride;
  size_t output_token_stride, output_head_stride;
} tq_attend_item; /* since 0.1 */

TQ_API void tq_attend_item_init(tq_attend_item* item, uint32_t struct_size);

/* Attention of a batch: `count` items, one layer. Never changes the cache and takes no lock; outputs are written for
 * all items or, on an error found while validating, for none; only if scratch memory runs out on the way
 * (TQ_ERR_OUT_OF_MEMORY) are they incomplete. NaN or infinity in a query gives NaN in the output of that query and head;
 * in new_tokens it is refused, as tq_cache_append would. Scratch memory comes from the cache's allocator. */
TQ_API tq_status tq_attend(const tq_cache* cache, const tq_attend_options* options, const tq_attend_item* items,
                           size_t count, tq_error* err);

#ifdef __cplusplus
}
#endif
#endif /* TURBOQUANT_TURBOQUANT_H */
