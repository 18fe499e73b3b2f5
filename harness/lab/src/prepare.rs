//! Addresses before files: everything is bound, then every placeholder has its value.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use authlab_idp::forge::Forge;
use authlab_pki::Authority;
use secrecy::ExposeSecret;
use tokio::sync::watch;

use crate::backend::{LabError, REALM, Site, api_server};
use crate::checkout::Checkout;
use crate::host::system;
use crate::kubeconfig::{self, Cluster, Login};
use crate::plan::Plan;
use crate::render::Values;
use crate::spec::{ProviderKind, realm_of};
use crate::state::{DEFAULT_CLUSTER, write_private};

/// The administrator's kubeconfig, in the lab's folder.
const KUBECONFIG: &str = "kubeconfig";
/// How long the client certificates of a lab are good for: longer than a lab lives.
pub(crate) const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// The name of a provider's realm: its own among all labs, which may share a server. Keycloak
/// writes it in small letters where it names roles after it.
fn realm(id: &str, provider: &str) -> String {
    format!("{id}.{provider}").to_lowercase()
}

fn bind(address: IpAddr) -> Result<TcpListener, LabError> {
    let what = format!("cannot bind a port of {address}");
    TcpListener::bind((address, 0)).map_err(system(&what))
}

/// The way to an issuer that others know: at its own port where it is at a loopback address, so that
/// its URL is good here too.
fn bind_for(issuer: &str) -> Result<TcpListener, LabError> {
    let url = reqwest::Url::parse(issuer).ok();
    let port = url
        .filter(|url| matches!(url.host_str(), Some("127.0.0.1" | "localhost")))
        .and_then(|url| url.port());
    let Some(port) = port else {
        return bind(Ipv4Addr::LOCALHOST.into());
    };
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| LabError::Missing {
        what: format!("the port {port} of this machine, for the issuer {issuer}: {error}"),
        help: "a lab that uses it may run already: see `cargo xtask status`".to_owned(),
    })
}

