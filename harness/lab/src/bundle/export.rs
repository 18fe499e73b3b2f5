//! kind's own export of what its nodes have written.

use std::path::Path;

use super::archive::Bundle;
use super::secrets::Secrets;
use crate::backend::kind;
use crate::state::{BackendKind, STATE_FILE, State};

/// Adds what kind exports of the lab's clusters; nothing, for a lab that has none.
pub async fn kind_export(bundle: &mut Bundle, id: &str, folder: &Path) {
    let state = State::read(&folder.join(STATE_FILE));
    let Ok(state) = state else {
        bundle.miss(&format!("labs/{id}/kind: the lab does not run"));
        return;
    };
    if state.backend != BackendKind::Kind {
        return;
    }
    let mut secrets = Secrets::default();
    secrets.state(&state);
    secrets.folder(folder);
    let scrub = secrets.scrubber();
    // In the lab's folder: it goes with the lab, should this process not live to remove it.
    let place = match tempfile::tempdir_in(folder) {
        Ok(place) => place,
        Err(error) => return bundle.miss(&format!("labs/{id}/kind: {error}")),
    };
    for cluster in state.api_servers.keys().map(Some).chain([None]) {
        let cluster = cluster.map(String::as_str);
        if let Err(error) = kind::export(folder, cluster, place.path()).await {
            bundle.miss(&format!("labs/{id}/kind: {error}"));
        }
    }
    let about = "as `kind export logs` writes it";
    bundle.folder(place.path(), &format!("labs/{id}/kind/"), about, &scrub);
}
