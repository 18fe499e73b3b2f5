//! `cargo xtask convert`: from the API server's `--oidc-*` flags to a configuration file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use authlab_authn::config::{self, ConfigError, Manifest, OidcFlags};
use authlab_lab::source::Source;
use miette::miette;

use super::Ended;
use crate::cli::ConvertArgs;
use crate::terminal;

/// The flag of the issuers of service accounts, whose tokens no `jwt` authenticator may take.
const SERVICE_ACCOUNTS: &str = "service-account-issuer";

/// Prints the file that says the same as the flags.
pub fn run(args: &ConvertArgs) -> Ended {
    let manifest = match &args.manifest {
        Some(path) => {
            let source = Source::read(Path::new(""), path)?;
            Manifest::read(source.text())
                .map_err(|why| source.unread(format!("{}: {why}", source.name())))?
        }
        None => Manifest::default(),
    };
    let own = manifest
        .flags
        .get(SERVICE_ACCOUNTS)
        .cloned()
        .unwrap_or_default();
    let mut given: BTreeMap<String, Vec<String>> = manifest.flags.clone();
    given.retain(|name, _| name.starts_with("oidc-"));
    for (name, values) in args.given() {
        given.insert(name.to_owned(), values.to_vec());
    }
    let refused = |error: ConfigError| {
        let help = if error.to_string().starts_with("open ") {
            "name the file as it is here with `--oidc-ca-file`, or with `--root` the folder that has the machine's files"
        } else {
            "`cargo xtask convert --help` names the flags"
        };
        miette!(
            help = help,
            "the API server does not start with these flags: {error}"
        )
    };
    let flags = OidcFlags::named(&given, |path| {
        std::fs::read_to_string(place(&manifest, path, args.root.as_deref()))
    });
    let flags = flags.map_err(refused)?;
    let converted = config::convert(&flags).map_err(refused)?;
    config::load(&converted.text, &own).map_err(|error| {
        miette!(
            help = format!("tokens of --{SERVICE_ACCOUNTS} are the API server's own: they need no authenticator"),
            "the API server does not start with the file that says the same: {error}"
        )
    })?;
    terminal::print(&converted.text);
    for warning in &converted.warnings {
        terminal::note(&format!("warning: {warning}"));
    }
    terminal::note(
        "next: start the API server with --authentication-config=FILE and without every --oidc-* flag; it refuses both",
    );
    Ok(ExitCode::SUCCESS)
}

/// Where a file of the API server's machine is on this one.
fn place(manifest: &Manifest, path: &str, root: Option<&Path>) -> PathBuf {
    let path = manifest.on_host(path);
    match root {
        Some(root) => root.join(path.trim_start_matches('/')),
        None => PathBuf::from(path),
    }
}
