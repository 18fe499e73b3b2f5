//! What a client asks for, and which clients may ask for tokens of others.

use super::config::Config;

pub(crate) const OPENID: &str = "openid";
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";
pub(crate) const GROUPS: &str = "groups";
pub(crate) const EMAIL: &str = "email";
pub(crate) const PROFILE: &str = "profile";
pub(crate) const FEDERATED_ID: &str = "federated:id";

/// Those above: what a user can be asked for.
pub(crate) const STANDARD: [&str; 6] =
    [OPENID, OFFLINE_ACCESS, EMAIL, PROFILE, GROUPS, FEDERATED_ID];

/// The client whose audience a scope asks for.
pub(crate) fn peer(scope: &str) -> Option<&str> {
    scope.strip_prefix("audience:server:client_id:")
}

/// Whether a client may get tokens for the audience of another.
pub(crate) fn is_trusted(config: &Config, client: &str, peer: &str) -> bool {
    let trusts =
        |peer: &super::config::Client| peer.trusted_peers.iter().any(|trusted| trusted == client);
    client == peer || config.clients.get(peer).is_some_and(trusts)
}

/// Scopes that are none, and audiences the client may not ask for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Refused<'s> {
    pub unrecognized: Vec<&'s str>,
    pub untrusted: Vec<&'s str>,
}

/// Sorts out the scopes that are neither among `standard` nor audiences of clients that trust this one.
pub(crate) fn refused<'s>(
    config: &Config,
    client: &str,
    scopes: &'s [String],
    standard: &[&str],
) -> Refused<'s> {
    let mut refused = Refused::default();
    for scope in scopes
        .iter()
        .map(String::as_str)
        .filter(|scope| !standard.contains(scope))
    {
        match peer(scope) {
            None => refused.unrecognized.push(scope),
            Some(peer) if !is_trusted(config, client, peer) => refused.untrusted.push(scope),
            Some(_) => {}
        }
    }
    refused
}

/// Whether the scope was asked for.
pub(crate) fn has(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|asked| asked == scope)
}
