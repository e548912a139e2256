use std::ptr::NonNull;

use crate::error::check;
use crate::library::require_compatible;
use crate::{Result, sys};

/// Threads of the library for [`AttendOptions::pool`](crate::AttendOptions::pool). Dropping it ends them.
///
/// Many threads may use one pool at once: one call at a time uses the workers, further calls at the same moment run on
/// their callers alone.
#[derive(Debug)]
pub struct Pool {
    handle: NonNull<sys::tq_pool>,
}

// SAFETY: turboquant.h, "Threads": pools may be used by many threads at once.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    /// `threads` (1 to 1024) counts the caller, so 1 starts none (`tq_pool_create`).
    pub fn new(threads: u32) -> Result<Self> {
        require_compatible()?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: `handle` is where C writes the pool.
        check(|err| unsafe { sys::tq_pool_create(threads, &mut handle, err) })?;
        Ok(Pool { handle: NonNull::new(handle).expect("tq_pool_create gives a handle with TQ_OK") })
    }

    pub(crate) fn as_ptr(&self) -> *mut sys::tq_pool {
        self.handle.as_ptr()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: options borrow the pool, so no call uses it any more.
        unsafe { sys::tq_pool_destroy(self.handle.as_ptr()) }
    }
}
