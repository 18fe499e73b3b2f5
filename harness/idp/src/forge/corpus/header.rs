//! Headers that say more than they should, or are none.

use authlab_pki::PkiError;
use serde_json::json;

use super::smith::{Smith, assembled, base64};

pub(super) fn forge(smith: &mut Smith) -> Result<(), PkiError> {
    critical(smith)?;
    unencoded(smith)?;
    members(smith)?;
    texts(smith)
}

/// `crit` names what must be understood (RFC 7515 section 4.1.11): nothing is, here.
fn critical(smith: &mut Smith) -> Result<(), PkiError> {
    for (label, changes) in [
        (
            "unknown",
            json!({ "crit": ["example.com/must"], "example.com/must": true }),
        ),
        (
            "absent from the header",
            json!({ "crit": ["example.com/must"] }),
        ),
        ("exp", json!({ "crit": ["exp"], "exp": 4_102_444_800_u32 })),
        ("a name of the standard", json!({ "crit": ["alg"] })),
        ("empty", json!({ "crit": [] })),
        ("a text", json!({ "crit": "exp" })),
        ("numbers", json!({ "crit": [1] })),
        ("an object", json!({ "crit": {} })),
        ("true", json!({ "crit": true })),
        (
            "twice the same",
            json!({ "crit": ["exp", "exp"], "exp": 1 }),
        ),
    ] {
        let token = smith.signed(&smith.header(&changes), smith.payload(&json!({})))?;
        smith.keep(format!("crit/{label}"), token);
    }
    Ok(())
}

/// RFC 7797: the payload is signed, and may be sent, as it is.
fn unencoded(smith: &mut Smith) -> Result<(), PkiError> {
    let payload = smith.payload(&json!({}));
    let said = json!({ "b64": false, "crit": ["b64"] });
    for (label, header, sent) in [
        ("sent encoded", smith.header(&said), base64(&payload)),
        ("sent as it is", smith.header(&said), payload.clone()),
        ("sent apart", smith.header(&said), String::new()),
        (
            "not critical",
            smith.header(&json!({ "b64": false })),
            base64(&payload),
        ),
    ] {
        let header = base64(header);
        let signature = smith.rsa.sign(format!("{header}.{payload}").as_bytes())?;
        let token = assembled(&format!("{header}.{sent}"), &signature);
        smith.keep(format!("b64/{label}"), token);
    }
    let honest = smith.header(&json!({ "b64": true, "crit": ["b64"] }));
    let token = smith.signed(&honest, &payload)?;
    smith.keep("b64/true and critical", token);
    Ok(())
}

/// Members that say of the payload what it is not; the signature is honest.
fn members(smith: &mut Smith) -> Result<(), PkiError> {
    for (label, changes) in [
        ("typ/absent", json!({ "typ": null })),
        ("typ/of access tokens", json!({ "typ": "at+jwt" })),
        ("typ/of logout tokens", json!({ "typ": "logout+jwt" })),
        ("typ/JWE", json!({ "typ": "JWE" })),
        ("typ/a number", json!({ "typ": 7 })),
        ("cty/JWT", json!({ "cty": "JWT" })),
        ("cty/a list", json!({ "cty": ["JWT"] })),
        ("zip/DEF", json!({ "zip": "DEF" })),
        ("enc/A256GCM", json!({ "enc": "A256GCM" })),
        ("nonce/a text", json!({ "nonce": "abc" })),
        ("nonce/a number", json!({ "nonce": 7 })),
        (
            "iss/in the header",
            json!({ "iss": "https://elsewhere.example.com" }),
        ),
    ] {
        let token = smith.signed(&smith.header(&changes), smith.payload(&json!({})))?;
        smith.keep(format!("header/{label}"), token);
    }
    Ok(())
}

/// Texts that are not one JSON object in UTF-8; the signature is honest.
fn texts(smith: &mut Smith) -> Result<(), PkiError> {
    let honest = smith.header(&json!({}));
    let kid = smith.rsa.kid().to_owned();
    let inside = &honest[1..honest.len() - 1];
    let deep = format!(r#"{{{inside},"x":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    let utf16: Vec<u8> = honest.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin = [b"{\"x\":\"\xe9\",".as_slice(), &honest.as_bytes()[1..]].concat();
    let texts: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("an empty object", b"{}".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a list of the object", format!("[{honest}]").into_bytes()),
        ("a text", b"\"RS256\"".to_vec()),
        ("a number", b"256".to_vec()),
        ("null", b"null".to_vec()),
        ("no JSON", b"alg=RS256".to_vec()),
        ("not closed", honest.as_bytes()[..honest.len() - 1].to_vec()),
        ("two objects", format!("{honest}{honest}").into_bytes()),
        ("something behind it", format!("{honest}x").into_bytes()),
        ("a comma too many", format!("{{{inside},}}").into_bytes()),
        ("a comment", format!("{{/* none */{inside}}}").into_bytes()),
        (
            "a byte order mark",
            format!("\u{feff}{honest}").into_bytes(),
        ),
        ("NUL behind it", format!("{honest}\0").into_bytes()),
        ("apostrophes", honest.replace('"', "'").into_bytes()),
        (
            "names without quotes",
            honest.replace("\"alg\"", "alg").into_bytes(),
        ),
        ("UTF-16", utf16),
        ("Latin-1", latin),
        ("a hundred lists deep", deep.into_bytes()),
        (
            "alg twice, none last",
            format!(r#"{{"alg":"RS256","kid":"{kid}","alg":"none"}}"#).into_bytes(),
        ),
        (
            "alg twice, none first",
            format!(r#"{{"alg":"none","kid":"{kid}","alg":"RS256"}}"#).into_bytes(),
        ),
        (
            "alg twice, the same",
            format!(r#"{{"alg":"RS256","kid":"{kid}","alg":"RS256"}}"#).into_bytes(),
        ),
        (
            "white space around",
            format!(" \t\r\n{honest}\n ").into_bytes(),
        ),
        (
            "escapes in names",
            honest.replace("alg", "\\u0061lg").into_bytes(),
        ),
    ];
    let payload = base64(smith.payload(&json!({})));
    for (label, text) in texts {
        let input = format!("{}.{payload}", base64(text));
        let signature = smith.rsa.sign(input.as_bytes())?;
        smith.keep(format!("header/{label}"), assembled(&input, &signature));
    }
    Ok(())
}
