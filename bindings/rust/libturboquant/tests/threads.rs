//! What the types promise about threads, and what happens when threads of the caller's own misbehave.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use common::{assert_refused, filled, new_cache, noise};
use libturboquant::{
    AttendItem, AttendOptions, Cache, Codec, CodecOptions, Error, Kv, KvOut, LayerOptions, Pool, Rows, Sequence,
};

fn assert_send_sync<T: Send + Sync>() {}

#[test]
fn everything_is_send_and_sync() {
    assert_send_sync::<(Cache, Sequence, Codec, Pool, Error)>();
    assert_send_sync::<(Kv<'_>, KvOut<'_>, AttendItem<'_>, AttendOptions<'_>, Rows<'_, f32>)>();
}

#[test]
fn every_thread_writes_a_sequence_of_its_own() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (first, keys, values) = filled(&cache, 2, 64, 300);
    let expected = first.read::<f32>(0, ..).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut sequence = cache.create_sequence().unwrap();
                for (keys, values) in keys.chunks(10 * 128).zip(values.chunks(10 * 128)) {
                    sequence.append(0, Kv::new(10, keys, values)).unwrap();
                }
                let fork = sequence.fork().unwrap();
                drop(sequence);
                assert_eq!(fork.read::<f32>(0, ..).unwrap(), expected);
            });
        }
    });
    assert_eq!(cache.stats().unwrap().sequences, 1); // theirs are gone
}

#[test]
fn many_readers_beside_a_writer_of_another_sequence() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (shared, keys, values) = filled(&cache, 2, 64, 300);
    let pool = Pool::new(2).unwrap();
    let options = AttendOptions::new(0, 4).pool(&pool);
    let query = noise(4 * 64, 9);
    let attend = || {
        let mut output = vec![0.0f32; 4 * 64];
        shared.attend(&options, 1, &query, &mut output).unwrap();
        output
    };
    let expected = attend();
    let mut fork = shared.fork().unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(attend(), expected)));
        }
        scope.spawn(|| {
            for length in [280, 128, 70, 10, 0] {
                fork.truncate(length).unwrap();
                fork.append(0, Kv::new(300, &keys, &values)).unwrap();
            }
        });
        scope.spawn(|| (0..50).for_each(|_| assert!(cache.stats().unwrap().sequences == 2)));
    });
}

#[test]
fn a_codec_is_shared() {
    let codec = Codec::new(&CodecOptions::new(128)).unwrap();
    let vectors = noise(50 * 128, 1);
    let expected = codec.encode(&vectors).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(codec.encode(&vectors).unwrap(), expected));
        }
    });
}

#[test]
fn own_threads_that_forget_or_repeat_tasks() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (sequence, ..) = filled(&cache, 2, 64, 3000);
    let query = noise(4 * 64, 9);
    let mut output = vec![0.0f32; 4 * 64];
    let options = AttendOptions::new(0, 4);

    let forgets = |count: usize, task: &(dyn Fn(usize) + Sync)| (1..count).for_each(task);
    let result = sequence.attend(&options.parallel_for(&forgets), 1, &query, &mut output);
    assert_refused(result, &["parallel_for", "only"]);
    let repeats = |count: usize, task: &(dyn Fn(usize) + Sync)| (0..count).chain(0..count).for_each(task);
    let result = sequence.attend(&options.parallel_for(&repeats), 1, &query, &mut output);
    assert_refused(result, &["parallel_for", "twice"]);
    let beyond = |count: usize, task: &(dyn Fn(usize) + Sync)| (0..count).chain([count, 1 << 40]).for_each(task);
    let result = sequence.attend(&options.parallel_for(&beyond), 1, &query, &mut output);
    assert_refused(result, &["parallel_for", "not among"]);
}

#[test]
fn a_panic_in_own_threads_reaches_the_caller_and_harms_nothing() {
    let cache = new_cache(LayerOptions::new(2, 64));
    let (sequence, ..) = filled(&cache, 2, 64, 300);
    let query = noise(4 * 64, 9);
    let (mut expected, mut output) = (vec![0.0f32; 4 * 64], vec![0.0f32; 4 * 64]);
    let options = AttendOptions::new(0, 4);
    sequence.attend(&options, 1, &query, &mut expected).unwrap();

    let panics = |_: usize, _: &(dyn Fn(usize) + Sync)| panic!("on purpose");
    let attend = || sequence.attend(&options.parallel_for(&panics), 1, &query, &mut output);
    let panic = catch_unwind(AssertUnwindSafe(attend)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    sequence.attend(&options, 1, &query, &mut output).unwrap();
    assert_eq!(output, expected);
}
