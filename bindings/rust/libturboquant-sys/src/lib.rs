#![doc = include_str!("../README.md")]
#![no_std]

/// The documentation of these items is the header's own.
#[allow(non_camel_case_types, missing_docs)] // the names are C's
#[allow(rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags)] // the prose, too
#[allow(clippy::all)]
#[rustfmt::skip]
mod bindings;

pub use bindings::*;
