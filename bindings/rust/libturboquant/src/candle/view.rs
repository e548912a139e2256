use candle_core::{CpuStorage, Layout, Result, Tensor, WithDType, bail};

use crate::{Element, Kv};

/// Runs generic code with the element type of a candle dtype.
macro_rules! with_element {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F16 => {
                type $T = half::f16;
                $body
            }
            candle_core::DType::BF16 => {
                type $T = half::bf16;
                $body
            }
            other => candle_core::bail!("dtype {other:?}: the cache takes f32, f16 and bf16"),
        }
    };
}
pub(super) use with_element;

/// Where the tokens are in a tensor of four dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// `[batch][tokens][heads][dim]`: dimension 1.
    TokenHead,
    /// `[batch][heads][tokens][dim]`: dimension 2.
    HeadToken,
}

impl Order {
    pub fn from_dim(dim: usize) -> Result<Self> {
        match dim {
            1 => Ok(Order::TokenHead),
            2 => Ok(Order::HeadToken),
            _ => {
                bail!("dim is {dim}: tokens are dimension 2 of [batch][heads][tokens][dim], or 1 with heads after them")
            }
        }
    }

    pub fn token_dim(self) -> usize {
        match self {
            Order::TokenHead => 1,
            Order::HeadToken => 2,
        }
    }

    fn head_dim(self) -> usize {
        3 - self.token_dim()
    }

    pub fn shape(self, batch: usize, heads: usize, tokens: usize, dim: usize) -> (usize, usize, usize, usize) {
        match self {
            Order::TokenHead => (batch, tokens, heads, dim),
            Order::HeadToken => (batch, heads, tokens, dim),
        }
    }

    /// Token and head strides of a contiguous tensor.
    pub fn contiguous_strides(self, heads: usize, tokens: usize, dim: usize) -> (usize, usize) {
        match self {
            Order::TokenHead => (heads * dim, dim),
            Order::HeadToken => (dim, tokens * dim),
        }
    }
}

/// Sizes of a tensor and the distances between its rows, in elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub batch: usize,
    pub heads: usize,
    pub tokens: usize,
    pub dim: usize,
    offset: usize,
    batch_stride: usize,
    pub token_stride: usize,
    pub head_stride: usize,
}

impl View {
    /// `None` where the rows are not contiguous or overlap, as in a broadcast tensor.
    pub fn new(layout: &Layout, order: Order) -> Result<Option<Self>> {
        let (dims, strides) = (layout.dims(), layout.stride());
        if dims.len() != 4 {
            bail!("a tensor of shape {dims:?}: the cache takes four dimensions");
        }
        let (token, head, dim) = (order.token_dim(), order.head_dim(), dims[3]);
        // The stride of a dimension of size 1 is never used, and may be anything.
        let stride = |index: usize| if dims[index] == 1 { dim } else { strides[index] };
        let rows_are_apart = (dim == 1 || strides[3] == 1) && stride(token) >= dim && stride(head) >= dim;
        Ok(rows_are_apart.then(|| View {
            batch: dims[0],
            heads: dims[head],
            tokens: dims[token],
            dim,
            offset: layout.start_offset(),
            batch_stride: strides[0],
            token_stride: stride(token),
            head_stride: stride(head),
        }))
    }

    /// For tensors that went through [`readable`].
    pub fn of(layout: &Layout, order: Order) -> Result<Self> {
        match Self::new(layout, order)? {
            Some(view) => Ok(view),
            None => bail!("strides {:?} of shape {:?}", layout.stride(), layout.dims()),
        }
    }

    /// The elements of one row of the batch, from its first on.
    pub fn elements<'a, T: WithDType>(&self, storage: &'a CpuStorage, row: usize) -> Result<&'a [T]> {
        let all = T::cpu_storage_as_slice(storage)?;
        Ok(&all[(self.offset + row * self.batch_stride).min(all.len())..])
    }
}

/// The tensor itself, or a contiguous copy where its strides are none the library takes.
pub(super) fn readable(tensor: &Tensor, order: Order) -> Result<Tensor> {
    match View::new(tensor.layout(), order)? {
        Some(_) => Ok(tensor.clone()),
        None => tensor.contiguous(),
    }
}

/// Keys and values of one row of the batch.
pub(super) fn kv<'a, T: Element + WithDType>(
    (keys, key_view): (&'a CpuStorage, View),
    (values, value_view): (&'a CpuStorage, View),
    row: usize,
) -> Result<Kv<'a>> {
    let tokens = Kv::new(key_view.tokens, key_view.elements::<T>(keys, row)?, value_view.elements::<T>(values, row)?);
    Ok(tokens
        .key_strides(key_view.token_stride, key_view.head_stride)
        .value_strides(value_view.token_stride, value_view.head_stride))
}
