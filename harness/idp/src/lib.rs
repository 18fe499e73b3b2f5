//! Embedded identity providers: an OpenID Connect core, Dex's personality, and a forge for any token.

pub mod dex;
pub mod forge;
mod oidc;
