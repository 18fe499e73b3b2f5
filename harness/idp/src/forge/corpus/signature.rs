//! Signatures that are not those of the issuer over this very token.

use authlab_pki::PkiError;
use serde_json::json;

use super::smith::{Smith, assembled, base64, input, signed_by};

/// The order of P-256 (FIPS 186-4, D.1.2.3).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

pub(super) fn forge(smith: &mut Smith) -> Result<(), PkiError> {
    damaged(smith)?;
    of_something_else(smith)?;
    of_somebody_else(smith)?;
    elliptic(smith)
}

fn damaged(smith: &mut Smith) -> Result<(), PkiError> {
    let input = input(smith.header(&json!({})), smith.payload(&json!({})));
    let honest = smith.rsa.sign(input.as_bytes())?;
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut signature = honest.clone();
        change(&mut signature);
        assembled(&input, &signature)
    };
    let last = honest.len() - 1;
    let damaged = [
        ("stripped", with(&|s| s.clear())),
        ("one byte", with(&|s| s.truncate(1))),
        ("the first half", with(&|s| s.truncate(128))),
        ("the second half", with(&|s| *s = s.split_off(128))),
        ("a byte too long", with(&|s| s.push(0))),
        ("a zero byte before it", with(&|s| s.insert(0, 0))),
        ("twice", with(&|s| s.extend_from_within(..))),
        ("first bit flipped", with(&|s| s[0] ^= 0x80)),
        ("middle bit flipped", with(&|s| s[last / 2] ^= 1)),
        ("last bit flipped", with(&|s| s[last] ^= 1)),
        ("backwards", with(&|s| s.reverse())),
        (
            "inverted",
            with(&|s| s.iter_mut().for_each(|byte| *byte = !*byte)),
        ),
        ("zeros", with(&|s| s.fill(0))),
        ("ones", with(&|s| s.fill(0xff))),
        (
            "the number one",
            with(&|s| {
                s.fill(0);
                s[last] = 1;
            }),
        ),
        ("100 kB", with(&|s| s.resize(100_000, 0x41))),
    ];
    for (label, token) in damaged {
        smith.keep(format!("signature/{label}"), token);
    }
    Ok(())
}

/// The issuer did sign, but not this.
fn of_something_else(smith: &mut Smith) -> Result<(), PkiError> {
    let (header, payload) = (smith.header(&json!({})), smith.payload(&json!({})));
    let (h, p) = (base64(&header), base64(&payload));
    let other_header = base64(smith.header(&json!({ "typ": null })));
    let other_payload = base64(smith.payload(&json!({ "sub": "somebody-else" })));
    let exact = format!("{h}.{p}");
    let mut out = Vec::new();
    for (label, said, signed) in [
        (
            "of another payload",
            exact.clone(),
            format!("{h}.{other_payload}"),
        ),
        (
            "of another header",
            exact.clone(),
            format!("{other_header}.{p}"),
        ),
        ("of the payload alone", exact.clone(), p.clone()),
        ("of the header alone", exact.clone(), h.clone()),
        (
            "of the decoded parts",
            exact.clone(),
            format!("{header}.{payload}"),
        ),
        (
            "of the payload undecoded",
            exact.clone(),
            format!("{h}.{payload}"),
        ),
        (
            "of the parts without a dot",
            exact.clone(),
            format!("{h}{p}"),
        ),
        ("of the parts and a dot", exact.clone(), format!("{exact}.")),
        (
            "of the parts and a line break",
            exact.clone(),
            format!("{exact}\n"),
        ),
        (
            "of the parts in small letters",
            exact.clone(),
            exact.to_lowercase(),
        ),
        ("of nothing", exact.clone(), String::new()),
        (
            "of an earlier subject",
            format!("{h}.{other_payload}"),
            exact.clone(),
        ),
    ] {
        let signature = smith.rsa.sign(signed.as_bytes())?;
        out.push((label, assembled(&said, &signature)));
    }
    for (label, token) in out {
        smith.keep(format!("signature/{label}"), token);
    }
    Ok(())
}

fn of_somebody_else(smith: &mut Smith) -> Result<(), PkiError> {
    let payload = smith.payload(&json!({}));
    let own_name = json!({ "kid": smith.thief.kid() });
    for (label, header) in [
        ("under the issuer's key id", smith.header(&json!({}))),
        ("under its own key id", smith.header(&own_name)),
        ("without a key id", smith.header(&json!({ "kid": null }))),
    ] {
        let token = signed_by(&smith.thief, &header, &payload)?;
        smith.keep(format!("stranger/{label}"), token);
    }
    let token = signed_by(&smith.thief_ec, &smith.ec_header(&json!({})), &payload)?;
    smith.keep("stranger/elliptic, under the issuer's key id", token);
    Ok(())
}

/// ECDSA: forms, ranges, and the signature of zeros that a verifier without range checks takes (CVE-2022-21449).
fn elliptic(smith: &mut Smith) -> Result<(), PkiError> {
    let input = input(smith.ec_header(&json!({})), smith.payload(&json!({})));
    let honest = smith.ec.sign(input.as_bytes())?;
    let (r, s) = honest.split_at(32);
    let join = |r: &[u8], s: &[u8]| [r, s].concat();
    let zero = [0; 32];
    let mut one = zero;
    one[31] = 1;
    for (label, signature) in [
        ("both zero", join(&zero, &zero)),
        ("r zero", join(&zero, s)),
        ("s zero", join(r, &zero)),
        ("both one", join(&one, &one)),
        ("r the order", join(&ORDER, s)),
        ("s the order", join(r, &ORDER)),
        ("both the order", join(&ORDER, &ORDER)),
        ("r and s exchanged", join(s, r)),
        ("as DER", der(r, s)),
        ("r alone", r.to_vec()),
        ("a byte too short", honest[..63].to_vec()),
        ("a byte too long", join(&honest, &[0])),
        ("each number a byte wider", [&[0], r, &[0], s].concat()),
        ("stripped", Vec::new()),
        ("the other of two", join(r, &order_minus(s))),
    ] {
        smith.keep(format!("elliptic/{label}"), assembled(&input, &signature));
    }
    Ok(())
}

/// `n - s`: with it every ECDSA signature has a twin that is as good.
fn order_minus(s: &[u8]) -> Vec<u8> {
    let mut out = vec![0; ORDER.len()];
    let mut borrow = 0_i16;
    for index in (0..ORDER.len()).rev() {
        let mut digit = i16::from(ORDER[index]) - i16::from(s[index]) - borrow;
        borrow = i16::from(digit < 0);
        digit += borrow * 256;
        out[index] = u8::try_from(digit).unwrap_or_default();
    }
    out
}

/// `SEQUENCE { r INTEGER, s INTEGER }`, the form of certificates (RFC 3279 section 2.2.3).
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let start = number.iter().position(|byte| *byte != 0).unwrap_or(0);
        let mut digits = number[start..].to_vec();
        if digits.first().is_some_and(|first| *first >= 0x80) {
            digits.insert(0, 0);
        }
        [vec![2, length(&digits)], digits].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, length(&body)], body].concat()
}

/// A length below 128, as two numbers of 33 bytes have it.
fn length(bytes: &[u8]) -> u8 {
    u8::try_from(bytes.len()).unwrap_or(u8::MAX)
}
