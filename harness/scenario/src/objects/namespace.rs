//! A namespace for each scenario, so that many can share a lab.

use std::hash::{BuildHasher, RandomState};

use serde_json::json;

use super::traces;
use crate::api::Call;
use crate::barrier::Barrier;
use crate::context::Context;
use crate::fault::Fault;

/// A name no other run has: the file's stem and a random number.
pub(crate) fn name(file: &str) -> String {
    let stem = file.rsplit('/').next().unwrap_or(file);
    let stem = stem.strip_suffix(".yaml").unwrap_or(stem);
    let label: String = stem
        .chars()
        .take(40)
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    // A hash under fresh random keys is a random number.
    let random = RandomState::new().hash_one(file) & 0xff_ffff;
    format!("{}-{random:06x}", label.trim_matches('-'))
}

/// Creates the scenario's namespace; its annotation says whose it is.
///
/// # Errors
/// When the API server refuses.
pub(crate) async fn create(context: &mut Context<'_>, scenario: &str) -> Result<(), Fault> {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": context.namespace,
            "annotations": { "authlab.dev/scenario": scenario },
        },
    });
    context
        .api
        .admin_does(Call::post("/api/v1/namespaces", &object))
        .await?;
    context.traces.barrier = Some(Barrier::new(&context.namespace));
    Ok(())
}

/// Removes it; the server clears what is in it in its own time.
///
/// # Errors
/// When the API server refuses.
pub(crate) async fn remove(context: &Context<'_>) -> Result<(), Fault> {
    let path = format!("/api/v1/namespaces/{}", context.namespace);
    traces::remove(&context.api, &path).await
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_name_is_a_dns_label_and_never_the_same() {
        let first = name("scenarios/a/Wrong_audience.yaml");
        assert!(first.starts_with("wrong-audience-"), "{first}");
        assert_eq!(first.len(), "wrong-audience-".len() + 6);
        assert_ne!(first, name("scenarios/a/Wrong_audience.yaml"));
        assert!(name(&"x".repeat(200)).len() < 63);
    }
}
