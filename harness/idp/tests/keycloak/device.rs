//! Logins on another device, the user's side driven through its pages.

use scraper::{Html, Selector};
use serde_json::Value;

use crate::bench::{Bench, LAB, conversation};

conversation!(devices, real_devices, LAB, devices_and_users);
conversation!(careful_devices, real_careful_devices, LAB, careful);
conversation!(several_devices, real_several_devices, LAB, of_one_session);
conversation!(proven_devices, real_proven_devices, LAB, proven);

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An attribute of the first element that fits.
fn attribute(page: &str, selector: &str, name: &str) -> String {
    let selector = Selector::parse(selector).unwrap();
    let document = Html::parse_document(page);
    let element = document.select(&selector).next().unwrap();
    element.value().attr(name).unwrap().to_owned()
}

async fn poll(bench: &mut Bench, title: &str, device: &Value) {
    let code = device["device_code"].as_str().unwrap();
    let form = [
        ("grant_type", GRANT),
        ("client_id", "cli"),
        ("device_code", code),
    ];
    bench.post(title, "token", &form).await;
}

/// From the address that the device shows to the question whether it may.
async fn until_consent(bench: &mut Bench, device: &Value, login: bool) -> (String, String) {
    let start = device["verification_uri_complete"].as_str().unwrap();
    let (location, _) = bench
        .send("user opens the address", bench.client.get(start))
        .await;
    let request = bench.client.get(location.unwrap());
    let (mut location, page) = bench.send("and comes to", request).await;
    if login {
        let action = attribute(&page, "#kc-form-login", "action");
        let form = [
            ("username", "jane"),
            ("password", "password"),
            ("credentialId", ""),
        ];
        let request = bench.client.post(action).form(&form);
        location = bench.send("logs in", request).await.0;
    }
    let request = bench.client.get(location.unwrap());
    let (_, page) = bench.send("is asked", request).await;
    let root = bench.issuer.split("/realms/").next().unwrap().to_owned();
    let action = format!("{root}{}", attribute(&page, "form", "action"));
    (action, attribute(&page, "input[name=code]", "value"))
}

async fn devices_and_users(bench: &mut Bench) {
    let cli = [("client_id", "cli"), ("scope", "openid groups")];
    bench
        .post(
            "not for this client",
            "auth/device",
            &[("client_id", "strict")],
        )
        .await;
    bench
        .post("unknown client", "auth/device", &[("client_id", "x")])
        .await;
    bench
        .post(
            "wrong scope",
            "auth/device",
            &[cli[0], ("scope", "nothing")],
        )
        .await;
    let device = bench.post("device", "auth/device", &cli).await;
    poll(bench, "too early", &device).await;
    poll(bench, "too often", &device).await;
    poll(
        bench,
        "wrong code",
        &serde_json::json!({"device_code": "x"}),
    )
    .await;
    bench
        .post("no code", "token", &[("grant_type", GRANT), cli[0]])
        .await;

    let page = format!("{}/device", bench.issuer);
    bench.send("page", bench.client.get(&page)).await;
    bench
        .send(
            "wrong user code",
            bench.client.get(format!("{page}?user_code=XXXX-XXXX")),
        )
        .await;

    let device = bench
        .post("device to be granted", "auth/device", &cli)
        .await;
    let (action, code) = until_consent(bench, &device, true).await;
    let form = [("code", code.as_str()), ("accept", "Yes")];
    let request = bench.client.post(action).form(&form);
    let (location, _) = bench.send("grants", request).await;
    bench
        .send("is told", bench.client.get(location.unwrap()))
        .await;
    poll(bench, "granted", &device).await;
    poll(bench, "granted once only", &device).await;
}

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CAREFUL: [(&str, &str); 3] = [
    ("client_id", "careful"),
    (
        "code_challenge",
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    ),
    ("code_challenge_method", "S256"),
];

/// A client whose devices have to prove that they go on with what they began (RFC 7636).
async fn careful(bench: &mut Bench) {
    let [client, challenge, _] = CAREFUL;
    bench.post("no challenge", "auth/device", &[client]).await;
    let plain = [client, challenge, ("code_challenge_method", "plain")];
    bench.post("another method", "auth/device", &plain).await;
    prove(bench, "no verifier", &[]).await;
}

async fn proven(bench: &mut Bench) {
    prove(bench, "the verifier", &[("code_verifier", VERIFIER)]).await;
}

async fn prove(bench: &mut Bench, title: &str, proof: &[(&str, &str)]) {
    let device = bench.post("device", "auth/device", &CAREFUL).await;
    let (action, code) = until_consent(bench, &device, true).await;
    let form = [("code", code.as_str()), ("accept", "Yes")];
    let request = bench.client.post(action).form(&form);
    bench.send("grants", request).await;
    let code = device["device_code"].as_str().unwrap();
    let mut form = vec![("grant_type", GRANT), CAREFUL[0], ("device_code", code)];
    form.extend(proof);
    bench.post(title, "token", &form).await;
}

/// Who is logged in already is not asked for a password again, and may say no.
async fn of_one_session(bench: &mut Bench) {
    let cli = [("client_id", "cli"), ("scope", "openid")];
    for (login, answer) in [(true, "accept"), (false, "accept"), (false, "cancel")] {
        let device = bench.post("device", "auth/device", &cli).await;
        let (action, code) = if login {
            until_consent(bench, &device, true).await
        } else {
            until_asked_again(bench, &device).await
        };
        let form = [("code", code.as_str()), (answer, "Yes")];
        let request = bench.client.post(action).form(&form);
        let (location, _) = bench.send(answer, request).await;
        bench
            .send("is told", bench.client.get(location.unwrap()))
            .await;
        poll(bench, "and the device", &device).await;
    }
}

async fn until_asked_again(bench: &mut Bench, device: &Value) -> (String, String) {
    let start = device["verification_uri_complete"].as_str().unwrap();
    let mut location = Some(start.to_owned());
    let mut page = String::new();
    while let Some(next) = location {
        let request = bench.client.get(next);
        (location, page) = bench.send("user goes on", request).await;
    }
    let root = bench.issuer.split("/realms/").next().unwrap().to_owned();
    let action = format!("{root}{}", attribute(&page, "form", "action"));
    (action, attribute(&page, "input[name=code]", "value"))
}
