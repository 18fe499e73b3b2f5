//! Strings as Go prints them in messages.

pub(crate) use authlab_pki::quote::{quote, quote_list as quote_all};
