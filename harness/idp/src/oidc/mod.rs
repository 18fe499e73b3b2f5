//! What every OpenID Connect provider has, whatever product it plays: the discovery document, PKCE, signing keys with
//! rotation, records that expire, errors as JSON, forms as HTML.

pub(crate) mod discovery;
pub(crate) mod error;
pub(crate) mod hash;
pub(crate) mod html;
pub(crate) mod keys;
pub(crate) mod pkce;
pub(crate) mod random;
pub(crate) mod serve;
pub(crate) mod table;

pub(crate) use error::OAuthError;
