//! What is taken out, and what stays.

use super::*;

const TOKEN: &str =
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJzdWIiOiJqYW5lIiwiYXVkIjoia3ViZSJ9.c2lnbmF0dXJl";

fn shapes(text: &str) -> String {
    Scrubber::new([]).text(text)
}

#[test]
fn what_has_the_shape_of_a_secret_goes_and_the_rest_of_its_line_stays() {
    let bcrypt = "$2a$10$33EMT0cVYVlPy6WAMCLsceLYjWhuHpbz5yuZxu/GAFj03J9Lytjuy";
    let lines = [
        format!("I1122 refused {TOKEN}, said the server"),
        format!("GET /api?access_token={TOKEN}&watch=1"),
        format!("Authorization: Bearer {TOKEN}"),
        "\"authorization\":[\"Basic a3ViZTp0b3Atc2VjcmV0\"]".to_owned(),
        "> Bearer ChlvcGFxdWUgdG9rZW4gb2YgRGV4".to_owned(),
        "Set-Cookie: AUTH_SESSION_ID=abc.def; Path=/; Secure".to_owned(),
        format!("    hash: {bcrypt}"),
        format!("{{\"password\":\"{bcrypt}\",\"email\":\"a@b.c\"}}"),
        "POST /token client_id=web&client_secret=hunter2&grant_type=password".to_owned(),
        "FLAG: --oidc-client-secret=\"hunter2\" next=1".to_owned(),
        "GET /callback?code=xyzxyz&state=s".to_owned(),
        r#"{"id_token": "a.b", "refresh_token":"c\"d", "expires_in": 3600}"#.to_owned(),
        r#"body="{\"client_secret\":\"hunter2\"}""#.to_owned(),
        "  - secret: hunter2".to_owned(),
        "jane: { login: jane, password: hunter2 }".to_owned(),
        "password: \"with blanks in it\"  # why".to_owned(),
        format!(
            "client-key-data: {}",
            STANDARD_NO_PAD.encode("-----BEGIN EC PRIVATE KEY-----\n")
        ),
        r#"{"key":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"}"#.to_owned(),
    ];
    insta::assert_snapshot!(lines.map(|line| shapes(&line)).join("\n"), @r##"
    I1122 refused [redacted], said the server
    GET /api?access_token=[redacted]&watch=1
    Authorization: Bearer [redacted]
    "authorization":["Basic [redacted]"]
    > Bearer [redacted]
    Set-Cookie: [redacted]
        hash: [redacted]
    {"password":"[redacted]","email":"a@b.c"}
    POST /token client_id=web&client_secret=[redacted]&grant_type=password
    FLAG: --oidc-client-secret=[redacted] next=1
    GET /callback?code=[redacted]&state=s
    {"id_token": "[redacted]", "refresh_token":"[redacted]", "expires_in": 3600}
    body="{\"client_secret\":\"[redacted]\"}"
      - secret: [redacted]
    jane: { login: jane, password: [redacted] }
    password: [redacted]  # why
    client-key-data: [redacted]
    {"key":"[redacted]\n"}
    "##);
}

#[test]
fn json_stays_json() {
    let commands = serde_json::json!({
        "reproduce": [
            "curl -d client_id=kube --data-urlencode \"password=hunter2\" -d scope=openid",
            "curl \"https://a.example/callback?code=hunter2\"",
            "curl --header \"Cookie: A=hunter2; B=hunter2\" https://a.example",
            "curl --header 'Set-Cookie: A=\"hunter2\"; B=hunter2'",
        ],
        "next": "stays",
    });
    let text = shapes(&serde_json::to_string_pretty(&commands).unwrap());
    let read: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}");
    });
    assert_eq!(read["next"], "stays");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn what_only_resembles_a_secret_stays() {
    let lines = [
        "E1122 invalid bearer token: oidc: verify token: oidc: expected audience \"kube\"",
        "grantTypes: [authorization_code, refresh_token, password]",
        "passwordConnector: local",
        "\"resource\":\"secrets\",\"name\":\"tls-secret\",\"code\":403",
        "clientSecret:",
        "  \"secret\": {",
        "password: |",
        "token_endpoint: https://127.0.0.1:1/token",
        "certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t",
        "-----BEGIN CERTIFICATE-----",
        "uid=08a8684b-db88-4b73-90a9-3cd1661f5466 sha256:e3b0c44298fc1c149afbf4c8996fb924",
    ];
    for line in lines {
        assert_eq!(shapes(line), line);
    }
}

#[test]
fn a_key_goes_with_all_its_lines_and_one_that_is_cut_off_with_what_is_there() {
    let key = "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nAbCd\n-----END RSA PRIVATE KEY-----\nb\n";
    assert_eq!(shapes(key), "a\n[redacted]\nb\n");
    let indented =
        "key: |\n  -----BEGIN PRIVATE KEY-----\n  MIIE\n  -----END PRIVATE KEY-----\nb: 1\n";
    assert_eq!(shapes(indented), "key: |\n  [redacted]\nb: 1\n");
    assert_eq!(
        shapes("-----BEGIN PRIVATE KEY-----\nMIIE\n"),
        "[redacted]\n"
    );
}

#[test]
fn what_is_known_goes_in_every_form_in_which_programs_write_it() {
    let secret = "top/secret \"quoted\" + more";
    let known = Scrubber::new([secret]);
    let inside = |before: &str| STANDARD_NO_PAD.encode(format!("{before}{secret}, and after"));
    for text in [
        secret.to_owned(),
        serde_json::to_string(secret).unwrap(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        inside(""),
        inside("a"),
        inside("ab"),
        inside("abc"),
    ] {
        let left = known.text(&format!("before {text} after"));
        assert!(left.contains(REDACTED), "{text}: {left}");
        let least = &text[text.len() / 4..text.len() / 2];
        assert!(!left.contains(least), "{text}: {left}");
    }
}

#[test]
fn base64_of_a_secret_goes_whatever_is_around_it_and_however_often_it_is_done() {
    let mut text = format!("Basic credentials of jane with {TOKEN} and more");
    for _ in 0..3 {
        text = STANDARD_NO_PAD.encode(format!("a:{text}"));
        assert_eq!(shapes(&format!("x={text}==;")), "x=[redacted];");
    }
    let public = STANDARD_NO_PAD.encode("-----BEGIN CERTIFICATE-----\nMIIE and so on");
    assert_eq!(shapes(&public), public);
}

#[test]
fn a_short_secret_is_taken_out_as_a_word_and_a_common_word_where_secrets_stand() {
    let known = Scrubber::new(["kube", "password", "abc", ""]);
    let text = "kube kubectl kube-apiserver (kube) abc grant_type=password password=password";
    assert_eq!(
        known.text(text),
        "[redacted] kubectl kube-apiserver ([redacted]) abc grant_type=password password=[redacted]"
    );
}

proptest::proptest! {
    #[test]
    fn no_text_around_a_secret_saves_it(before in ".{0,20}", after in ".{0,20}") {
        let known = Scrubber::new(["correct-horse-battery"]);
        let left = known.text(&format!("{before}correct-horse-battery{after}"));
        proptest::prop_assert!(!left.contains("horse"), "{}", left);
    }
}
