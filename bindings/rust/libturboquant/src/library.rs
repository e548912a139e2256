use std::ffi::CStr;

use crate::{Error, Result, sys};

/// Version of the loaded library: major * 10000 + minor * 100 + patch.
pub fn version() -> u32 {
    // SAFETY: takes nothing and only returns a number.
    unsafe { sys::tq_version() }
}

/// Version of the loaded library as text, "0.1.0".
pub fn version_string() -> &'static str {
    // SAFETY: a static string.
    text(unsafe { sys::tq_version_string() })
}

/// The instruction set in use: "baseline" (SSE2), "avx2", "avx512", "avx512_vnni", "avx512_amx" or "neon".
///
/// Chosen once, at the first call into the library, as the best this CPU has, capped by the environment variable
/// `TQ_CPU_TARGET`. An unknown name there makes [`Cache::new`](crate::Cache::new), [`Codec::new`](crate::Codec::new) and
/// [`Pool::new`](crate::Pool::new) fail.
pub fn cpu_target() -> &'static str {
    // SAFETY: a static string.
    text(unsafe { sys::tq_cpu_target() })
}

/// The C name of a status, "TQ_ERR_BUSY"; "unknown tq_status" for numbers the loaded library does not know.
pub fn status_name(status: i32) -> &'static str {
    // SAFETY: a static string for every number.
    text(unsafe { sys::tq_status_name(status) })
}

/// Orthonormal Walsh-Hadamard transform, in place, of rows of `size` numbers: x <- H x / sqrt(size). Its own inverse.
/// `size` is a power of two from 1 to 1024 and divides `data.len()`. Same bits on every CPU.
///
/// ```
/// let mut data = [1.0, 0.0, 0.0, 0.0];
/// libturboquant::fwht(&mut data, 4)?;
/// assert_eq!(data, [0.5; 4]);
/// # Ok::<(), libturboquant::Error>(())
/// ```
pub fn fwht(data: &mut [f32], size: usize) -> Result<()> {
    let count = if size == 0 { 0 } else { crate::shape::whole_rows(data.len(), size, "data")? };
    // SAFETY: `data` holds `count` rows of `size`.
    crate::error::check(|err| unsafe { sys::tq_fwht(data.as_mut_ptr(), size, count, err) })
}

/// While the major version is 0, another minor version may have another ABI (docs/abi.md).
pub(crate) fn require_compatible() -> Result<()> {
    let loaded = version();
    if is_compatible(loaded) {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "the loaded libturboquant is {}, which is not compatible with {}.{}.x, which this program was built for",
        version_string(),
        sys::TQ_VERSION / 10000,
        sys::TQ_VERSION / 100 % 100
    )))
}

fn is_compatible(loaded: u32) -> bool {
    let series = |version: u32| if version < 10000 { version / 100 } else { version / 10000 * 100 };
    series(loaded) == series(sys::TQ_VERSION)
}

fn text(pointer: *const std::ffi::c_char) -> &'static str {
    // SAFETY: the header promises NUL-terminated static strings, never NULL.
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patch_versions_are_compatible_and_minor_versions_are_not() {
        assert!(is_compatible(sys::TQ_VERSION));
        assert!(is_compatible(sys::TQ_VERSION / 100 * 100 + 99));
        assert!(!is_compatible(sys::TQ_VERSION + 100));
        assert!(!is_compatible(sys::TQ_VERSION + 10000));
    }
}
