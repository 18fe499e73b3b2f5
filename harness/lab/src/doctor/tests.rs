//! A finding for each way in which a machine can be wanting, and what is said of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::*;
use crate::tools::{self, ToolsError};

/// A machine that has everything, until something is taken from it.
struct Fake {
    programs: Vec<&'static str>,
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, String>,
    docker: Result<Output, String>,
    proxy: &'static str,
    free: u64,
    unbuilt: &'static [&'static str],
    go_missing: bool,
    silent: bool,
    /// Why no port can be had.
    no_port: Option<&'static str>,
}

const ALL_CAPABILITIES: &str = "CapBnd:\t000001ffffffffff\n";
const WITHOUT_SYS_RESOURCE: &str = "CapBnd:\t000001fffeffffff\n";

fn docker(changed: &[(&str, serde_json::Value)]) -> Result<Output, String> {
    let mut info = serde_json::json!({
        "ServerVersion": "28.2.2", "DefaultRuntime": "runc", "DockerRootDir": "/var/lib/docker",
        "IndexServerAddress": "https://images.example/v1/", "SecurityOptions": ["name=seccomp"],
    });
    for (key, value) in changed {
        info[*key] = value.clone();
    }
    Ok(Output {
        ok: true,
        out: info.to_string(),
        err: String::new(),
    })
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            programs: vec!["docker", "go", "java", "mvn"],
            variables: BTreeMap::from([("HOME", "/home/jane")]),
            files: [
                ("/sys/fs/cgroup/cgroup.controllers", "cpu memory"),
                ("/proc/self/cgroup", "0::/"),
                ("/proc/self/status", ALL_CAPABILITIES),
                ("/proc/sys/fs/inotify/max_user_instances", "1024\n"),
                ("/proc/sys/fs/inotify/max_user_watches", "524288\n"),
            ]
            .map(|(path, text)| (path, text.to_owned()))
            .into(),
            docker: docker(&[]),
            proxy: "https://modules.example,direct",
            free: 50_000_000_000,
            unbuilt: &[],
            go_missing: false,
            silent: false,
            no_port: None,
        }
    }
}

impl Machine for Fake {
    fn program(&self, name: &str) -> Option<PathBuf> {
        let there = self.programs.contains(&name);
        there.then(|| Path::new("/usr/bin").join(name))
    }

    fn run(&self, program: &str, _: &[&str]) -> Result<Output, String> {
        match program {
            "docker" => self.docker.clone(),
            _ => Ok(Output {
                ok: true,
                out: self.proxy.to_owned(),
                err: String::new(),
            }),
        }
    }

    fn file(&self, path: &str) -> Option<String> {
        self.files.get(path).cloned()
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }

    fn free(&self, _: &Path) -> Option<u64> {
        Some(self.free)
    }

    fn reach(&self, _: &str, _: u16) -> Result<(), String> {
        if self.silent {
            return Err("no answer in 3 s".to_owned());
        }
        Ok(())
    }

    fn listen(&self) -> Result<(), String> {
        self.no_port.map_or(Ok(()), |why| Err(why.to_owned()))
    }

    fn tools(&self, _: &Path) -> Result<Vec<tools::Status>, ToolsError> {
        if self.go_missing {
            return Err(ToolsError::GoMissing);
        }
        let programs = [("etcd", "etcd"), ("dex", "dex"), ("kubernetes", "kubectl")];
        let status = programs.map(|(tool, program)| tools::Status {
            tool,
            program,
            version: "v1".to_owned(),
            path: format!("/cache/tools/{tool}/key/{program}").into(),
            size: (!self.unbuilt.contains(&program)).then_some(1),
        });
        Ok(status.into())
    }
}

/// Which backends run, then what is not as it should be.
fn said(machine: &Fake) -> String {
    let report = examine(Path::new("/checkout"), machine);
    let runs: Vec<&str> = report
        .backends
        .iter()
        .filter(|one| one.ready)
        .map(|one| one.backend)
        .collect();
    let mut text = format!("runs: {}", runs.join(", "));
    for finding in report
        .findings
        .iter()
        .filter(|one| one.level != Level::Good)
    {
        let help = finding.help.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "\n{:?} {}: {}\n  {help}",
            finding.level, finding.id, finding.what
        ));
    }
    text
}

#[test]
fn a_machine_with_everything_runs_everything() {
    assert_eq!(
        said(&Fake::default()),
        "runs: embedded, process, kind, existing"
    );
    assert!(examine(Path::new("/checkout"), &Fake::default()).default_runs());
}

