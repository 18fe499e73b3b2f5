//! Claims that no honest issuer would sign, signed by it nevertheless.

use authlab_pki::PkiError;
use serde_json::json;

use super::smith::Smith;

pub(super) fn forge(smith: &mut Smith) -> Result<(), PkiError> {
    issuers(smith)?;
    audiences(smith)?;
    times(smith)?;
    others(smith)?;
    twice(smith)
}

/// Keeps one token a claim's value, given as JSON text.
fn values(smith: &mut Smith, claim: &str, values: &[(&str, &str)]) -> Result<(), PkiError> {
    for (label, value) in values {
        let text = smith.payload(&json!({ claim: null }));
        let comma = if text == "{}" { "" } else { "," };
        let text = format!("{{\"{claim}\":{value}{comma}{}", &text[1..]);
        let token = smith.signed(&smith.header(&json!({})), text)?;
        smith.keep(format!("{claim}/{label}"), token);
    }
    if smith.claims.contains_key(claim) {
        let absent = smith.payload(&json!({ claim: null }));
        let token = smith.signed(&smith.header(&json!({})), absent)?;
        smith.keep(format!("{claim}/absent"), token);
    }
    Ok(())
}

fn issuers(smith: &mut Smith) -> Result<(), PkiError> {
    let issuer = smith.issuer.clone();
    let quoted = |text: String| json!(text).to_string();
    let port = issuer.rsplit(':').next().unwrap_or_default().to_owned();
    let texts = [
        ("with a slash", quoted(format!("{issuer}/"))),
        ("with a space", quoted(format!("{issuer} "))),
        ("with a line break", quoted(format!("{issuer}\n"))),
        ("with NUL", quoted(format!("{issuer}\0"))),
        ("with a query", quoted(format!("{issuer}?"))),
        ("with a fragment", quoted(format!("{issuer}#"))),
        ("with a path that leads back", quoted(format!("{issuer}/."))),
        (
            "with a user",
            quoted(issuer.replace("https://", "https://a@")),
        ),
        ("plain http", quoted(issuer.replace("https:", "http:"))),
        (
            "scheme in capitals",
            quoted(issuer.replace("https", "HTTPS")),
        ),
        (
            "by another name of the host",
            quoted(format!("https://localhost:{port}")),
        ),
        (
            "by another form of the address",
            quoted(format!("https://127.1:{port}")),
        ),
        (
            "with a lookalike letter",
            quoted(issuer.replace("https", "http\u{455}")),
        ),
        ("with wide digits", quoted(issuer.replace('1', "\u{ff11}"))),
        (
            "with a dot of another script",
            quoted(issuer.replace('.', "\u{3002}")),
        ),
        (
            "with a zero-width space",
            quoted(format!("{issuer}\u{200b}")),
        ),
        ("percent-encoded", quoted(issuer.replace(':', "%3A"))),
        (
            "without a port",
            quoted(issuer.replace(&format!(":{port}"), "")),
        ),
        (
            "a stranger's",
            quoted("https://attacker.example.com".to_owned()),
        ),
        (
            "the cluster's own",
            quoted("https://kubernetes.default.svc.cluster.local".to_owned()),
        ),
        (
            "the old one of service accounts",
            quoted("kubernetes/serviceaccount".to_owned()),
        ),
        ("empty", quoted(String::new())),
        ("null", "null".to_owned()),
        ("a number", "7".to_owned()),
        ("a list", format!("[{}]", quoted(issuer.clone()))),
        (
            "an object",
            format!("{{\"url\":{}}}", quoted(issuer.clone())),
        ),
        ("true", "true".to_owned()),
    ];
    let texts: Vec<(&str, &str)> = texts.iter().map(|(l, v)| (*l, v.as_str())).collect();
    values(smith, "iss", &texts)
}

