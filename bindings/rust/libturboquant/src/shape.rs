//! Where rows of numbers lie in a slice. Nothing here calls C, so all of it runs under Miri.

use crate::error::{Result, invalid};

/// `count` tokens of `heads` rows of `dim` numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub count: usize,
    pub heads: usize,
    pub dim: usize,
}

/// Elements from one token, or head, to the next; both 0 means contiguous.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Strides {
    pub token: usize,
    pub head: usize,
}

impl Strides {
    fn are_contiguous(self) -> bool {
        self == Strides::default()
    }
}

impl Shape {
    fn is_empty(self) -> bool {
        self.count == 0 || self.heads == 0 || self.dim == 0
    }

    /// Elements from the first to the last one, both included; `None` if that overflows.
    #[inline]
    pub fn span(self, strides: Strides) -> Option<usize> {
        if self.is_empty() {
            return Some(0);
        }
        if strides.are_contiguous() {
            return self.count.checked_mul(self.heads)?.checked_mul(self.dim);
        }
        let last_token = (self.count - 1).checked_mul(strides.token)?;
        let last_head = (self.heads - 1).checked_mul(strides.head)?;
        last_token.checked_add(last_head)?.checked_add(self.dim)
    }

    /// Refuses slices of other lengths than this shape takes: with strides, shorter ones.
    #[inline]
    pub fn check_len(self, strides: Strides, len: usize, name: &str) -> Result<()> {
        let fits = |span| if strides.are_contiguous() { span == len } else { span <= len };
        match self.span(strides) {
            Some(span) if fits(span) => Ok(()),
            span => Err(self.does_not_fit(strides, len, span, name)),
        }
    }

    #[cold]
    fn does_not_fit(self, strides: Strides, len: usize, span: Option<usize>, name: &str) -> crate::Error {
        let Shape { count, heads, dim } = self;
        let span = span.map_or("more than memory can hold".into(), |span| format!("{span} elements"));
        let apart = match strides.are_contiguous() {
            true => String::new(),
            false => format!(" with strides {} and {}", strides.token, strides.head),
        };
        invalid!("{name}: {count} x {heads} x {dim}{apart} take {span}, but the slice holds {len}")
    }

    /// Refuses strides with which two rows would overlap: threads write rows at the same time.
    #[inline]
    pub fn check_disjoint(self, strides: Strides, name: &str) -> Result<()> {
        if self.is_empty() || strides.are_contiguous() {
            return Ok(());
        }
        // Rows of one token lie side by side and tokens follow each other, or the other way round.
        let apart = |(outer_count, outer), (inner_count, inner): (usize, usize)| {
            let inner_span = (inner_count - 1).checked_mul(inner).and_then(|all| all.checked_add(self.dim));
            (outer_count == 1 || inner_span.is_some_and(|span| outer >= span))
                && (inner_count == 1 || inner >= self.dim)
        };
        let (tokens, heads) = ((self.count, strides.token), (self.heads, strides.head));
        if apart(tokens, heads) || apart(heads, tokens) {
            return Ok(());
        }
        Err(invalid!(
            "{name}: with strides {} and {} some of the {} x {} rows of {} would overlap",
            strides.token,
            strides.head,
            self.count,
            self.heads,
            self.dim
        ))
    }
}

/// How many rows of `dim` numbers a contiguous slice of `len` holds.
pub(crate) fn whole_rows(len: usize, dim: usize, name: &str) -> Result<usize> {
    if dim == 0 || len % dim != 0 {
        return Err(invalid!("{name}: {len} elements are not whole rows of {dim}"));
    }
    Ok(len / dim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { count: 3, heads: 2, dim: 4 };

    /// All elements that rows touch, by definition; `None` if two rows share one.
    fn touched(shape: Shape, strides: Strides) -> Option<Vec<usize>> {
        let mut all = Vec::new();
        for token in 0..shape.count {
            for head in 0..shape.heads {
                all.extend((0..shape.dim).map(|c| token * strides.token + head * strides.head + c));
            }
        }
        all.sort_unstable();
        let len = all.len();
        all.dedup();
        (all.len() == len).then_some(all)
    }

    #[test]
    fn span_ends_after_the_last_element_and_overlap_is_found() {
        let mut overlapping = 0;
        for (token, head) in (0..20).flat_map(|token| (1..20).map(move |head| (token, head))) {
            let strides = Strides { token, head };
            match touched(SHAPE, strides) {
                Some(elements) => assert_eq!(SHAPE.span(strides), elements.last().map(|last| last + 1), "{strides:?}"),
                None => {
                    overlapping += 1;
                    assert!(SHAPE.check_disjoint(strides, "x").is_err(), "{strides:?}");
                }
            }
        }
        assert!(overlapping > 50, "{overlapping}");
    }

    #[test]
    fn usual_strides_are_disjoint() {
        for (token, head) in [(8, 4), (9, 4), (10, 5), (4, 12), (5, 14), (100, 4), (4, 100)] {
            assert!(SHAPE.check_disjoint(Strides { token, head }, "x").is_ok(), "{token} {head}");
        }
        let one_head = Shape { heads: 1, ..SHAPE };
        assert!(one_head.check_disjoint(Strides { token: 4, head: 1 }, "x").is_ok());
    }

    #[test]
    fn lengths_must_fit() {
        let contiguous = Strides::default();
        assert!(SHAPE.check_len(contiguous, 24, "x").is_ok());
        let message = SHAPE.check_len(contiguous, 23, "keys").unwrap_err().to_string();
        assert_eq!(message, "invalid argument: keys: 3 x 2 x 4 take 24 elements, but the slice holds 23");
        assert!(SHAPE.check_len(contiguous, 25, "x").is_err());
        let strides = Strides { token: 10, head: 5 };
        assert!(SHAPE.check_len(strides, 29, "x").is_ok());
        assert!(SHAPE.check_len(strides, 1000, "x").is_ok());
        assert!(SHAPE.check_len(strides, 28, "x").unwrap_err().message().contains("strides 10 and 5"));
    }

    #[test]
    fn huge_shapes_do_not_overflow() {
        let huge = Shape { count: usize::MAX, heads: 65536, dim: 1024 };
        assert_eq!(huge.span(Strides::default()), None);
        assert_eq!(huge.span(Strides { token: usize::MAX, head: 1 }), None);
        assert!(huge.check_len(Strides::default(), 10, "x").is_err());
        assert!(huge.check_disjoint(Strides { token: 1, head: usize::MAX }, "x").is_err());
        assert_eq!(Shape { count: 0, ..huge }.span(Strides { token: usize::MAX, head: 1 }), Some(0));
    }

    #[test]
    fn partial_rows_are_refused() {
        assert_eq!(whole_rows(12, 4, "x"), Ok(3));
        assert_eq!(whole_rows(0, 4, "x"), Ok(0));
        assert!(whole_rows(13, 4, "x").is_err());
        assert!(whole_rows(13, 0, "x").is_err());
    }
}
