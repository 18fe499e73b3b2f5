//! What stands in the certificates, and who accepts them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

use authlab_pki::{
    Algorithm, Authority, Certificate, KeyPool, PkiError, Validity, tls::ClientAuthority,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use secrecy::ExposeSecret as _;
use x509_parser::{extensions::ParsedExtension, prelude::X509Certificate};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn parse(der: &[u8]) -> X509Certificate<'_> {
    x509_parser::parse_x509_certificate(der).unwrap().1
}

/// Its own key identifier and its issuer's.
fn key_identifiers(certificate: &X509Certificate<'_>) -> (Vec<u8>, Vec<u8>) {
    let (mut own, mut issuer) = (Vec::new(), Vec::new());
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => own = id.0.to_vec(),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                issuer = id.key_identifier.as_ref().unwrap().0.to_vec();
            }
            _ => {}
        }
    }
    (own, issuer)
}

fn yesterday() -> Validity {
    let now = SystemTime::now();
    Validity {
        not_before: now - 2 * DAY,
        not_after: now - DAY,
    }
}

fn lifetime(certificate: &X509Certificate<'_>) -> (i64, i64) {
    let now = i64::try_from(
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap();
    let validity = certificate.validity();
    (
        now - validity.not_before.timestamp(),
        validity.not_after.timestamp() - now,
    )
}

#[test]
fn an_authority_is_a_certificate_authority_for_ten_years() {
    let authority = Authority::generate("lab").unwrap();
    let der = der(authority.certificate_pem());
    let certificate = parse(&der);
    assert_eq!(certificate.subject().to_string(), "CN=lab");
    assert!(certificate.is_ca());
    let usage = certificate.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && usage.digital_signature());
    assert!(certificate.basic_constraints().unwrap().unwrap().critical);
    let (since, left) = lifetime(&certificate);
    assert!((3600..3700).contains(&since), "{since}");
    assert_eq!((left + 60) / (24 * 60 * 60), 3650);
    let (own, issuer) = key_identifiers(&certificate);
    assert!(!own.is_empty());
    assert_eq!(own, issuer);
}

#[test]
fn a_server_certificate_names_its_addresses_and_purpose() {
    let authority = Authority::generate("lab").unwrap();
    let leaf = authority
        .server_certificate(&["dex.example", "127.0.0.1", "::1", "*.apps.example"])
        .unwrap();
    let (leaf_der, ca_der) = (der(&leaf.pem), der(authority.certificate_pem()));
    let (certificate, ca) = (parse(&leaf_der), parse(&ca_der));
    assert_eq!(certificate.subject().to_string(), "CN=dex.example");
    let names: Vec<String> = certificate
        .subject_alternative_name()
        .unwrap()
        .unwrap()
        .value
        .general_names
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        names,
        [
            "DNSName(dex.example)",
            "IPAddress(7f:00:00:01)",
            "IPAddress(00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:01)",
            "DNSName(*.apps.example)"
        ]
    );
    let purpose = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(purpose.server_auth && !purpose.client_auth && !purpose.any);
    assert!(!certificate.is_ca());
    let (since, left) = lifetime(&certificate);
    assert!((3600..3700).contains(&since), "{since}");
    assert_eq!((left + 60) / (24 * 60 * 60), 365);
    assert_eq!(key_identifiers(&certificate).1, key_identifiers(&ca).0);
}

#[test]
fn authorities_of_the_same_name_have_different_key_identifiers() {
    let [one, two] =
        ["lab", "lab"].map(|name| der(Authority::generate(name).unwrap().certificate_pem()));
    assert_eq!(parse(&one).subject(), parse(&two).subject());
    assert_ne!(key_identifiers(&parse(&one)), key_identifiers(&parse(&two)));
}

#[test]
fn serial_numbers_are_random_and_positive() {
    let authority = Authority::generate("lab").unwrap();
    let serials: HashSet<Vec<u8>> = (0..50)
        .map(|_| {
            let der = der(&authority.server_certificate(&["a.example"]).unwrap().pem);
            let serial = parse(&der).raw_serial().to_vec();
            assert_eq!(serial.len(), 16);
            assert!(serial[0] < 0x80);
            serial
        })
        .collect();
    assert_eq!(serials.len(), 50);
}