#[test]
fn docker_is_looked_at_closely() {
    let with = |docker: Result<Output, String>| {
        said(&Fake {
            docker,
            ..Fake::default()
        })
    };
    let absent = Fake {
        programs: vec!["go", "java", "mvn"],
        ..Fake::default()
    };
    let refused = |why: &str| {
        with(docker(&[
            ("ServerVersion", "".into()),
            ("ServerErrors", vec![why].into()),
        ]))
    };
    let elsewhere = Fake {
        variables: BTreeMap::from([("DOCKER_HOST", "tcp://far.example:2375")]),
        ..Fake::default()
    };
    let all = [
        ("absent", said(&absent)),
        ("elsewhere", said(&elsewhere)),
        (
            "stopped",
            refused("Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
        ),
        (
            "forbidden",
            refused("permission denied while trying to connect"),
        ),
        ("hanging", with(Err("no answer within 10 s".to_owned()))),
        ("old", with(docker(&[("ServerVersion", "19.03.8".into())]))),
        (
            "rootless",
            with(docker(&[("SecurityOptions", vec!["name=rootless"].into())])),
        ),
    ];
    let text: Vec<String> = all
        .iter()
        .map(|(name, said)| format!("# {name}\n{said}"))
        .collect();
    insta::assert_snapshot!(text.join("\n\n"));
}

#[test]
fn a_missing_capability_matters_unless_dockers_runtime_does_without() {
    let mut machine = Fake::default();
    let status = machine.files.get_mut("/proc/self/status").unwrap();
    *status = WITHOUT_SYS_RESOURCE.to_owned();
    insta::assert_snapshot!(said(&machine));
    machine.docker = docker(&[("DefaultRuntime", "without-sys-resource".into())]);
    assert_eq!(said(&machine), "runs: embedded, process, kind, existing");
    assert!(RUNTIME.starts_with("#!/bin/sh\n"));
}

#[test]
fn the_system_and_its_disk() {
    let mut old = Fake::default();
    old.files.remove("/sys/fs/cgroup/cgroup.controllers");
    let low = "128\n".to_owned();
    old.files
        .insert("/proc/sys/fs/inotify/max_user_instances", low);
    let few = "8192\n".to_owned();
    old.files
        .insert("/proc/sys/fs/inotify/max_user_watches", few);
    insta::assert_snapshot!(said(&old));

    let tight = Fake {
        free: 4_000_000_000,
        unbuilt: &["kubectl"],
        ..Fake::default()
    };
    insta::assert_snapshot!(said(&tight));

    let full = Fake {
        free: 1_000_000,
        ..Fake::default()
    };
    assert!(!examine(Path::new("/checkout"), &full).default_runs());
    insta::assert_snapshot!(said(&full));
}

#[test]
fn what_builds_and_where_it_comes_from() {
    let bare = Fake {
        programs: vec!["docker"],
        go_missing: true,
        ..Fake::default()
    };
    insta::assert_snapshot!(said(&bare));

    let settings =
        "<mirrors><mirror><id>x</id><url>https://jars.example:8443/all</url></mirror></mirrors>";
    let mut alone = Fake {
        silent: true,
        ..Fake::default()
    };
    alone
        .files
        .insert("/home/jane/.m2/settings.xml", settings.to_owned());
    insta::assert_snapshot!(said(&alone));
    alone
        .variables
        .insert("HTTPS_PROXY", "http://proxy.example:3128");
    assert!(said(&alone).contains("jars.example does not answer (by the proxy)"));
}

#[test]
fn ports_that_are_taken() {
    let mut machine = Fake::default();
    let table = "  sl  local_address rem_address   st\n   0: 0100007F:8001 00000000:0000 0A\n   \
                 1: 0100007F:8001 0100007F:1F90 01\n   2: 00000000:0016 00000000:0000 0A\n";
    let range = "/proc/sys/net/ipv4/ip_local_port_range";
    machine.files.insert("/proc/net/tcp", table.to_owned());
    machine.files.insert(range, "32768\t60999\n".to_owned());
    let report = examine(Path::new("/checkout"), &machine);
    let told = report.findings.iter().find(|one| one.id == "ports");
    // One of them listens and has a guest.
    assert_eq!(told.unwrap().what, "28231 ports are free for labs");
    machine.files.insert(range, "32768\t32800\n".to_owned());
    let few = said(&machine);
    machine.no_port = Some("Cannot assign requested address (os error 99)");
    assert!(!examine(Path::new("/checkout"), &machine).default_runs());
    insta::assert_snapshot!(format!("{few}\n\n{}", said(&machine)));
}
