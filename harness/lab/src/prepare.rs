//! Addresses before files: everything is bound, then every placeholder has its value.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use authlab_idp::forge::Forge;
use authlab_pki::Authority;
use secrecy::{ExposeSecret, SecretString};

use crate::backend::{API_SERVER, LabError, Site};
use crate::checkout::Checkout;
use crate::host::system;
use crate::kubeconfig::{self, Login};
use crate::plan::Plan;
use crate::render::Values;
use crate::spec::ProviderKind;
use crate::state::write_private;

/// The administrator's kubeconfig, in the lab's folder.
pub(crate) const KUBECONFIG: &str = "kubeconfig";
/// How long the client certificates of a lab are good for: longer than a lab lives.
pub(crate) const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

fn bind() -> Result<TcpListener, LabError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(system("cannot bind a loopback port"))
}

/// Binds every address, starts the forges, writes certificates and the kubeconfig.
///
/// # Errors
/// When something cannot be bound or written.
pub(crate) async fn site(
    checkout: &Checkout,
    plan: &Plan,
    id: &str,
    folder: &Path,
) -> Result<(Site, BTreeMap<String, Forge>), LabError> {
    let authority = checkout.authority()?;
    let keys = checkout.keys()?;
    let mut values = Values::new();
    let mut set = |name: String, value: &str| values.insert(name, value.to_owned());
    let mut listeners = BTreeMap::new();
    let mut forges = BTreeMap::new();

    let ca = authority.certificate_pem();
    let ca_file = folder.join("ca.pem");
    write_private(&ca_file, ca.as_bytes()).map_err(system("cannot write the CA's certificate"))?;
    set("lab.ca".to_owned(), ca);
    set(
        "lab.ca.other".to_owned(),
        checkout.other_authority()?.certificate_pem(),
    );
    set("lab.file.ca".to_owned(), &ca_file.display().to_string());

    let listener = bind()?;
    let address = listener
        .local_addr()
        .map_err(system("cannot read a bound address"))?;
    let url = format!("https://{address}");
    listeners.insert(API_SERVER.to_owned(), listener);
    set("lab.apiserver.url".to_owned(), &url);

    for (name, provider) in &plan.providers {
        let listener = bind()?;
        let address = listener
            .local_addr()
            .map_err(system("cannot read a bound address"))?;
        let certificate = authority.server_certificate(&["127.0.0.1", "localhost"])?;
        set(format!("lab.idp.{name}.listen"), &address.to_string());
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
            ProviderKind::Forge => {
                let issuer = format!("https://{address}");
                let forge = Forge::start(listener, issuer.clone(), certificate, keys.clone(), name)
                    .await
                    .map_err(|error| LabError::Refused {
                        component: name.clone(),
                        message: error.to_string(),
                    })?;
                forges.insert(name.clone(), forge);
                issuer
            }
        };
        set(format!("lab.idp.{name}.issuer"), &issuer);
    }
    let kubeconfig_file = folder.join(KUBECONFIG);
    set(
        "lab.file.kubeconfig".to_owned(),
        &kubeconfig_file.display().to_string(),
    );
    let text = kubeconfig_text(plan, folder, &authority, &values)?;
    write_private(&kubeconfig_file, text.expose_secret().as_bytes())
        .map_err(system("cannot write the kubeconfig"))?;
    let site = Site {
        id: id.to_owned(),
        folder: folder.to_owned(),
        plan: plan.clone(),
        values,
        authority,
        keys,
        listeners,
    };
    Ok((site, forges))
}

/// The administrator first, then a context for each provider that people log in at by kubelogin.
fn kubeconfig_text(
    plan: &Plan,
    folder: &Path,
    authority: &Authority,
    values: &Values,
) -> Result<SecretString, LabError> {
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
            let login = Login::kubelogin(issuer, client, &folder.join("ca.pem"), folder);
            logins.push((name, login));
        }
    }
    Ok(kubeconfig::text(
        &plan.lab,
        &values["lab.apiserver.url"],
        authority.certificate_pem(),
        &logins,
    ))
}
