use candle_core::{CpuStorage, CustomOp1, CustomOp3, Error, Layout, Result, Shape, WithDType, bail};

use super::view::{Order, View, kv, with_element};
use crate::{AttendItem, AttendOptions, Element, Kv, Sequence};

/// Attention of a tensor of queries to the sequences of a batch, as an operation of candle.
///
/// With one argument the queries belong to the last tokens of the sequences; with three, queries, keys and values, to new
/// tokens, which the caller appends after.
pub(super) struct Attend<'a> {
    pub sequences: &'a [Sequence],
    pub key_dim: usize,
    pub value_dim: usize,
    pub order: Order,
    pub options: &'a AttendOptions<'a>,
}

impl Attend<'_> {
    fn run<'k, Q: Element + WithDType>(
        &self,
        (storage, layout): (&CpuStorage, &Layout),
        new_tokens: impl Fn(usize) -> Result<Option<Kv<'k>>>,
    ) -> Result<(CpuStorage, Shape)> {
        let view = View::of(layout, self.order)?;
        let View { batch, heads, tokens, dim, .. } = view;
        let held = (self.sequences.len(), self.key_dim);
        if (batch, dim) != held {
            bail!("queries {:?}, but the cache has batch and key size {held:?}", layout.dims());
        }
        let Ok(q_heads) = u32::try_from(heads) else { bail!("{heads} query heads") };
        let row_len = heads * tokens * self.value_dim;
        let mut output = vec![Q::default(); batch * row_len];
        let (token_stride, head_stride) = self.order.contiguous_strides(heads, tokens, self.value_dim);
        let mut items = Vec::with_capacity(batch);
        for (row, (sequence, output)) in self.sequences.iter().zip(output.chunks_mut(row_len.max(1))).enumerate() {
            let mut item = AttendItem::new(sequence, tokens, view.elements::<Q>(storage, row)?, output)
                .query_strides(view.token_stride, view.head_stride)
                .output_strides(token_stride, head_stride);
            if let Some(tokens) = new_tokens(row)? {
                item = item.new_tokens(tokens);
            }
            items.push(item);
        }
        if let Some(first) = self.sequences.first() {
            first.cache().attend(&self.options.of_layer(0, q_heads), &mut items).map_err(Error::wrap)?;
        }
        let shape = self.order.shape(batch, heads, tokens, self.value_dim);
        Ok((Q::to_cpu_storage_owned(output), shape.into()))
    }
}

impl CustomOp1 for Attend<'_> {
    fn name(&self) -> &'static str {
        "tq_attend"
    }

    fn cpu_fwd(&self, query: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        with_element!(dtype(query), Q => self.run::<Q>((query, layout), |_| Ok(None)))
    }
}

impl CustomOp3 for Attend<'_> {
    fn name(&self) -> &'static str {
        "tq_attend"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        layout: &Layout,
        keys: &CpuStorage,
        key_layout: &Layout,
        values: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let keys = (keys, View::of(key_layout, self.order)?);
        let values = (values, View::of(value_layout, self.order)?);
        with_element!(dtype(query), Q => with_element!(dtype(keys.0), T => {
            self.run::<Q>((query, layout), |row| kv::<T>(keys, values, row).map(Some))
        }))
    }
}

fn dtype(storage: &CpuStorage) -> candle_core::DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}
