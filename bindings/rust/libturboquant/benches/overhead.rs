//! What the safe crate costs: the same calls through it and straight to C, with the structs filled beforehand.
//!
//!     cargo bench --bench overhead
//!
//! The caches are tiny, so that the difference of a few nanoseconds is not lost in the work itself. Criterion measures one
//! side after the other; the last line of each group comes from short batches of both in turn, whose fastest tell the
//! difference even on a busy machine.

use std::ptr::null_mut;
use std::time::Instant;

use criterion::Criterion;
use libturboquant::{AttendItem, AttendOptions, Cache, CacheOptions, Kv, LayerOptions, Sequence};
use libturboquant_sys as sys;

const DIM: usize = 64;

/// A cache and a sequence straight from C.
struct Raw {
    cache: *mut sys::tq_cache,
    sequence: sys::tq_sequence,
}

fn init<T>(init: unsafe extern "C" fn(*mut T, u32)) -> T {
    // SAFETY: only with init functions of C structs, which consist of numbers and pointers.
    unsafe {
        let mut value = std::mem::zeroed();
        init(&mut value, size_of::<T>() as u32);
        value
    }
}

impl Raw {
    fn new() -> Self {
        let mut layer = init(sys::tq_layer_options_init);
        (layer.kv_heads, layer.key_dim) = (1, DIM as u32);
        let mut options = init(sys::tq_cache_options_init);
        (options.layer_count, options.layers) = (1, &layer);
        let mut raw = Raw { cache: null_mut(), sequence: 0 };
        // SAFETY: complete options; the layers outlive the call.
        unsafe {
            assert_eq!(sys::tq_cache_create(&options, &mut raw.cache, null_mut()), sys::TQ_OK);
            assert_eq!(sys::tq_sequence_create(raw.cache, &mut raw.sequence, null_mut()), sys::TQ_OK);
        }
        raw
    }

    fn append(&self, kv: &sys::tq_kv, err: &mut sys::tq_error) -> sys::tq_status {
        // SAFETY: live cache; `kv` points to as many numbers as it says.
        unsafe { sys::tq_cache_append(self.cache, self.sequence, 0, kv, err) }
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: nobody uses the cache any more.
        unsafe { sys::tq_cache_destroy(self.cache) }
    }
}

fn raw_kv(count: usize, numbers: &[f32]) -> sys::tq_kv {
    assert_eq!(numbers.len(), count * DIM);
    let mut kv = init(sys::tq_kv_init);
    (kv.dtype, kv.count) = (sys::TQ_F32, count);
    (kv.keys, kv.values) = (numbers.as_ptr().cast(), numbers.as_ptr().cast());
    kv
}

fn safe() -> (Cache, Sequence) {
    let cache = Cache::new(&CacheOptions::uniform(1, LayerOptions::new(1, DIM as u32))).unwrap();
    let sequence = cache.create_sequence().unwrap();
    (cache, sequence)
}

/// Nanoseconds per call of the fastest of many short batches, C and Rust in turn.
fn print_difference(name: &str, mut c: impl FnMut(), mut rust: impl FnMut()) {
    const CALLS: u32 = 50;
    let mut fastest = [f64::INFINITY; 2];
    for _ in 0..4000 {
        let sides: [&mut dyn FnMut(); 2] = [&mut c, &mut rust];
        for (call, fastest) in sides.into_iter().zip(&mut fastest) {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            *fastest = fastest.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
        }
    }
    let [c, rust] = fastest;
    println!("{name}: C {c:.0} ns, Rust {rust:.0} ns, difference {:.0} ns\n", rust - c);
}

fn attend(c: &mut Criterion) {
    let numbers: Vec<f32> = (0..4 * DIM).map(|i| (i % 19) as f32 - 9.0).collect();
    let (query, mut output, mut raw_output) = (&numbers[..DIM], [0.0f32; DIM], [0.0f32; DIM]);
    let mut group = c.benchmark_group("attend");

    let raw = Raw::new();
    let mut err = init(sys::tq_error_init);
    assert_eq!(raw.append(&raw_kv(4, &numbers), &mut err), sys::TQ_OK);
    let mut options = init(sys::tq_attend_options_init);
    options.q_heads = 1;
    let mut item = init(sys::tq_attend_item_init);
    (item.sequence, item.n_query) = (raw.sequence, 1);
    (item.query, item.output) = (query.as_ptr().cast(), raw_output.as_mut_ptr().cast());
    // SAFETY: live cache; query and output have the lengths that the item says.
    let mut in_c = || assert_eq!(unsafe { sys::tq_attend(raw.cache, &options, &item, 1, &mut err) }, sys::TQ_OK);

    let (cache, mut sequence) = safe();
    sequence.append(0, Kv::new(4, &numbers, &numbers)).unwrap();
    let mut in_rust = || {
        let item = AttendItem::new(&sequence, 1, query, &mut output);
        cache.attend(&AttendOptions::new(0, 1), &mut [item]).unwrap()
    };

    group.bench_function("c", |b| b.iter(&mut in_c));
    group.bench_function("rust", |b| b.iter(&mut in_rust));
    print_difference("attend", in_c, in_rust);
}

/// Each round appends 64 tokens and cuts them off again.
fn append(c: &mut Criterion) {
    let numbers: Vec<f32> = (0..64 * DIM).map(|i| (i % 19) as f32 - 9.0).collect();
    let mut group = c.benchmark_group("append_64");

    let raw = Raw::new();
    let mut err = init(sys::tq_error_init);
    let kv = raw_kv(64, &numbers);
    let mut in_c = || {
        assert_eq!(raw.append(&kv, &mut err), sys::TQ_OK);
        // SAFETY: live cache.
        let status = unsafe { sys::tq_sequence_truncate(raw.cache, raw.sequence, 0, &mut err) };
        assert_eq!(status, sys::TQ_OK);
    };

    let (_cache, mut sequence) = safe();
    let mut in_rust = || {
        sequence.append(0, Kv::new(64, &numbers, &numbers)).unwrap();
        sequence.truncate(0).unwrap();
    };

    group.bench_function("c", |b| b.iter(&mut in_c));
    group.bench_function("rust", |b| b.iter(&mut in_rust));
    print_difference("append_64", in_c, in_rust);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    attend(&mut criterion);
    append(&mut criterion);
    criterion.final_summary();
}
