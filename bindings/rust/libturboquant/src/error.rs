use std::ffi::{CStr, c_char};
use std::fmt;
use std::mem::MaybeUninit;

use crate::sys;

/// What functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call was refused. A failed call changes nothing.
///
/// Every variant but the last is one number of `tq_status`; each carries the library's sentence, which names the
/// argument and the value that was refused. It is for people: never parse it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// An argument has a value or a length that the call does not take.
    InvalidArgument(String),
    /// The allocator or the cache's byte budget refused; the cache is as it was.
    OutOfMemory(String),
    /// A buffer is too small; the message says how many bytes are needed.
    BufferTooSmall(String),
    /// The content of a file is damaged or impossible; the message says where.
    CorruptData(String),
    /// A format, an option or a CPU target that the loaded library does not know.
    Unsupported(String),
    /// A bug in libturboquant; please report the message.
    Internal(String),
    /// A sequence that does not exist, or no longer; a file that does not exist.
    NotFound(String),
    /// Another thread is writing the same sequence.
    Busy(String),
    /// A status that this version of the crate has no name for.
    Unknown {
        /// The number, as the library returned it.
        status: i32,
        /// The library's message.
        message: String,
    },
}

impl Error {
    /// The `tq_status` behind this error.
    pub fn status(&self) -> i32 {
        match self {
            Error::InvalidArgument(_) => sys::TQ_ERR_INVALID_ARGUMENT,
            Error::OutOfMemory(_) => sys::TQ_ERR_OUT_OF_MEMORY,
            Error::BufferTooSmall(_) => sys::TQ_ERR_BUFFER_TOO_SMALL,
            Error::CorruptData(_) => sys::TQ_ERR_CORRUPT_DATA,
            Error::Unsupported(_) => sys::TQ_ERR_UNSUPPORTED,
            Error::Internal(_) => sys::TQ_ERR_INTERNAL,
            Error::NotFound(_) => sys::TQ_ERR_NOT_FOUND,
            Error::Busy(_) => sys::TQ_ERR_BUSY,
            Error::Unknown { status, .. } => *status,
        }
    }

    /// The sentence that names the argument and the value.
    pub fn message(&self) -> &str {
        match self {
            Error::InvalidArgument(message)
            | Error::OutOfMemory(message)
            | Error::BufferTooSmall(message)
            | Error::CorruptData(message)
            | Error::Unsupported(message)
            | Error::Internal(message)
            | Error::NotFound(message)
            | Error::Busy(message)
            | Error::Unknown { message, .. } => message,
        }
    }

    #[cold]
    pub(crate) fn from_status(status: i32, message: String) -> Self {
        match status {
            sys::TQ_ERR_INVALID_ARGUMENT => Error::InvalidArgument(message),
            sys::TQ_ERR_OUT_OF_MEMORY => Error::OutOfMemory(message),
            sys::TQ_ERR_BUFFER_TOO_SMALL => Error::BufferTooSmall(message),
            sys::TQ_ERR_CORRUPT_DATA => Error::CorruptData(message),
            sys::TQ_ERR_UNSUPPORTED => Error::Unsupported(message),
            sys::TQ_ERR_INTERNAL => Error::Internal(message),
            sys::TQ_ERR_NOT_FOUND => Error::NotFound(message),
            sys::TQ_ERR_BUSY => Error::Busy(message),
            status => Error::Unknown { status, message },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Error::InvalidArgument(_) => "invalid argument",
            Error::OutOfMemory(_) => "out of memory",
            Error::BufferTooSmall(_) => "buffer too small",
            Error::CorruptData(_) => "corrupt data",
            Error::Unsupported(_) => "unsupported",
            Error::Internal(_) => "internal error of libturboquant",
            Error::NotFound(_) => "not found",
            Error::Busy(_) => "busy",
            Error::Unknown { status, .. } => return write!(f, "tq_status {status}: {}", self.message()),
        };
        write!(f, "{kind}: {}", self.message())
    }
}

impl std::error::Error for Error {}

/// Runs one call of the C API with a `tq_error` of its own and turns what it returns into a `Result`.
#[inline]
pub(crate) fn check(call: impl FnOnce(*mut sys::tq_error) -> sys::tq_status) -> Result<()> {
    // Of the 256 bytes only the size is input, and only a failure reads the message.
    let mut err = MaybeUninit::<sys::tq_error>::uninit();
    let pointer = err.as_mut_ptr();
    // SAFETY: writes fields of a struct that lies on the stack; an empty message for good measure.
    unsafe {
        (&raw mut (*pointer).struct_size).write(crate::size_of_u32::<sys::tq_error>());
        (&raw mut (*pointer).message).cast::<c_char>().write(0);
    }
    match call(pointer) {
        sys::TQ_OK => Ok(()),
        // SAFETY: a call that fails has written a NUL-terminated message.
        status => Err(Error::from_status(status, unsafe { text_of((&raw const (*pointer).message).cast()) })),
    }
}

/// # Safety
/// `message` is NUL-terminated.
#[cold]
unsafe fn text_of(message: *const c_char) -> String {
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned()
}

/// An error of this crate's own: slices whose lengths do not fit, which C could not see.
macro_rules! invalid {
    ($($argument:tt)*) => { $crate::error::Error::InvalidArgument(format!($($argument)*)) };
}
pub(crate) use invalid;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_keeps_its_number_and_message() {
        for status in [-7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12345] {
            let error = Error::from_status(status, "layer is 7".into());
            assert_eq!(error.status(), status);
            assert_eq!(error.message(), "layer is 7");
            assert!(error.to_string().ends_with(": layer is 7"), "{error}");
            assert_eq!(matches!(error, Error::Unknown { .. }), !(1..=8).contains(&status));
        }
    }

    #[test]
    fn a_message_ends_at_its_nul_and_survives_bad_utf8() {
        let failure = |text: &'static [u8]| {
            check(|err| {
                // SAFETY: `err` points to a tq_error, and the text fits.
                unsafe { (&raw mut (*err).message).cast::<u8>().copy_from(text.as_ptr(), text.len()) };
                sys::TQ_ERR_NOT_FOUND
            })
        };
        assert_eq!(failure(b"ab\xff\0rest"), Err(Error::NotFound("ab\u{fffd}".into())));
        assert_eq!(failure(b""), Err(Error::NotFound(String::new())));
        assert_eq!(check(|_| sys::TQ_OK), Ok(()));
    }
}
