use crate::shape::{Shape, Strides};
use crate::{Dtype, Element, Result, bytes, defaults, sys};

/// Sizes of one layer, as far as the length of a slice depends on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerShape {
    pub kv_heads: usize,
    pub key_dim: usize,
    pub value_dim: usize,
}

impl LayerShape {
    pub fn keys(self, count: usize) -> Shape {
        Shape { count, heads: self.kv_heads, dim: self.key_dim }
    }

    pub fn values(self, count: usize) -> Shape {
        Shape { count, heads: self.kv_heads, dim: self.value_dim }
    }
}

/// Keys and values of some tokens of one layer, borrowed for a call.
///
/// Contiguous data is row-major `[token][kv_head][dim]`. With strides, number c of head h of token t is at
/// `t * token_stride + h * head_stride + c`; `[kv_head][token][dim]`, for one, has the strides `dim` and `tokens * dim`.
///
/// Mirrors `tq_kv`. Lengths are checked by the call it is given to, which knows the layer.
#[derive(Debug, Clone, Copy)]
pub struct Kv<'a> {
    dtype: Dtype,
    count: usize,
    keys: &'a [u8],
    values: &'a [u8],
    /// In elements.
    lengths: (usize, usize),
    key_strides: Strides,
    value_strides: Strides,
}

impl<'a> Kv<'a> {
    /// `count` tokens. Keys are those after RoPE.
    pub fn new<T: Element>(count: usize, keys: &'a [T], values: &'a [T]) -> Self {
        Kv {
            dtype: T::DTYPE,
            count,
            keys: bytes::of(keys),
            values: bytes::of(values),
            lengths: (keys.len(), values.len()),
            key_strides: Strides::default(),
            value_strides: Strides::default(),
        }
    }

    /// Distances between tokens and between heads of the keys, in elements. At least the head size each.
    pub fn key_strides(mut self, token: usize, head: usize) -> Self {
        self.key_strides = Strides { token, head };
        self
    }

    /// The same for the values.
    pub fn value_strides(mut self, token: usize, head: usize) -> Self {
        self.value_strides = Strides { token, head };
        self
    }

    /// For the C call; what it points to is borrowed, and covers all that C may read.
    pub(crate) fn raw(&self, layer: LayerShape) -> Result<sys::tq_kv> {
        layer.keys(self.count).check_len(self.key_strides, self.lengths.0, "keys")?;
        layer.values(self.count).check_len(self.value_strides, self.lengths.1, "values")?;
        let mut raw = defaults::kv();
        raw.dtype = self.dtype as u32;
        raw.count = self.count;
        raw.keys = self.keys.as_ptr().cast();
        raw.values = self.values.as_ptr().cast();
        (raw.key_token_stride, raw.key_head_stride) = (self.key_strides.token, self.key_strides.head);
        (raw.value_token_stride, raw.value_head_stride) = (self.value_strides.token, self.value_strides.head);
        Ok(raw)
    }
}

/// Where [`Sequence::read_into`](crate::Sequence::read_into) writes: keys, values or both.
///
/// Mirrors `tq_kv_out`. The layout is that of [`Kv`].
#[derive(Debug)]
pub struct KvOut<'a> {
    dtype: Dtype,
    /// `None` = not wanted.
    keys: Option<Target<'a>>,
    values: Option<Target<'a>>,
}

#[derive(Debug)]
struct Target<'a> {
    bytes: &'a mut [u8],
    /// In elements.
    len: usize,
    strides: Strides,
}

impl<'a> Target<'a> {
    fn new<T: Element>(slice: &'a mut [T]) -> Self {
        let len = slice.len();
        Target { bytes: bytes::of_mut(slice), len, strides: Strides::default() }
    }

    fn check(&self, shape: Shape, name: &str) -> Result<()> {
        shape.check_len(self.strides, self.len, name)?;
        shape.check_disjoint(self.strides, name)
    }
}

impl<'a> KvOut<'a> {
    /// Both.
    pub fn new<T: Element>(keys: &'a mut [T], values: &'a mut [T]) -> Self {
        KvOut { dtype: T::DTYPE, keys: Some(Target::new(keys)), values: Some(Target::new(values)) }
    }

    /// Only the keys.
    pub fn keys<T: Element>(keys: &'a mut [T]) -> Self {
        KvOut { dtype: T::DTYPE, keys: Some(Target::new(keys)), values: None }
    }

    /// Only the values.
    pub fn values<T: Element>(values: &'a mut [T]) -> Self {
        KvOut { dtype: T::DTYPE, keys: None, values: Some(Target::new(values)) }
    }

    /// Distances between tokens and between heads of the keys, in elements.
    pub fn key_strides(mut self, token: usize, head: usize) -> Self {
        if let Some(keys) = &mut self.keys {
            keys.strides = Strides { token, head };
        }
        self
    }

    /// The same for the values.
    pub fn value_strides(mut self, token: usize, head: usize) -> Self {
        if let Some(values) = &mut self.values {
            values.strides = Strides { token, head };
        }
        self
    }

    /// For the C call that reads `count` tokens; covers all that C may write.
    pub(crate) fn raw(&mut self, layer: LayerShape, count: usize) -> Result<sys::tq_kv_out> {
        let mut raw = nothing_wanted();
        raw.dtype = self.dtype as u32;
        if let Some(keys) = &mut self.keys {
            keys.check(layer.keys(count), "keys")?;
            raw.keys = keys.bytes.as_mut_ptr().cast();
            (raw.key_token_stride, raw.key_head_stride) = (keys.strides.token, keys.strides.head);
        }
        if let Some(values) = &mut self.values {
            values.check(layer.values(count), "values")?;
            raw.values = values.bytes.as_mut_ptr().cast();
            (raw.value_token_stride, raw.value_head_stride) = (values.strides.token, values.strides.head);
        }
        Ok(raw)
    }
}

/// Makes `tq_cache_read` check its other arguments and write nothing.
pub(crate) fn nothing_wanted() -> sys::tq_kv_out {
    let mut raw = defaults::kv_out();
    raw.dtype = sys::TQ_F32;
    raw
}

/// Keys and values read from a cache, contiguous: `[token][kv_head][dim]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tokens<T> {
    /// How many tokens these are.
    pub count: usize,
    /// `count * kv_heads * key_dim` numbers.
    pub keys: Vec<T>,
    /// `count * kv_heads * value_dim` numbers.
    pub values: Vec<T>,
}

impl<T: Element> Tokens<T> {
    /// As input of another call.
    pub fn as_kv(&self) -> Kv<'_> {
        Kv::new(self.count, &self.keys, &self.values)
    }
}
