//! Subjects with several organizations.
//!
//! A Kubernetes client certificate names each group of its user in an organization of its own
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates>), but the
//! certificate library keeps one value an attribute. So it makes the certificate with a stand-in, and here the real
//! subject takes its place and the certificate is signed again.

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

use crate::PkiError;

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
/// The attributes of a request, RFC 2986 section 4.1.
const ATTRIBUTES: u8 = 0xa0;
/// id-at-organizationName and id-at-commonName, RFC 5280 appendix A.1.
const ORGANIZATION: [u8; 3] = [0x55, 0x04, 0x0a];
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// ecdsa-with-SHA256, RFC 5758 section 3.2: what P-256 authorities sign with.
const ECDSA_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// The certificate with another subject, signed by `issuer` (an ECDSA P-256 key).
pub(crate) fn replace(
    certificate: &[u8],
    common_name: &str,
    organizations: &[String],
    issuer: &KeyPair,
) -> Result<Vec<u8>, PkiError> {
    let failed = |reason: String| PkiError::Certificate {
        subject: common_name.to_owned(),
        reason,
    };
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|error| failed(error.to_string()))?;
    let signed = parsed.tbs_certificate.as_ref();
    let old = parsed.tbs_certificate.subject.as_raw();
    let start = signed
        .windows(old.len())
        .position(|window| std::ptr::eq(window.as_ptr(), old.as_ptr()))
        .ok_or_else(|| failed("it has no subject".to_owned()))?;

    let before = &signed[header_length(signed)..start];
    let after = &signed[start + old.len()..];
    let signed = element(
        SEQUENCE,
        &[before, &name(common_name, organizations), after],
    );
    sign(&signed, issuer).map_err(failed)
}

/// A request for a certificate of this subject, signed by its own `key` (ECDSA P-256).
/// Source: RFC 2986 section 4.
pub(crate) fn request(
    common_name: &str,
    organizations: &[String],
    key: &KeyPair,
) -> Result<Vec<u8>, PkiError> {
    let wanted = element(
        SEQUENCE,
        &[
            &element(INTEGER, &[&[0]]),
            &name(common_name, organizations),
            &key.subject_public_key_info(),
            &element(ATTRIBUTES, &[]),
        ],
    );
    sign(&wanted, key).map_err(|reason| PkiError::Certificate {
        subject: common_name.to_owned(),
        reason,
    })
}

/// What is to be signed, the algorithm, and the signature.
fn sign(signed: &[u8], key: &KeyPair) -> Result<Vec<u8>, String> {
    let signature = key.sign(signed).map_err(|error| error.to_string())?;
    let algorithm = element(SEQUENCE, &[&element(OBJECT_IDENTIFIER, &[&ECDSA_SHA256])]);
    Ok(element(
        SEQUENCE,
        &[
            signed,
            &algorithm,
            &element(BIT_STRING, &[&[0], &signature]),
        ],
    ))
}

fn name(common_name: &str, organizations: &[String]) -> Vec<u8> {
    let attributes: Vec<Vec<u8>> = organizations
        .iter()
        .map(|organization| attribute(&ORGANIZATION, organization))
        .chain([attribute(&COMMON_NAME, common_name)])
        .collect();
    element(
        SEQUENCE,
        &attributes.iter().map(Vec::as_slice).collect::<Vec<_>>(),
    )
}

fn attribute(oid: &[u8], value: &str) -> Vec<u8> {
    let pair = [
        element(OBJECT_IDENTIFIER, &[oid]),
        element(UTF8_STRING, &[value.as_bytes()]),
    ];
    element(SET, &[&element(SEQUENCE, &[&pair[0], &pair[1]])])
}

/// One DER element: tag, length, contents (X.690 section 8.1).
fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let bytes = &bytes[length.leading_zeros() as usize / 8..];
    let mut element = vec![tag];
    match bytes {
        [] => element.push(0),
        [short @ 0..0x80] => element.push(*short),
        long => {
            element.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            element.extend_from_slice(long);
        }
    }
    for part in contents {
        element.extend_from_slice(part);
    }
    element
}

fn header_length(element: &[u8]) -> usize {
    match element.get(1) {
        Some(length) if length & 0x80 != 0 => 2 + usize::from(length & 0x7f),
        _ => 2,
    }
}