#[test]
fn names_that_no_client_would_accept_are_refused() {
    let authority = Authority::generate("lab").unwrap();
    for name in [
        "",
        "a b",
        "https://dex.example",
        "größe.example",
        "127.0.0.1:5556",
    ] {
        let refused = authority.server_certificate(&[name]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!("{name:?} is neither an IP address nor a DNS name")
        );
    }
}

#[test]
fn a_client_certificate_keeps_its_subject_whatever_its_length() {
    let authority = Authority::generate("lab").unwrap();
    let clients = ClientAuthority::new(authority.certificate_pem()).unwrap();
    for groups in [0, 1, 2, 3, 10, 2000] {
        let organizations: Vec<String> =
            (0..groups).map(|index| format!("group-{index}")).collect();
        let leaf = authority
            .client_certificate("jane", &organizations, DAY)
            .unwrap();
        let der = der(&leaf.pem);
        let certificate = parse(&der);
        let seen: Vec<&str> = certificate
            .subject()
            .iter_organization()
            .map(|value| value.as_str().unwrap())
            .collect();
        assert_eq!(seen, organizations);
        assert_eq!(
            certificate
                .subject()
                .iter_common_name()
                .next()
                .unwrap()
                .as_str(),
            Ok("jane")
        );
        let purpose = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(purpose.client_auth && !purpose.server_auth);
        clients.verify(std::slice::from_ref(&der)).unwrap();
        // The key is the certificate's.
        leaf.server_config(None).unwrap();
    }
}

#[test]
fn client_certificates_are_refused_with_the_reason() {
    let authority = Authority::generate("lab").unwrap();
    let clients = ClientAuthority::new(authority.certificate_pem()).unwrap();
    let refused = |certificate: Certificate| {
        clients
            .verify(&[der(&certificate.pem)])
            .unwrap_err()
            .to_string()
    };
    let stranger = Authority::generate("other").unwrap();
    assert_eq!(
        refused(stranger.client_certificate("jane", &[], DAY).unwrap()),
        "client certificate: invalid peer certificate: UnknownIssuer"
    );
    assert_eq!(
        refused(authority.server_certificate(&["jane"]).unwrap()),
        "client certificate: invalid peer certificate: certificate does not allow extended key usage for client \
         authentication, allows server authentication"
    );
    let over = authority
        .client_certificate_with("jane", &[], yesterday())
        .unwrap();
    assert!(refused(over).contains("expired"));
}

#[test]
fn a_certificate_and_another_ones_key_do_not_make_a_server() {
    let authority = Authority::generate("lab").unwrap();
    let [one, two] =
        ["a.example", "b.example"].map(|name| authority.server_certificate(&[name]).unwrap());
    let mixed = Certificate {
        pem: one.pem,
        key_pem: two.key_pem,
    };
    assert!(matches!(mixed.server_config(None), Err(PkiError::Tls(_))));
}

#[test]
fn a_certificate_can_be_over() {
    let leaf = Authority::generate("lab")
        .unwrap()
        .server_certificate_with(&["127.0.0.1"], yesterday())
        .unwrap();
    assert_eq!(lifetime(&parse(&der(&leaf.pem))).1 / (24 * 60 * 60), -1);
}

/// No private key in what a log or a panic may print.
#[test]
fn debug_output_holds_no_key() {
    let authority = Authority::generate("lab").unwrap();
    let leaf = authority.server_certificate(&["127.0.0.1"]).unwrap();
    let pool = KeyPool::ephemeral();
    let key = pool.key(Algorithm::ES256, "canary").unwrap();
    let shown =
        format!("{authority:?} {leaf:?} {pool:?} {key:?} {authority:#?} {leaf:#?} {key:#?}");
    for secret in [
        leaf.key_pem.expose_secret(),
        key.private_key_pem().expose_secret(),
    ] {
        for line in secret.lines() {
            assert!(!shown.contains(line), "{line} in {shown}");
        }
    }
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}
