//! C structs with the defaults of their init functions. Each function is asked once; after that a copy costs nothing that
//! shows beside the call the struct is for.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

use crate::{size_of_u32, sys};

/// A struct just initialised.
struct Defaults<T>(T);

// SAFETY: the structs below are numbers and pointers, and pointers are null after their init functions.
unsafe impl<T> Send for Defaults<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Defaults<T> {}

macro_rules! defaults {
    ($($name:ident: $struct:ident from $init:ident;)*) => { $(
        pub(crate) fn $name() -> sys::$struct {
            static DEFAULTS: OnceLock<Defaults<sys::$struct>> = OnceLock::new();
            let init = || {
                let mut value = MaybeUninit::<sys::$struct>::uninit();
                // SAFETY: the init function writes all bytes of the size it is told.
                Defaults(unsafe {
                    sys::$init(value.as_mut_ptr(), size_of_u32::<sys::$struct>());
                    value.assume_init()
                })
            };
            DEFAULTS.get_or_init(init).0
        }
    )* };
}

defaults! {
    attend_item: tq_attend_item from tq_attend_item_init;
    attend_options: tq_attend_options from tq_attend_options_init;
    cache_options: tq_cache_options from tq_cache_options_init;
    cache_statistics: tq_cache_statistics from tq_cache_statistics_init;
    codec_options: tq_codec_options from tq_codec_options_init;
    kv: tq_kv from tq_kv_init;
    kv_out: tq_kv_out from tq_kv_out_init;
    layer_options: tq_layer_options from tq_layer_options_init;
}
