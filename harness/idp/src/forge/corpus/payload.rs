//! Payloads that are not one JSON object in UTF-8, signed by the issuer, and tokens within tokens.

use authlab_pki::PkiError;
use serde_json::json;

use super::smith::{Smith, base64, signed_by};

pub(super) fn forge(smith: &mut Smith) -> Result<(), PkiError> {
    let honest = smith.payload(&json!({}));
    let inside = &honest[1..honest.len() - 1];
    let utf16: Vec<u8> = honest.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = [b"{\"x\":\"\xe9\",".as_slice(), &honest.as_bytes()[1..]].concat();
    let deep = format!(
        r#"{{{inside},"x":{}{}}}"#,
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("an empty object", b"{}".to_vec()),
        ("a list", format!("[{honest}]").into_bytes()),
        ("a text", json!(honest).to_string().into_bytes()),
        ("a number", b"7".to_vec()),
        ("null", b"null".to_vec()),
        ("true", b"true".to_vec()),
        (
            "a form",
            format!("iss={}&sub=ada&aud=kube", smith.issuer).into_bytes(),
        ),
        ("XML", b"<saml:Assertion/>".to_vec()),
        (
            "YAML",
            format!("iss: {}\naud: kube\nsub: ada\n", smith.issuer).into_bytes(),
        ),
        ("not closed", honest.as_bytes()[..honest.len() - 1].to_vec()),
        ("two objects", format!("{honest}{honest}").into_bytes()),
        ("something behind it", format!("{honest}x").into_bytes()),
        ("a comma too many", format!("{{{inside},}}").into_bytes()),
        (
            "a comment",
            format!("{{/* all is well */{inside}}}").into_bytes(),
        ),
        (
            "a line comment",
            format!("{{// all is well\n{inside}}}").into_bytes(),
        ),
        (
            "a byte order mark",
            format!("\u{feff}{honest}").into_bytes(),
        ),
        ("NUL before it", format!("\0{honest}").into_bytes()),
        ("NUL behind it", format!("{honest}\0").into_bytes()),
        ("apostrophes", honest.replace('"', "'").into_bytes()),
        (
            "names without quotes",
            honest.replace("\"iss\"", "iss").into_bytes(),
        ),
        ("UTF-16", utf16),
        ("too deep", deep.into_bytes()),
        ("stored by deflate", stored(honest.as_bytes())),
        ("base64 twice", base64(&honest).into_bytes()),
        ("Latin-1", latin),
        (
            "white space around",
            format!(" \t\r\n{honest}\n ").into_bytes(),
        ),
    ];
    for (label, text) in texts {
        let token = smith.signed(&smith.header(&json!({})), text)?;
        smith.keep(format!("payload/{label}"), token);
    }
    let inner = smith.honest()?;
    let nested = smith.signed(&smith.header(&json!({ "cty": "JWT" })), &inner)?;
    smith.keep("nested/a token in a token", nested.clone());
    let outer = signed_by(
        &smith.thief,
        &smith.header(&json!({ "cty": "JWT" })),
        &inner,
    )?;
    smith.keep("nested/the honest token in a stranger's", outer);
    let twice = smith.signed(&smith.header(&json!({ "cty": "JWT" })), &nested)?;
    smith.keep("nested/three deep", twice);
    let claim = json!({ "jwt": inner, "sub": "ada" }).to_string();
    let token = signed_by(&smith.thief, &smith.header(&json!({})), claim)?;
    smith.keep("nested/the honest token as a claim", token);
    Ok(())
}

/// DEFLATE with one stored block (RFC 1951 section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut out = vec![1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(bytes);
    out
}
