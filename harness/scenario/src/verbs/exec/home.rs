//! Where a program runs: a home with a kubeconfig, and a `bin` with what it calls by other names.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use authlab_lab::exec::find;
use authlab_lab::kubeconfig::{self, Cluster, Login};
use authlab_lab::state::write_private;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use crate::context::Context;
use crate::credential::Credential;
use crate::fault::Fault;

/// The homes of a scenario, by API server and credential. They go with it.
pub(crate) type Homes = BTreeMap<(String, String), TempDir>;

/// Names under which programs look for each other, and the programs.
const NAMES: [(&str, &str); 3] = [
    ("kubectl", "kubectl"),
    ("kubelogin", "kubelogin"),
    // kubectl's name for the plugin `oidc-login`.
    ("kubectl-oidc_login", "kubelogin"),
];

/// The environment of programs that run as `name` at the API server that the step means.
pub(super) fn variables(
    context: &mut Context<'_>,
    name: &str,
) -> Result<Vec<(String, OsString)>, Fault> {
    let key = (context.server().url.clone(), name.to_owned());
    if !context.homes.contains_key(&key) {
        let home = make(context, name)?;
        context.homes.insert(key.clone(), home);
    }
    let home = context.homes[&key].path();
    let mut path = vec![home.join("bin")];
    path.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let path = std::env::join_paths(path).map_err(|error| Fault::Other(error.to_string()))?;
    let mut variables = vec![
        ("PATH".to_owned(), path),
        ("HOME".to_owned(), home.into()),
        ("KUBECONFIG".to_owned(), home.join(KUBECONFIG).into()),
        ("KUBECACHEDIR".to_owned(), home.join("cache").into()),
    ];
    let ca = context.state.values.get("lab.file.ca");
    variables.extend(ca.map(|ca| ("SSL_CERT_FILE".to_owned(), ca.into())));
    Ok(variables)
}

const KUBECONFIG: &str = "kubeconfig";

/// The home among variables made by [`variables`].
pub(super) fn folder(variables: &[(String, OsString)]) -> PathBuf {
    let home = variables.iter().find(|(name, _)| name == "HOME");
    home.map(|(_, home)| PathBuf::from(home))
        .unwrap_or_default()
}

fn make(context: &Context<'_>, name: &str) -> Result<TempDir, Fault> {
    let failed = |error: io::Error| Fault::Other(format!("cannot make a home: {error}"));
    let home = tempfile::Builder::new()
        .prefix("home-")
        .tempdir_in(context.state.folder())
        .map_err(failed)?;
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).map_err(failed)?;
    for (name, program) in NAMES {
        if let Some(path) = find(context.root, program) {
            symlink(path, bin.join(name)).map_err(failed)?;
        }
    }
    let text = kubeconfig(context, name)?;
    write_private(&home.path().join(KUBECONFIG), &text).map_err(failed)?;
    Ok(home)
}

fn kubeconfig(context: &Context<'_>, name: &str) -> Result<Vec<u8>, Fault> {
    let server = context.server();
    let login = match context.credential(name)? {
        Credential::Admin(_) => return read(&server.kubeconfig),
        Credential::Anonymous => Login::Anonymous,
        Credential::Token(token) => Login::Token(token.bearer.clone()),
        Credential::Certificate(_) => {
            return Err(Fault::other(
                "a client certificate cannot be given to a program yet: use a token, or `admin`",
            ));
        }
    };
    let cluster = Cluster {
        name: None,
        server: &server.url,
    };
    let ca = &context.state.certificate_authority;
    let text = kubeconfig::text(&context.state.lab, &[cluster], ca, &[(name, login)]);
    Ok(text.expose_secret().as_bytes().to_vec())
}

fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    std::fs::read(file).map_err(|error| Fault::Other(format!("{}: {error}", file.display())))
}
