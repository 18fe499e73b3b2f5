//! The server as clients of the `kube` crate see it.

mod identity;
mod lab;
