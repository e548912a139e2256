use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::ptr::NonNull;

use crate::error::{check, invalid};
use crate::library::require_compatible;
use crate::{CacheOptions, LayerOptions, Result, defaults, sys};

/// The options of every layer as they were chosen for one model, from a JSON file (docs/profile.md).
///
/// ```
/// use libturboquant::{Cache, Profile};
///
/// let text = r#"{
///     "format": "libturboquant-profile", "version": 1,
///     "model": {"name": "tiny", "fingerprint": "any text", "layer_count": 2},
///     "defaults": {"kv_heads": 2, "key_dim": 64},
///     "layers": [{"layer": 0, "key_format": "tq8"}]
/// }"#;
/// let profile = Profile::parse(text, None)?; // or Profile::load("profile.json", None)
/// let cache = Cache::new(&profile.cache_options())?;
/// assert_eq!(cache.layer_count(), 2);
/// # Ok::<(), libturboquant::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Profile {
    name: String,
    fingerprint: String,
    layers: Vec<LayerOptions>,
}

impl Profile {
    /// Reads a file (`tq_profile_load`). `fingerprint` is that of the model at hand; with `None` any profile will do.
    ///
    /// # Errors
    /// The message names file, field and value. [`NotFound`](crate::Error::NotFound): there is no file.
    /// [`InvalidArgument`](crate::Error::InvalidArgument): it cannot be read, or has another fingerprint.
    /// [`CorruptData`](crate::Error::CorruptData): it is no JSON, no profile, longer than
    /// [`MAX_PROFILE_BYTES`](crate::MAX_PROFILE_BYTES), or has values that [`Cache::new`](crate::Cache::new) would refuse.
    /// [`Unsupported`](crate::Error::Unsupported): a version, a field or a format that the loaded library does not know.
    pub fn load(path: impl AsRef<Path>, fingerprint: Option<&str>) -> Result<Self> {
        let path = without_nul(path.as_ref().as_os_str().as_encoded_bytes(), "path")?;
        // SAFETY: NUL-terminated path; the rest is what `read` hands over.
        read(fingerprint, |wanted, out, err| unsafe { sys::tq_profile_load(path.as_ptr(), wanted, out, err) })
    }

    /// The same from the text of a file (`tq_profile_parse`).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: impl AsRef<[u8]>, fingerprint: Option<&str>) -> Result<Self> {
        let text = text.as_ref();
        let start: *const c_char = text.as_ptr().cast();
        // SAFETY: pointer and length of a slice; the rest is what `read` hands over.
        read(fingerprint, |wanted, out, err| unsafe { sys::tq_profile_parse(start, text.len(), wanted, out, err) })
    }

    /// Name of the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Fingerprint of the model.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// One for each layer of the model.
    pub fn layers(&self) -> &[LayerOptions] {
        &self.layers
    }

    /// Options of a cache for the model.
    pub fn cache_options(&self) -> CacheOptions {
        CacheOptions::new(self.layers.iter().copied())
    }
}

struct Handle(NonNull<sys::tq_profile>);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle's only owner.
        unsafe { sys::tq_profile_destroy(self.0.as_ptr()) }
    }
}

type Out = *mut *mut sys::tq_profile;

/// Calls `call` with a fingerprint or null, the place of the handle, and the place of the error.
fn read(
    fingerprint: Option<&str>,
    call: impl FnOnce(*const c_char, Out, *mut sys::tq_error) -> sys::tq_status,
) -> Result<Profile> {
    require_compatible()?;
    let wanted = fingerprint.map(|text| without_nul(text.as_bytes(), "fingerprint")).transpose()?;
    let mut profile = std::ptr::null_mut();
    check(|err| call(wanted.as_ref().map_or(std::ptr::null(), |text| text.as_ptr()), &mut profile, err))?;
    content(&Handle(NonNull::new(profile).expect("a profile comes with TQ_OK")))
}

fn content(handle: &Handle) -> Result<Profile> {
    let profile = handle.0.as_ptr();
    // SAFETY: live handle; both texts are NUL-terminated, never null, and live as long as it.
    let text = |pointer: *const c_char| unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned();
    // SAFETY: live handle.
    let (name, fingerprint, count) = unsafe {
        (sys::tq_profile_name(profile), sys::tq_profile_fingerprint(profile), sys::tq_profile_layer_count(profile))
    };
    let layer = |index| {
        let mut layer = defaults::layer_options();
        // SAFETY: live handle; `layer` says its own size.
        check(|err| unsafe { sys::tq_profile_layer(profile, index, &mut layer, err) })?;
        Ok(LayerOptions(layer))
    };
    Ok(Profile {
        name: text(name),
        fingerprint: text(fingerprint),
        layers: (0..count).map(layer).collect::<Result<_>>()?,
    })
}

fn without_nul(bytes: &[u8], name: &str) -> Result<CString> {
    CString::new(bytes)
        .map_err(|_| invalid!("{name} is {:?}; expected no NUL character", String::from_utf8_lossy(bytes)))
}
