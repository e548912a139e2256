//! What only raw calls can do wrong: the status numbers come through as the header says.

use std::ffi::CStr;
use std::ptr::null_mut;

use libturboquant_sys as sys;

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
fn new_cache() -> *mut sys::tq_cache {
    let mut cache = null_mut();
    // SAFETY: plain structs, filled by their init functions.
    unsafe {
        let mut layer = std::mem::zeroed::<sys::tq_layer_options>();
        sys::tq_layer_options_init(&mut layer, size_of_val(&layer) as u32);
        (layer.kv_heads, layer.key_dim) = (1, 64);
        let mut options = std::mem::zeroed::<sys::tq_cache_options>();
        sys::tq_cache_options_init(&mut options, size_of_val(&options) as u32);
        (options.layer_count, options.layers) = (1, &layer);
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
    let cache = new_cache();
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
