//! The keys of a Dex, in the lab's etcd, where it looks after them by time alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Under which it keeps its keys (`storage/etcd` of Dex).
const KEYS: &str = "openid-connect-keys";
/// When the next key is due, among them.
const DUE: &str = "NextRotation";

/// Makes the signing key of the Dex with this configuration due for replacement: it makes another
/// one as soon as it looks, and keeps the old one published as long as its tokens may live.
///
/// # Errors
/// When it does not keep its keys in etcd, or etcd does not do as asked.
pub(super) async fn expire(config: &str) -> Result<(), String> {
    let config: Value = serde_yaml::from_str(config).map_err(|error| error.to_string())?;
    let storage = &config["storage"];
    let (Some("etcd"), Some(etcd)) = (
        storage["type"].as_str(),
        storage["config"]["endpoints"][0].as_str(),
    ) else {
        return Err(
            "its keys can be replaced only where it keeps them in the lab's etcd: \
                    write `type: \"${lab.storage.type}\"` under `storage`"
                .to_owned(),
        );
    };
    let namespace = storage["config"]["namespace"].as_str().unwrap_or_default();
    let key = STANDARD.encode(format!("{namespace}{KEYS}"));
    let kept = ask(etcd, "range", &json!({ "key": key })).await?;
    let kept = kept["kvs"][0]["value"].as_str().unwrap_or_default();
    let kept = STANDARD.decode(kept).unwrap_or_default();
    let mut kept: Value = serde_json::from_slice(&kept)
        .map_err(|_| format!("there are no keys under {namespace}{KEYS} in its storage"))?;
    kept[DUE] = json!("2000-01-01T00:00:00Z");
    let value = STANDARD.encode(kept.to_string());
    ask(etcd, "put", &json!({ "key": key, "value": value })).await?;
    Ok(())
}

/// A call of etcd's JSON gateway (etcd documentation, "gRPC gateway").
async fn ask(etcd: &str, call: &str, body: &Value) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| format!("etcd, {call}: {error}");
    let http = authlab_pki::http::client("").map_err(|error| failed(&error))?;
    let request = http.post(format!("{etcd}/v3/kv/{call}")).json(body);
    let answer = request
        .send()
        .await
        .and_then(reqwest::Response::error_for_status);
    let answer = answer.map_err(|error| failed(&error))?;
    answer.json().await.map_err(|error| failed(&error))
}
