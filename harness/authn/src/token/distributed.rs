//! Claims that are not in the token but somewhere else (OpenID Connect Core 1.0 section 5.6.2).

use super::claims::Claims;
use crate::tree::{Kind, Node};

/// The URL where the claim must be fetched; `None` when it is in the token, or nowhere.
///
/// # Errors
/// The server's text, when the token is not clear about that.
pub(super) fn endpoint(claims: &Claims, claim: &str) -> Result<Option<String>, String> {
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
    let url = text(found.get("endpoint"));
    Ok(Some(url).filter(|url| !url.is_empty()))
}
