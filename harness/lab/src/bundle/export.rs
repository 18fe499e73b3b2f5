//! kind's own export of what its nodes have written.

use super::archive::Bundle;
use super::gather::{Subject, rendered, scrubber};
use crate::backend::kind;
use crate::folder;
use crate::state::{BackendKind, STATE_FILE, State};

/// Adds what kind exports of the lab's clusters; nothing, for a lab that has none.
pub async fn kind_export(bundle: &mut Bundle, subject: &Subject) {
    let folder = subject.folder.as_path();
    let id = folder.file_name().unwrap_or_default().to_string_lossy();
    let state = State::read(&folder.join(STATE_FILE));
    let Ok(state) = state else {
        bundle.miss(&format!("labs/{id}/kind: the lab does not run"));
        return;
    };
    if state.backend != BackendKind::Kind {
        return;
    }
    let plan = subject.plan.clone().or_else(|| folder::plan(folder));
    let texts = plan.map(|plan| rendered(&plan, Some(&state)));
    let scrub = scrubber(folder, Some(&state), &texts.unwrap_or_default());
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
