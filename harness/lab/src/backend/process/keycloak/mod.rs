//! Keycloak, from the very file that the embedded one imports: a realm of the lab's own on a server
//! that all labs of the checkout share.
//!
//! The realm is reached at the lab's own address, by a door that opens once the realm is there. So
//! the server may still boot while the API server starts, and a lab's Keycloak can be down while
//! that of others is not.

pub(in crate::backend) mod admin;
mod anonymous;
mod door;
pub(in crate::backend) mod import;
mod keys;
pub(in crate::backend) mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;

use authlab_idp::fault::Fault;
use tokio::sync::{Mutex, watch};

use self::door::Door;
use self::import::Import;
use self::server::Server;
pub(crate) use self::server::folder;
use super::{LabError, Site};
use crate::backend::ONLY_DOWN;
use crate::backend::kind::Workshop;
use crate::folder::owned;
use crate::spec::ProviderKind;

/// The realms of a lab and the server that has them.
#[derive(Debug)]
pub(super) struct Keycloaks {
    server: Server,
    realms: BTreeMap<String, Realm>,
    /// The folder of all labs.
    labs: PathBuf,
    /// The lab's CA, PEM.
    ca: String,
    /// Whether every realm is there.
    imported: watch::Sender<bool>,
}

#[derive(Debug)]
struct Realm {
    import: Import,
    door: Mutex<Door>,
}

impl Keycloaks {
    /// Uses the shared server, which is started when none runs, and takes the addresses of the
    /// lab's realms. `None` when the lab has no Keycloak.
    pub(super) async fn start(
        site: &mut Site,
        workshop: Option<&Workshop>,
    ) -> Result<Option<Self>, LabError> {
        if !site.plan.has(ProviderKind::Keycloak) {
            return Ok(None);
        }
        // Half a minute before a server could refuse them.
        let mut checked = Vec::new();
        for (name, provider) in site.plan.providers.clone() {
            let of_keycloak = provider.kind == ProviderKind::Keycloak;
            let (true, Some(file)) = (of_keycloak, provider.config.clone()) else {
                continue;
            };
            checked.push((name.clone(), Import::of(site, &name, &provider, file)?));
        }
        let server = Server::join(site, workshop).await?;
        let mut realms = BTreeMap::new();
        for (name, import) in checked {
            let door = site.listeners.remove(&name).map(Door::new);
            let door = door.unwrap_or_else(|| Err(std::io::ErrorKind::AddrNotAvailable.into()));
            let realm = Realm {
                import,
                door: Mutex::new(door.map_err(|cause| no_address(&name, cause))?),
            };
            realms.insert(name, realm);
        }
        Ok(Some(Self {
            server,
            realms,
            labs: site.folder.parent().unwrap_or(&site.folder).to_owned(),
            ca: site.authority.certificate_pem().to_owned(),
            imported: watch::channel(false).0,
        }))
    }

    /// Waits for the server, imports every realm of the lab and opens the doors.
    pub(super) async fn import(&self) -> Result<(), LabError> {
        self.server.ready().await?;
        self.sweep().await?;
        for (name, realm) in &self.realms {
            self.create(name, realm).await?;
        }
        self.imported.send_replace(true);
        Ok(())
    }

    /// Waits until every realm is there.
    pub(super) async fn imported(&self) {
        // An error would be the end of what is borrowed here.
        let _ = self.imported.subscribe().wait_for(|there| *there).await;
    }

    async fn create(&self, name: &str, realm: &Realm) -> Result<(), LabError> {
        let mark = self.server.mark();
        let cause = || self.server.cause_since(mark);
        realm.import.create(name, &self.server.admin, cause).await?;
        let mut door = realm.door.lock().await;
        let opened = door.open(self.server.address());
        opened.map_err(|cause| no_address(name, cause))?;
        drop(door);
        let import = &realm.import;
        let url = &import.issuer;
        let said = || self.server.said_since(mark);
        let admin = &self.server.admin;
        import.is_there((name, said), admin, url, &self.ca).await
    }

    /// Removes realms of labs that are gone: their hosts were killed.
    async fn sweep(&self) -> Result<(), LabError> {
        let living = |id: &str| {
            let folders = std::fs::read_dir(&self.labs)
                .into_iter()
                .flatten()
                .flatten();
            let mut of_that_name =
                folders.filter(|entry| entry.file_name().to_string_lossy().to_lowercase() == id);
            of_that_name.any(|entry| owned(&entry.path()))
        };
        for realm in self.server.admin.realms().await? {
            if let Some((id, _)) = realm.rsplit_once('.')
                && !living(id)
            {
                self.server.admin.remove(&realm).await?;
            }
        }
        Ok(())
    }

    /// The issuers of the lab's realms.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &str> {
        self.realms
            .values()
            .map(|realm| realm.import.issuer.as_str())
    }

    /// Whether the lab calls a Keycloak so.
    pub(super) fn has(&self, name: &str) -> bool {
        self.realms.contains_key(name)
    }

    /// Signs with a new key from now on; the old ones stay published.
    pub(super) async fn rotate_keys(&self, name: &str) -> Result<(), String> {
        let realm = self.realm(name)?;
        let rotated = self.server.admin.rotate(&realm.import.name).await;
        rotated.map_err(|error| error.to_string())
    }

    /// Lets everybody in again whom wrong passwords have locked out.
    pub(super) async fn unlock(&self, name: &str) -> Result<(), String> {
        let import = &self.realm(name)?.import;
        let unlocked = import.unlock(&self.server.admin).await;
        unlocked.map_err(|error| error.to_string())
    }

    /// Refuses connections, or takes them again.
    pub(super) async fn fault(&self, name: &str, fault: Option<Fault>) -> Result<(), String> {
        let mut door = self.realm(name)?.door.lock().await;
        let done = match fault {
            Some(Fault::Down) => door.close().await,
            None => door.open(self.server.address()),
            Some(_) => return Err(ONLY_DOWN.to_owned()),
        };
        done.map_err(|error| error.to_string())
    }

    fn realm(&self, name: &str) -> Result<&Realm, String> {
        let realm = self.realms.get(name);
        realm.ok_or_else(|| format!("no Keycloak `{name}` in this lab"))
    }

    /// Ends only when the server has died.
    pub(super) async fn died(&self) -> LabError {
        self.server.died().await
    }

    /// Removes the lab's realms. The server is left to the next lab of this process.
    pub(super) async fn stop(self) {
        for realm in self.realms.into_values() {
            // A server that is gone has no realms.
            if let Err(error) = self.server.admin.remove(&realm.import.name).await {
                tracing::debug!(realm = realm.import.name, %error, "a realm stays behind");
            }
        }
    }
}

fn no_address(name: &str, cause: std::io::Error) -> LabError {
    LabError::System {
        what: format!("no address for {name}"),
        cause,
    }
}
