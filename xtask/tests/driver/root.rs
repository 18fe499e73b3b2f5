//! A root with fixtures, scenarios and a home of its own, and the driver run in it.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use authlab_lab::folder::LABEL;
use authlab_lab::process;
use serde_json::Value;

use crate::talk::within;

/// A forge that the API server trusts.
const FORGE: &str = "description: a forge
identityProviders:
  forge: { kind: forge }
apiServer:
  authentication: kubernetes/forge.yaml
";

/// A configuration that names one issuer.
const AUTHENTICATION: &str = "apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
  - issuer:
      url: \"ISSUER\"
      audiences: [kube]
      certificateAuthority: \"${lab.ca}\"
    claimMappings:
      username: { claim: sub, prefix: \"forge:\" }
";

/// Starts a program with both of its outputs to be read.
pub fn piped(mut program: Command) -> Child {
    program
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Nothing of this outlives it, and nothing is written outside of its `.authlab/`: that is checked
/// when it goes.
pub struct Root {
    folder: tempfile::TempDir,
    /// Deep below `folder` in tests of long paths.
    root: PathBuf,
}

impl Root {
    /// With the labs `plain` (an API server alone) and `forge`.
    pub fn new() -> Self {
        Self::below("root")
    }

    /// The same at a path below the temporary folder.
    pub fn below(path: impl AsRef<Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join(path);
        let this = Self { folder, root };
        for outside in ["home", "tmp"] {
            std::fs::create_dir(this.folder.path().join(outside)).unwrap();
        }
        this.write("fixtures/labs/plain.yaml", "description: an API server\n");
        this.write("fixtures/labs/forge.yaml", FORGE);
        let trusted = AUTHENTICATION.replace("ISSUER", "${lab.idp.forge.issuer}");
        this.write("fixtures/kubernetes/forge.yaml", &trusted);
        // Keys are slow to make: all roots share them.
        let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join("keys");
        std::fs::create_dir_all(&keys).unwrap();
        std::fs::create_dir(this.path(".authlab")).unwrap();
        std::os::unix::fs::symlink(keys, this.path(".authlab/keys")).unwrap();
        this
    }

    /// With the labs and fixtures of the checkout itself.
    pub fn real() -> Self {
        let root = Self::new();
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        std::fs::remove_dir_all(root.path("fixtures")).unwrap();
        std::os::unix::fs::symlink(here.join("fixtures"), root.path("fixtures")).unwrap();
        root
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A PATH on which a program is this script first.
    pub fn path_with(&self, program: &str, script: &str) -> OsString {
        let file = format!("bin/{program}");
        self.write(&file, script);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(&file), mode).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let ours = [self.path("bin")].into_iter();
        std::env::join_paths(ours.chain(std::env::split_paths(&path))).unwrap()
    }

    /// A lab that never comes to run: it waits for an issuer that takes connections and says
    /// nothing. The issuer goes with the listener.
    pub fn slow_lab(&self) -> std::net::TcpListener {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("https://{}", silent.local_addr().unwrap());
        let text = AUTHENTICATION.replace("ISSUER", &issuer);
        self.write("fixtures/kubernetes/slow.yaml", &text);
        let lab = FORGE.replace("forge.yaml", "slow.yaml");
        self.write("fixtures/labs/slow.yaml", &lab);
        silent
    }

    /// A scenario that asks the API server how it is, and expects `status`.
    pub fn scenario(&self, name: &str, lab: &str, status: u16) {
        let text = format!(
            "name: {name} answers {status}\nlab: {lab}\nsteps:\n  \
             - request: {{ as: admin, path: /livez, expect: {{ status: {status} }} }}\n"
        );
        self.write(&format!("scenarios/{name}.yaml"), &text);
    }

    /// The driver, about to be run.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(args)
            .env("AUTHLAB_ROOT", &self.root)
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("RUST_BACKTRACE", "0");
        for variable in ["AUTHLAB_STATE", "AUTHLAB_LOG", "NO_COLOR", "FORCE_COLOR"] {
            command.env_remove(variable);
        }
        command.env_remove("GITHUB_ACTIONS");
        for variable in ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            command.env_remove(variable);
        }
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output of a run that must succeed.
    pub fn done(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Standard error of a run that must end with exit code 2.
    pub fn refused(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        self.plain(&output.stderr)
    }

    /// Text without what differs from root to root.
    pub fn plain(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        text.replace(&self.root.display().to_string(), "[root]")
    }

    pub fn labs(&self) -> Vec<Value> {
        serde_json::from_str(&self.done(&["status", "--json"])).unwrap()
    }

    /// The folders of labs, of dead ones too.
    pub fn folders(&self) -> Vec<String> {
        std::fs::read_dir(self.path(".authlab/labs"))
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    /// Processes that carry the label of a lab in this root.
    pub fn labelled(&self) -> Vec<u32> {
        let label = format!("{LABEL}={}/", self.root.display());
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                let environment = std::fs::read(entry.path().join("environ")).ok()?;
                let ours = String::from_utf8_lossy(&environment).contains(&label);
                (ours && process::started(pid).is_ok()).then_some(pid)
            })
            .collect()
    }

    /// Whatever runs ends soon enough, and by itself.
    pub fn assert_ends_within(&self, bound: Duration, whose: &str) {
        let ended = within(bound, || {
            self.folders().is_empty() && self.labelled().is_empty()
        });
        assert!(ended, "{whose}: after {bound:?}: {:?}", self.folders());
    }

    /// Nothing is left of any lab, without any help.
    pub fn assert_clean(&self) {
        assert_eq!(self.folders(), Vec::<String>::new());
        assert_eq!(self.labelled(), Vec::<u32>::new());
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // A test that fails half-way leaves no host behind.
        self.run(&["down"]);
        if std::thread::panicking() {
            return;
        }
        self.assert_clean();
        for outside in ["home", "tmp"] {
            let folder = self.folder.path().join(outside);
            let strays: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
            assert!(strays.is_empty(), "written to {outside}: {strays:?}");
        }
    }
}