fn audiences(smith: &mut Smith) -> Result<(), PkiError> {
    values(
        smith,
        "aud",
        &[
            ("another", r#""other""#),
            ("others", r#"["other","another"]"#),
            ("no one", "[]"),
            ("empty", r#""""#),
            ("null", "null"),
            ("a number", "7"),
            ("an object", r#"{"kube":true}"#),
            ("true", "true"),
            ("numbers", "[1,2]"),
            ("nulls", "[null]"),
            ("lists", r#"[["kube"]]"#),
            ("the right one and a number", r#"["kube",7]"#),
            ("with a space", r#""kube ""#),
            ("with a comma", r#""kube,other""#),
            ("a list in a text", r#""[\"kube\"]""#),
            ("a star", r#""*""#),
            ("with NUL", r#""kube\u0000""#),
            ("in capitals", r#""KUBE""#),
            ("a lookalike", r#""kub\u0435""#),
            ("a part of it", r#""kub""#),
            ("more than it", r#""kubernetes""#),
        ],
    )
}

fn times(smith: &mut Smith) -> Result<(), PkiError> {
    let wrong = [
        ("zero", "0"),
        ("long ago", "1000000000"),
        ("negative", "-1"),
        ("very negative", "-9223372036854775808"),
        ("the largest", "9223372036854775807"),
        ("larger than the largest", "9223372036854775808"),
        ("larger than every double", "1e309"),
        ("ten to the nineteen", "1e19"),
        ("small and written large", "1e3"),
        ("not a number", "NaN"),
        ("infinite", "Infinity"),
        ("hexadecimal", "0xffffffff"),
        ("with a plus", "+4102444800"),
        ("with a zero before", "04102444800"),
        ("with an underscore", "4_102_444_800"),
        ("a text that is no number", r#""tomorrow""#),
        ("a date", r#""2100-01-01T00:00:00Z""#),
        ("an old number as a text", r#""1000000000""#),
        ("a text with a space", r#"" 4102444800""#),
        ("an empty text", r#""""#),
        ("true", "true"),
        ("null", "null"),
        ("a list", "[4102444800]"),
        ("an object", r#"{"seconds":4102444800}"#),
    ];
    values(smith, "exp", &wrong)?;
    values(
        smith,
        "nbf",
        &[
            ("far ahead", "4102444800"),
            ("as a text", r#""4102444800""#),
            ("a word", r#""later""#),
            ("true", "true"),
            ("not a number", "NaN"),
            ("a list", "[0]"),
        ],
    )?;
    values(
        smith,
        "iat",
        &[
            ("a word", r#""now""#),
            ("true", "true"),
            ("a list", "[]"),
            ("an object", "{}"),
            ("far ahead", "4102444800"),
        ],
    )
}

fn others(smith: &mut Smith) -> Result<(), PkiError> {
    values(
        smith,
        "sub",
        &[
            ("a number", "7"),
            ("a list", r#"["ada"]"#),
            ("an object", "{}"),
            ("true", "true"),
            ("a lone surrogate", r#""\ud800""#),
            ("with a bad escape", r#""\x41""#),
            ("with a line break", "\"a\nb\""),
        ],
    )?;
    values(
        smith,
        "groups",
        &[
            ("a number", "7"),
            ("an object", "{}"),
            ("a list of lists", r#"[["dev"]]"#),
        ],
    )?;
    values(smith, "nonce", &[("a number", "7")])?;
    values(smith, "at_hash", &[("a list", "[]")])?;
    values(
        smith,
        "_claim_names",
        &[
            ("a text", r#""groups""#),
            ("of no source", r#"{"groups":"src1"}"#),
            ("of an empty source", r#"{"groups":""}"#),
        ],
    )
}

/// A claim twice, or once more in another spelling: the last one counts, and spelling does not count for all of them.
fn twice(smith: &mut Smith) -> Result<(), PkiError> {
    for (claim, wrong) in [
        ("iss", r#""https://attacker.example.com""#),
        ("aud", r#""other""#),
        ("exp", "1000000000"),
        ("sub", "7"),
    ] {
        let other = claim.to_uppercase();
        for (label, text) in [
            (
                "twice, the wrong one last",
                smith.payload_then(&format!("\"{claim}\":{wrong}")),
            ),
            (
                "twice, the wrong one first",
                smith.payload_after(&format!("\"{claim}\":{wrong}")),
            ),
            (
                "again in capitals, wrong",
                smith.payload_then(&format!("\"{other}\":{wrong}")),
            ),
        ] {
            let token = smith.signed(&smith.header(&json!({})), text)?;
            smith.keep(format!("{claim}/{label}"), token);
        }
        let only = smith
            .payload(&json!({}))
            .replace(&format!("\"{claim}\""), &format!("\"{other}\""));
        let token = smith.signed(&smith.header(&json!({})), only)?;
        smith.keep(format!("{claim}/in capitals only"), token);
    }
    Ok(())
}
