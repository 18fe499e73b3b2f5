//! The rules for an issuer.

use super::{Issuer, Violation, certificate, field::Path};
use crate::golang::url;

pub(super) fn check(issuer: &Issuer, disallowed: &[String], path: &Path, out: &mut Vec<Violation>) {
    check_url(issuer, disallowed, &path.child("url"), out);
    check_discovery_url(issuer, &path.child("discoveryURL"), out);
    check_audiences(issuer, path, out);
    let authority = &issuer.certificate_authority;
    if !authority.is_empty()
        && let Err(problem) = certificate::check(authority)
    {
        let path = path.child("certificateAuthority");
        out.push(path.invalid("<omitted>", &problem));
    }
    let egress = &issuer.egress_selector_type;
    if !matches!(egress.as_str(), "" | "controlplane" | "cluster") {
        let path = path.child("egressSelectorType");
        out.push(path.invalid(
            egress,
            "egress selector must be either controlplane or cluster",
        ));
    }
}

fn check_url(issuer: &Issuer, disallowed: &[String], path: &Path, out: &mut Vec<Violation>) {
    if issuer.url.is_empty() {
        out.push(path.required(""));
        return;
    }
    if disallowed.contains(&issuer.url) {
        let mut list = disallowed.to_vec();
        list.sort();
        list.dedup();
        let list = list.join(" ");
        out.push(path.invalid(
            &issuer.url,
            &format!("URL must not overlap with disallowed issuers: [{list}]"),
        ));
    }
    check_form(&issuer.url, path, out);
}

fn check_discovery_url(issuer: &Issuer, path: &Path, out: &mut Vec<Violation>) {
    let discovery = &issuer.discovery_url;
    if discovery.is_empty() {
        return;
    }
    let trim = |url: &str| url.trim_end_matches('/').to_owned();
    if !issuer.url.is_empty() && trim(&issuer.url) == trim(discovery) {
        out.push(path.invalid(discovery, "discoveryURL must be different from URL"));
    }
    check_form(discovery, path, out);
}

fn check_form(text: &str, path: &Path, out: &mut Vec<Violation>) {
    let url = match url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            out.push(path.invalid(text, &error));
            return;
        }
    };
    let rules = [
        (url.scheme != "https", "URL scheme must be https"),
        (url.user, "URL must not contain a username or password"),
        (!url.query.is_empty(), "URL must not contain a query"),
        (!url.fragment.is_empty(), "URL must not contain a fragment"),
    ];
    for (broken, detail) in rules {
        if broken {
            out.push(path.invalid(text, detail));
        }
    }
}

fn check_audiences(issuer: &Issuer, path: &Path, out: &mut Vec<Violation>) {
    let (audiences, policy) = (&issuer.audiences, &issuer.audience_match_policy);
    let list = path.child("audiences");
    if audiences.is_empty() {
        out.push(list.required(&format!("at least one {} is required", list.text())));
        return;
    }
    for (index, audience) in audiences.iter().enumerate() {
        let path = list.index(index);
        if audience.is_empty() {
            out.push(path.required(""));
        }
        if audiences[..index].contains(audience) {
            out.push(path.duplicate(audience));
        }
    }
    let path = path.child("audienceMatchPolicy");
    match (audiences.len(), policy.as_str()) {
        (_, "MatchAny") | (1, "") => {}
        (1, _) => out.push(path.invalid(
            policy,
            "audienceMatchPolicy must be empty or MatchAny for single audience",
        )),
        _ => out.push(path.invalid(
            policy,
            "audienceMatchPolicy must be MatchAny for multiple audiences",
        )),
    }
}