/// Binds every address, starts the forges, writes certificates and the kubeconfig. Identity
/// providers are at `address`.
///
/// # Errors
/// When something cannot be bound or written.
pub(crate) async fn site(
    checkout: &Checkout,
    plan: &Plan,
    id: &str,
    folder: &Path,
    address: IpAddr,
) -> Result<(Site, BTreeMap<String, Forge>), LabError> {
    let authority = checkout.authority()?;
    let keys = checkout.keys()?;
    let mut values = Values::new();
    let mut set = |name: String, value: &str| values.insert(name, value.to_owned());
    let mut listeners = BTreeMap::new();
    let mut forges = BTreeMap::new();

    let ca = authority.certificate_pem();
    let ca_file = folder.join("ca.pem");
    write_private(&ca_file, plan.authorities(ca).as_bytes())
        .map_err(system("cannot write the CA's certificate"))?;
    set("lab.ca".to_owned(), ca);
    set(
        "lab.ca.other".to_owned(),
        checkout.other_authority()?.certificate_pem(),
    );
    set("lab.file.ca".to_owned(), &ca_file.display().to_string());

    // For a client whose redirect URI is registered with its port. Held until all others are bound.
    let free = bind(Ipv4Addr::LOCALHOST.into())?;
    let port = free
        .local_addr()
        .map_err(system("cannot read a bound address"))?
        .port();
    set("lab.port.client".to_owned(), &port.to_string());

    for cluster in plan.clusters() {
        let listener = bind(Ipv4Addr::LOCALHOST.into())?;
        let address = listener
            .local_addr()
            .map_err(system("cannot read a bound address"))?;
        let name = api_server(cluster);
        set(format!("lab.{name}.url"), &format!("https://{address}"));
        listeners.insert(name, listener);
    }

    let kept = watch::Sender::default();
    for (name, provider) in &plan.providers {
        if let (true, Some(issuer)) = (provider.is_elsewhere(), &provider.issuer) {
            set(format!("lab.idp.{name}.issuer"), issuer);
            continue;
        }
        // Elsewhere than in that cluster, the lab has a URL of its own.
        let known = (plan.existing.as_ref()).and(provider.issuer.as_deref());
        let listener = match known {
            Some(issuer) => bind_for(issuer)?,
            None => bind(address)?,
        };
        let certificate = {
            let host = address.to_string();
            authority.server_certificate(&[host.as_str(), "127.0.0.1", "localhost"])?
        };
        let address = listener
            .local_addr()
            .map_err(system("cannot read a bound address"))?;
        set(format!("lab.idp.{name}.listen"), &address.to_string());
        set(format!("lab.idp.{name}.port"), &address.port().to_string());
        let issuer = match provider.kind {
            ProviderKind::Dex => {
                for (what, content) in [
                    ("cert", certificate.pem.as_str()),
                    ("key", certificate.key_pem.expose_secret()),
                ] {
                    let file = folder.join(format!("{name}-{what}.pem"));
                    write_private(&file, content.as_bytes())
                        .map_err(system("cannot write a certificate"))?;
                    set(
                        format!("lab.file.{name}.{what}"),
                        &file.display().to_string(),
                    );
                }
                listeners.insert(name.clone(), listener);
                format!("https://{address}/dex")
            }
            ProviderKind::Keycloak => {
                listeners.insert(name.clone(), listener);
                let realm = known.and_then(realm_of).unwrap_or_else(|| realm(id, name));
                set(format!("lab.idp.{name}.realm"), &realm);
                format!("https://{address}/realms/{realm}")
            }
            ProviderKind::Forge => {
                let issuer = format!("https://{address}");
                let (keys, kept) = (keys.clone(), kept.clone());
                let forge = Forge::start(listener, issuer.clone(), certificate, keys, name, kept)
                    .await
                    .map_err(|error| LabError::Refused {
                        component: name.clone(),
                        message: error.to_string(),
                    })?;
                forges.insert(name.clone(), forge);
                issuer
            }
        };
        let issuer = known.unwrap_or(&issuer);
        set(format!("lab.idp.{name}.issuer"), issuer);
    }
    for (name, service) in &plan.services {
        let ip = service.cluster_ip.to_string();
        let certificate = authority.server_certificate(&[&service.host, &ip])?;
        for (what, value) in [
            ("host", service.host.as_str()),
            ("ip", &ip),
            ("cert", &certificate.pem),
            ("key", certificate.key_pem.expose_secret()),
        ] {
            set(format!("lab.service.{name}.{what}"), value);
        }
    }
    // What the file of a realm calls itself; in a lab with several, each says its own.
    let mut realms = plan.providers.keys();
    let realm = realms.find_map(|name| values.get(&format!("lab.idp.{name}.realm")));
    if let Some(realm) = realm.cloned() {
        values.insert(REALM.to_owned(), realm);
    }
    let mut set = |name: String, value: &str| values.insert(name, value.to_owned());
    set(
        "lab.file.kubeconfig".to_owned(),
        &kubeconfig_file(folder, DEFAULT_CLUSTER)
            .display()
            .to_string(),
    );
    write_kubeconfigs(plan, folder, &authority, &values)?;
    drop(free);
    let site = Site {
        id: id.to_owned(),
        folder: folder.to_owned(),
        plan: plan.of_its_own(),
        values,
        authority,
        keys,
        listeners,
        kept,
    };
    Ok((site, forges))
}

/// The kubeconfig whose current context is an API server's.
pub(crate) fn kubeconfig_file(folder: &Path, cluster: &str) -> PathBuf {
    folder.join(match cluster {
        DEFAULT_CLUSTER => KUBECONFIG.to_owned(),
        name => format!("{KUBECONFIG}-{name}"),
    })
}

/// The administrator first, then a context for each provider that people log in at by kubelogin;
/// all of them at every API server. A file for each server, which differ in what is current.
fn write_kubeconfigs(
    plan: &Plan,
    folder: &Path,
    authority: &Authority,
    values: &Values,
) -> Result<(), LabError> {
    let admin = authority.client_certificate(
        "authlab-admin",
        &["system:masters".to_owned()],
        CERTIFICATE_LIFETIME,
    )?;
    let admin = Login::Certificate {
        certificate: admin.pem,
        key: admin.key_pem,
    };
    let mut logins = vec![("admin", admin)];
    for (name, provider) in &plan.providers {
        if let Some(client) = &provider.client {
            let issuer = &values[&format!("lab.idp.{name}.issuer")];
            let login = Login::kubelogin(
                provider.kind,
                issuer,
                client,
                &folder.join("ca.pem"),
                folder,
            );
            logins.push((name, login));
        }
    }
    let mut clusters: Vec<Cluster<'_>> = plan
        .clusters()
        .map(|name| Cluster {
            name: (name != DEFAULT_CLUSTER).then_some(name),
            server: &values[&format!("lab.{}.url", api_server(name))],
        })
        .collect();
    for name in plan.clusters() {
        let ca = authority.certificate_pem();
        let text = kubeconfig::text(&plan.lab, &clusters, ca, &logins);
        let file = kubeconfig_file(folder, name);
        write_private(&file, text.expose_secret().as_bytes())
            .map_err(system("cannot write the kubeconfig"))?;
        // The next one is current in its own file.
        clusters.rotate_left(1);
    }
    Ok(())
}
