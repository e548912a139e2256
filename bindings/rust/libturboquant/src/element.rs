use std::fmt::Debug;

use half::{bf16, f16};

use crate::sys;

/// Types of numbers, as the C API numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Dtype {
    /// Left to the library; what that means, the option says.
    Auto = sys::TQ_DTYPE_AUTO,
    /// 32-bit floats, `f32`.
    F32 = sys::TQ_F32,
    /// IEEE half precision, [`half::f16`].
    F16 = sys::TQ_F16,
    /// The upper half of an `f32`, [`half::bf16`].
    Bf16 = sys::TQ_BF16,
}

/// How keys or values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Format {
    /// Rotation and 4-bit codes, one 8-bit scale per group: the default.
    Tq4 = sys::TQ_FORMAT_TQ4,
    /// Rotation and 8-bit codes.
    Tq8 = sys::TQ_FORMAT_TQ8,
    /// 16 bit, exact for `f16` input.
    F16 = sys::TQ_FORMAT_F16,
    /// 16 bit, exact for `bf16` input.
    Bf16 = sys::TQ_FORMAT_BF16,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}

/// A number that the library reads and writes: `f32`, [`half::f16`] or [`half::bf16`]. Nothing else implements it.
pub trait Element: sealed::Sealed + Copy + Default + PartialEq + Debug + Send + Sync + 'static {
    /// The type's number in the C API.
    const DTYPE: Dtype;
}

impl Element for f32 {
    const DTYPE: Dtype = Dtype::F32;
}
impl Element for f16 {
    const DTYPE: Dtype = Dtype::F16;
}
impl Element for bf16 {
    const DTYPE: Dtype = Dtype::Bf16;
}

/// `count` zeros, or an error where memory for them is not to be had.
pub(crate) fn zeros<T: Element>(count: usize) -> crate::Result<Vec<T>> {
    let mut vector = Vec::new();
    vector
        .try_reserve_exact(count)
        .map_err(|error| crate::Error::OutOfMemory(format!("no memory for {count} numbers: {error}")))?;
    vector.resize(count, T::default());
    Ok(vector)
}
