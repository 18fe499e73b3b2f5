//! Grants that clusters have no use for, and the one read of the admin API.

use serde_json::{Value, json};

use crate::bench::{Bench, LAB, conversation};

conversation!(unasked_grants, real_unasked_grants, LAB, unasked);

const ROBOT: [(&str, &str); 2] = [("client_id", "robot"), ("client_secret", "robot-secret")];
const CIBA: [(&str, &str); 2] = [("client_id", "ciba"), ("client_secret", "ciba-secret")];

async fn unasked(bench: &mut Bench) {
    let cli = [("client_id", "cli")];
    let ciba = ("grant_type", "urn:openid:params:grant-type:ciba");
    let uma = ("grant_type", "urn:ietf:params:oauth:grant-type:uma-ticket");
    let [id, secret] = ROBOT;
    bench.post("begun, public", "token", &[ciba, cli[0]]).await;
    bench.post("begun, off", "token", &[ciba, id, secret]).await;
    bench.post("begin, public", "ext/ciba/auth", &cli).await;
    bench.post("begin, off", "ext/ciba/auth", &ROBOT).await;
    let wrong = [id, ("client_secret", "wrong")];
    bench
        .post("begin, wrong secret", "ext/ciba/auth", &wrong)
        .await;
    bench
        .post("permissions, public", "token", &[uma, cli[0]])
        .await;
    bench
        .post("permissions of nobody", "token", &[uma, id, secret])
        .await;
    let own = ("audience", "robot");
    bench
        .post("permissions of its own", "token", &[uma, id, secret, own])
        .await;
    let unknown = ("audience", "nobody");
    bench
        .post("of no client", "token", &[uma, id, secret, unknown])
        .await;

    let [id, secret] = CIBA;
    bench.post("begun, on", "token", &[ciba, id, secret]).await;
    let unknown = ("auth_req_id", "x");
    bench
        .post("begun, unknown", "token", &[ciba, id, secret, unknown])
        .await;
    let (openid, jane) = (("scope", "openid"), ("login_hint", "jane"));
    for (title, more) in [
        ("begin, for nobody", vec![openid]),
        ("begin, for nothing", vec![jane]),
        ("begin, unknown user", vec![openid, ("login_hint", "x")]),
        ("begin", vec![openid, jane]),
    ] {
        let form = [vec![id, secret], more].concat();
        bench.post(title, "ext/ciba/auth", &form).await;
    }
    bench
        .post("no service account", "token", &[uma, id, secret])
        .await;
}

async fn ask(bench: &Bench, realm: &str, token: Option<&str>) -> (u16, Value) {
    let root = bench.issuer.split("/realms/").next().unwrap();
    let mut request = bench.client.get(format!("{root}/admin/realms/{realm}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn token(bench: &mut Bench, client: &str, secret: &str) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", secret),
    ];
    let tokens = bench.post("token", "token", &form).await;
    tokens["access_token"].as_str().unwrap().to_owned()
}

async fn reads(bench: &mut Bench) {
    let reader = token(bench, "reader", "reader-secret").await;
    let robot = token(bench, "robot", "robot-secret").await;
    let refused = |error: &str| json!({ "error": error });
    let unauthorized = (401, refused("HTTP 401 Unauthorized"));
    assert_eq!(ask(bench, "lab", None).await, unauthorized);
    assert_eq!(ask(bench, "lab", Some("x")).await, unauthorized);
    let forbidden = (403, refused("HTTP 403 Forbidden"));
    assert_eq!(ask(bench, "lab", Some(&robot)).await, forbidden);
    let missing = (404, refused("Realm not found."));
    assert_eq!(ask(bench, "nope", Some(&reader)).await, missing);
    let (status, realm) = ask(bench, "lab", Some(&reader)).await;
    assert_eq!(status, 200);
    // A real one says more.
    let expected = json!({
        "realm": "lab", "enabled": true, "defaultSignatureAlgorithm": "RS256",
        "revokeRefreshToken": false, "refreshTokenMaxReuse": 0, "loginWithEmailAllowed": true,
        "accessTokenLifespan": 300, "ssoSessionIdleTimeout": 1800, "ssoSessionMaxLifespan": 36000,
        "clientSessionIdleTimeout": 0, "clientSessionMaxLifespan": 0,
        "offlineSessionIdleTimeout": 2_592_000, "offlineSessionMaxLifespanEnabled": false,
        "accessCodeLifespan": 60, "accessCodeLifespanLogin": 1800,
        "oauth2DeviceCodeLifespan": 600, "oauth2DevicePollingInterval": 5,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&realm[name], value, "{name}");
    }
    if bench.keycloak.is_some() {
        assert_eq!(realm, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_reads_the_realm() {
    reads(&mut Bench::embedded(LAB).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_reads_the_real_realm() {
    if let Some(mut bench) = Bench::real(LAB, "who_may_reads_the_real_realm") {
        reads(&mut bench).await;
    }
}
