//! What authenticators ask for, held against what their providers do.

use std::sync::Arc;

use authlab_authn::explain;
use authlab_lab::source::nearest;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _};

use super::Authenticator;
use crate::{
    document::texts,
    finding::Out,
    provider::{Product, Provider},
};

const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The provider of an authenticator, if it is among those known.
fn provider<'p>(
    authenticator: &Authenticator<'_>,
    providers: &'p [Provider],
) -> Option<&'p Provider> {
    let issuer = authenticator.text("issuer.url")?;
    providers.iter().find(|provider| provider.is(issuer))
}

/// The provider that was meant: the authenticator's own, or one whose issuer is written nearly so.
pub(crate) fn meant<'p>(
    authenticator: &Authenticator<'_>,
    providers: &'p [Provider],
) -> Option<&'p Provider> {
    let issuer = authenticator.text("issuer.url").unwrap_or_default();
    let end = issuer.trim_end_matches('/').to_lowercase();
    let near = |provider: &&Provider| {
        let whole = explain::nearly_same_issuer(&provider.issuer, issuer);
        whole
            || provider.product == Product::Keycloak
                && end.ends_with(&provider.issuer.to_lowercase())
    };
    provider(authenticator, providers).or_else(|| providers.iter().find(near))
}

/// The issuer's form: nearly that of a provider, and where its discovery document is.
pub(crate) fn issuer(authenticator: &Authenticator<'_>, providers: &[Provider], out: &mut Out<'_>) {
    let issuer = authenticator.text("issuer.url").unwrap_or_default();
    let place = authenticator.value("issuer.url");
    if provider(authenticator, providers).is_none()
        && let Some(near) = meant(authenticator, providers)
    {
        let message = format!(
            "the provider calls itself {:?}, and this is {issuer:?}",
            near.issuer
        );
        out.add("issuer-mismatch", place, message);
    }
    let Some(discovery) = authenticator
        .text("issuer.discoveryURL")
        .filter(|url| !url.is_empty())
    else {
        return;
    };
    let place = authenticator.value("issuer.discoveryURL");
    let (discovery, issuer) = (
        discovery.trim_end_matches('/'),
        issuer.trim_end_matches('/'),
    );
    if discovery == format!("{issuer}{WELL_KNOWN}") {
        let message = "this is where the API server looks anyway";
        out.with_help("discovery-url", place, message, "leave the key out");
    } else if discovery == issuer {
        out.add(
            "discovery-url",
            place,
            "the discoveryURL is the issuer's own URL",
        );
    } else if !discovery.contains("/.well-known/") {
        let message = "this is no address of a discovery document";
        out.with_help(
            "discovery-url",
            place,
            message,
            format!("write {discovery}{WELL_KNOWN}"),
        );
    }
}

/// Audiences that the provider issues tokens for.
pub(crate) fn audiences(authenticator: &Authenticator<'_>, provider: &Provider, out: &mut Out<'_>) {
    let Some(clients) = &provider.clients else {
        return;
    };
    for (audience, place) in texts(authenticator.node, "issuer.audiences") {
        if provider.product == Product::Keycloak && audience == "account" {
            let message = "access tokens of every client of the realm are for `account`";
            out.add("account-audience", place, message);
        } else if !clients.contains(audience) && !provider.audiences.contains(audience) {
            let known = clients
                .iter()
                .chain(&provider.audiences)
                .map(String::as_str);
            let message = format!("no client of the provider is called `{audience}`");
            match nearest(audience, known.clone()) {
                Some(near) => {
                    let help = format!("did you mean `{near}`?");
                    out.with_help("audience-nobody-issues", place, message, help);
                }
                None => {
                    let known: Vec<&str> = known.collect();
                    let help = format!("it has: {}", known.join(", "));
                    out.with_help("audience-nobody-issues", place, message, help);
                }
            }
        }
    }
}

/// Whether the authority that is named signed the certificate that the provider shows, where that is a file.
pub(crate) fn authority(authenticator: &Authenticator<'_>, certificate: &[u8], out: &mut Out<'_>) {
    let (Some(url), Some(authority)) = (
        authenticator.text("issuer.url"),
        authenticator.text("issuer.certificateAuthority"),
    ) else {
        return;
    };
    let host = url.split("://").nth(1).unwrap_or(url);
    let host = host.split('/').next().unwrap_or(host);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    if let Err(why) = verify(authority, certificate, host) {
        let place = authenticator.place("issuer.certificateAuthority");
        out.add(
            "wrong-ca",
            place,
            format!("the provider's certificate does not fit: {why}"),
        );
    }
}

/// Whether a certificate of a server is good under an authority; both PEM.
fn verify(authority: &str, certificate: &[u8], host: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    let readable = CertificateDer::pem_slice_iter(authority.as_bytes()).flatten();
    roots.add_parsable_certificates(readable);
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
        .flatten()
        .collect();
    let (Some((first, rest)), Ok(name)) = (chain.split_first(), ServerName::try_from(host)) else {
        return Ok(());
    };
    authlab_pki::tls::install_provider();
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots))
        .build()
        .map_err(|error| error.to_string())?;
    let verified = verifier.verify_server_cert(first, rest, &name, &[], UnixTime::now());
    verified.map(drop).map_err(|error| match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "another authority signed it".to_owned()
        }
        other => other.to_string(),
    })
}
