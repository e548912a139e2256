use crate::error::invalid;
use crate::shape::{Shape, Strides, whole_rows};
use crate::{Element, Result};

/// Vectors to encode: a whole slice of contiguous rows, or rows a stride apart.
///
/// Slices, arrays and vectors turn into it by themselves, so `codec.encode(&vectors)` is all that contiguous data needs.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T> {
    pub(crate) data: &'a [T],
    layout: Layout,
}

/// Where decoded vectors go: as [`Rows`].
#[derive(Debug)]
pub struct RowsMut<'a, T> {
    pub(crate) data: &'a mut [T],
    layout: Layout,
}

#[derive(Debug, Clone, Copy)]
enum Layout {
    Contiguous,
    Strided { count: usize, stride: usize },
}

impl Layout {
    /// Count and stride (0 = contiguous) for the C call.
    fn resolve(self, len: usize, dim: usize, name: &str) -> Result<(usize, usize)> {
        match self {
            Layout::Contiguous => Ok((whole_rows(len, dim, name)?, 0)),
            Layout::Strided { stride, .. } if stride < dim => {
                Err(invalid!("{name}: stride is {stride}, but a row has {dim} elements"))
            }
            Layout::Strided { count, stride } => {
                let shape = Shape { count, heads: 1, dim };
                shape.check_len(Strides { token: stride, head: dim }, len, name)?;
                Ok((count, stride))
            }
        }
    }
}

impl<'a, T: Element> Rows<'a, T> {
    /// `count` rows; row i starts at element `i * stride`. The stride is at least the length of a row.
    pub fn strided(data: &'a [T], count: usize, stride: usize) -> Self {
        Rows { data, layout: Layout::Strided { count, stride } }
    }

    pub(crate) fn resolve(&self, dim: usize) -> Result<(usize, usize)> {
        self.layout.resolve(self.data.len(), dim, "vectors")
    }
}

impl<'a, T: Element> RowsMut<'a, T> {
    /// `count` rows; row i starts at element `i * stride`. The stride is at least the length of a row.
    pub fn strided(data: &'a mut [T], count: usize, stride: usize) -> Self {
        RowsMut { data, layout: Layout::Strided { count, stride } }
    }

    pub(crate) fn resolve(&self, dim: usize) -> Result<(usize, usize)> {
        self.layout.resolve(self.data.len(), dim, "vectors")
    }
}

impl<'a, T: Element, S: AsRef<[T]> + ?Sized> From<&'a S> for Rows<'a, T> {
    fn from(slice: &'a S) -> Self {
        Rows { data: slice.as_ref(), layout: Layout::Contiguous }
    }
}

impl<'a, T: Element, S: AsMut<[T]> + ?Sized> From<&'a mut S> for RowsMut<'a, T> {
    fn from(slice: &'a mut S) -> Self {
        RowsMut { data: slice.as_mut(), layout: Layout::Contiguous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_or_are_refused() {
        let data = [0.0f32; 12];
        assert_eq!(Rows::from(&data).resolve(4), Ok((3, 0)));
        assert!(Rows::from(&data[..11]).resolve(4).unwrap_err().message().contains("whole rows of 4"));
        assert_eq!(Rows::strided(&data, 2, 8).resolve(4), Ok((2, 8)));
        assert!(Rows::strided(&data, 3, 5).resolve(4).unwrap_err().message().contains("holds 12"));
        assert!(Rows::strided(&data, 3, 3).resolve(4).unwrap_err().message().contains("stride is 3"));
        assert!(Rows::strided(&data, usize::MAX, usize::MAX).resolve(4).is_err());
        assert_eq!(Rows::strided(&data[..0], 0, 4).resolve(4), Ok((0, 4)));
    }
}
