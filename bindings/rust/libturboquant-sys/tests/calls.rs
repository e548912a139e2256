//! What only raw calls can do wrong: the status numbers come through as the header says.

use std::alloc::Layout;
use std::ffi::{CStr, c_void};
use std::ptr::null_mut;

use libturboquant_sys as sys;

const DEFAULT_ALLOCATOR: sys::tq_allocator = sys::tq_allocator { allocate: None, release: None, user: null_mut() };

fn new_error() -> sys::tq_error {
    let mut err = sys::tq_error { struct_size: 0, status: -1, message: [0; 248] };
    // SAFETY: writes the struct whose size is given.
    unsafe { sys::tq_error_init(&mut err, size_of::<sys::tq_error>() as u32) };
    err
}

fn message(err: &sys::tq_error) -> &str {
    // SAFETY: NUL-terminated by the library.
    unsafe { CStr::from_ptr(err.message.as_ptr()) }.to_str().unwrap()
}

/// A cache of one layer with one head of 64 numbers.
fn new_cache(allocator: sys::tq_allocator) -> *mut sys::tq_cache {
    let mut cache = null_mut();
    // SAFETY: plain structs, filled by their init functions.
    unsafe {
        let mut layer = std::mem::zeroed::<sys::tq_layer_options>();
        sys::tq_layer_options_init(&mut layer, size_of_val(&layer) as u32);
        (layer.kv_heads, layer.key_dim) = (1, 64);
        let mut options = std::mem::zeroed::<sys::tq_cache_options>();
        sys::tq_cache_options_init(&mut options, size_of_val(&options) as u32);
        (options.layer_count, options.layers, options.allocator) = (1, &layer, allocator);
        assert_eq!(sys::tq_cache_create(&options, &mut cache, null_mut()), sys::TQ_OK);
    }
    cache
}

#[test]
fn the_loaded_library_is_the_one_the_bindings_are_for() {
    // SAFETY: takes nothing.
    let loaded = unsafe { sys::tq_version() };
    assert_eq!(loaded / 100, sys::TQ_VERSION / 100);
}

#[test]
fn a_destroyed_sequence_is_not_found() {
    let cache = new_cache(DEFAULT_ALLOCATOR);
    let (mut sequence, mut length) = (0, 77);
    let mut err = new_error();
    // SAFETY: live cache; sequences are numbers.
    unsafe {
        assert_eq!(sys::tq_sequence_create(cache, &mut sequence, &mut err), sys::TQ_OK);
        assert_eq!(sys::tq_sequence_destroy(cache, sequence, &mut err), sys::TQ_OK);
        assert_eq!(sys::tq_sequence_length(cache, sequence, 0, &mut length, &mut err), sys::TQ_ERR_NOT_FOUND);
        sys::tq_cache_destroy(cache);
    }
    assert_eq!((err.status, length), (sys::TQ_ERR_NOT_FOUND, 77));
    assert!(message(&err).contains("does not exist"), "{}", message(&err));
}

/// Appends one token of zeros.
///
/// # Safety
/// A live cache.
unsafe fn append(cache: *mut sys::tq_cache, sequence: sys::tq_sequence) -> sys::tq_status {
    let zeros = [0.0f32; 64];
    // SAFETY: the caller's promise; one token of one head of 64 numbers.
    unsafe {
        let mut kv = std::mem::zeroed::<sys::tq_kv>();
        sys::tq_kv_init(&mut kv, size_of_val(&kv) as u32);
        (kv.dtype, kv.count, kv.keys, kv.values) = (sys::TQ_F32, 1, zeros.as_ptr().cast(), zeros.as_ptr().cast());
        sys::tq_cache_append(cache, sequence, 0, &kv, null_mut())
    }
}

/// What the allocator's callbacks need to write to a sequence that is being written.
struct Intruder {
    cache: *mut sys::tq_cache,
    sequence: sys::tq_sequence,
    status: sys::tq_status,
}

unsafe extern "C" fn allocate(user: *mut c_void, size: usize, alignment: usize) -> *mut c_void {
    // SAFETY: `user` is the test's Intruder; nobody else refers to it while C runs.
    unsafe {
        let intruder = &mut *user.cast::<Intruder>();
        if intruder.sequence != 0 {
            intruder.status = append(intruder.cache, intruder.sequence);
        }
        std::alloc::alloc(Layout::from_size_align(size, alignment.max(64)).unwrap()).cast()
    }
}

unsafe extern "C" fn release(_: *mut c_void, pointer: *mut c_void, size: usize) {
    // SAFETY: comes from `allocate` with the same size; alignment is at most 64 there.
    unsafe { std::alloc::dealloc(pointer.cast(), Layout::from_size_align(size, 64).unwrap()) }
}

/// The second writer comes in the middle of the first one's call: through the allocator.
#[test]
fn a_second_writer_is_refused() {
    let mut intruder = Intruder { cache: null_mut(), sequence: 0, status: sys::TQ_OK };
    let user = &raw mut intruder;
    let allocator = sys::tq_allocator { allocate: Some(allocate), release: Some(release), user: user.cast() };
    let cache = new_cache(allocator);
    // SAFETY: live cache; `user` points to the Intruder, which outlives it.
    unsafe {
        let mut sequence = 0;
        assert_eq!(sys::tq_sequence_create(cache, &mut sequence, null_mut()), sys::TQ_OK);
        ((*user).cache, (*user).sequence) = (cache, sequence);
        assert_eq!(append(cache, sequence), sys::TQ_OK);
        (*user).sequence = 0;
        assert_eq!((*user).status, sys::TQ_ERR_BUSY);
        let mut length = 0;
        assert_eq!(sys::tq_sequence_length(cache, sequence, 0, &mut length, null_mut()), sys::TQ_OK);
        assert_eq!(length, 1); // the first writer's token
        sys::tq_cache_destroy(cache);
    }
}

#[test]
fn unknown_status_numbers_have_a_name() {
    // SAFETY: any number is allowed.
    let name = |status| unsafe { CStr::from_ptr(sys::tq_status_name(status)) }.to_str().unwrap();
    assert_eq!(name(sys::TQ_ERR_BUSY), "TQ_ERR_BUSY");
    assert_eq!(name(12345), "unknown tq_status");
}

#[test]
fn a_format_of_the_future_is_unsupported() {
    let mut err = new_error();
    let mut codec = null_mut();
    // SAFETY: plain struct, filled by its init function.
    let status = unsafe {
        let mut options = std::mem::zeroed::<sys::tq_codec_options>();
        sys::tq_codec_options_init(&mut options, size_of_val(&options) as u32);
        (options.head_dim, options.format) = (64, 5);
        sys::tq_codec_create(&options, &mut codec, &mut err)
    };
    assert_eq!((status, codec), (sys::TQ_ERR_UNSUPPORTED, null_mut()));
    assert!(message(&err).contains("format is 5"), "{}", message(&err));
}
