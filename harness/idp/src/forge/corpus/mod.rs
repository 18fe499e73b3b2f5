//! The corpus: several hundred tokens that try to be taken for what they are not, each with a name of its own.
//!
//! The attacks are those of RFC 8725 (best practices for JWT), of what libraries were found to get wrong since, and of
//! plain damage. Most must be refused by every verifier. Some are the honest token in another spelling, or odd things
//! that its issuer did sign, which the API server accepts: whoever uses the corpus says which is which.

mod algorithm;
mod claims;
mod encoding;
mod header;
mod keys;
mod payload;
mod shape;
mod signature;
mod smith;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use self::smith::Smith;
use super::{ForgeError, State};

/// One token of the corpus.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgery {
    /// Its name, `group/what is wrong`, the same in every run.
    pub name: String,
    /// The token, which need not look like one.
    #[serde(serialize_with = "expose")]
    pub token: SecretString,
}

/// The corpus around an honest token with these claims, which get `iss`, `iat` and `exp` where they lack them.
pub(super) fn corpus(
    state: &State,
    claims: &Map<String, Value>,
    now: SystemTime,
) -> Result<Vec<Forgery>, ForgeError> {
    let mut smith = Smith::new(state, claims, now)?;
    algorithm::forge(&mut smith)?;
    keys::forge(&mut smith)?;
    signature::forge(&mut smith)?;
    header::forge(&mut smith)?;
    claims::forge(&mut smith)?;
    payload::forge(&mut smith)?;
    shape::forge(&mut smith);
    encoding::forge(&mut smith);
    Ok(smith.forged)
}

fn expose<S: Serializer>(token: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(token.expose_secret())
}
