//! Slices of numbers as bytes: what keys, values, queries and outputs of any element type have in common.

use crate::Element;

pub(crate) fn of<T: Element>(slice: &[T]) -> &[u8] {
    // SAFETY: the same memory with the same lifetime. Elements are f32, f16 and bf16: no padding, every byte initialised.
    unsafe { std::slice::from_raw_parts(slice.as_ptr().cast(), size_of_val(slice)) }
}

pub(crate) fn of_mut<T: Element>(slice: &mut [T]) -> &mut [u8] {
    // SAFETY: as above, and any bytes are a valid f32, f16 or bf16.
    unsafe { std::slice::from_raw_parts_mut(slice.as_mut_ptr().cast(), size_of_val(slice)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    #[test]
    fn numbers_seen_as_bytes() {
        assert_eq!(of(&[1.0f32, -2.0]), [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
        assert_eq!(of(&[bf16::ONE]), [0x80, 0x3f]);
        assert!(of::<f16>(&[]).is_empty());
        let mut numbers = [f16::ONE; 3];
        of_mut(&mut numbers)[2..4].copy_from_slice(&[0, 0xc0]);
        assert_eq!(numbers, [f16::ONE, f16::from_f32(-2.0), f16::ONE]);
    }
}
