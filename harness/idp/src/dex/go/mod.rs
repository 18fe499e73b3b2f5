//! Habits of Go's standard library that a client of Dex can observe: quoting, durations, forms, redirects.

pub(crate) mod duration;
pub(crate) mod form;
pub(crate) mod quote;
pub(crate) mod redirect;
