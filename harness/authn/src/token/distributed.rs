//! Claims that are not in the token but somewhere else (OpenID Connect Core 1.0 section 5.6.2).

use super::claims::Claims;
use crate::tree::{Kind, Node};

/// Where a claim must be fetched.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    /// The claim.
    pub(crate) claim: String,
    /// Where a token is that has it.
    pub(crate) url: String,
    /// The bearer token to show there; empty for none.
    pub(crate) access_token: String,
}

/// Where the claim must be fetched; `None` when it is in the token, or nowhere.
///
/// # Errors
/// The server's text, when the token is not clear about that.
pub(super) fn elsewhere(claims: &Claims, claim: &str) -> Result<Option<Elsewhere>, String> {
    if claims.get(claim).is_some() {
        return Ok(None);
    }
    let Some(names) = claims.get("_claim_names") else {
        return Ok(None);
    };
    let Some(sources) = claims.get("_claim_sources") else {
        return Err("oidc: no claim sources".to_owned());
    };
    let text = |node: Option<&Node>| match node.map(|node| &node.kind) {
        Some(Kind::String(text)) => text.clone(),
        _ => String::new(),
    };
    // The types were checked with those of the standard claims.
    let Some(source) = names.get(claim) else {
        return Ok(None);
    };
    let source = text(Some(source));
    let Some(found) = sources.get(&source) else {
        return Err(format!(
            "id token _claim_names contained a source {source} missing in _claims_sources"
        ));
    };
    // Without an address the claim is in a token beside it, which the server does not read.
    let url = text(found.get("endpoint"));
    Ok((!url.is_empty()).then(|| Elsewhere {
        claim: claim.to_owned(),
        url,
        access_token: text(found.get("access_token")),
    }))
}
