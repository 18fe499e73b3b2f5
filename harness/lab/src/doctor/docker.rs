//! Docker: whether it is there, runs, is new enough, and may do what a kind node needs.

use serde_json::Value;

use super::{Finding, KIND, Machine};

/// The oldest that gives containers control groups of their own, as kind asks.
const OLDEST: (u32, u32) = (20, 10);
/// The bit of CAP_SYS_RESOURCE (capabilities(7)).
const SYS_RESOURCE: u32 = 24;
/// Images of a node, of Dex and of Keycloak, and what a cluster writes.
const ROOM: u64 = 6_000_000_000;
const ONLY_KIND: &[&str] = &[KIND];

pub(super) fn look(machine: &dyn Machine) -> Vec<Finding> {
    if machine.program("docker").is_none() {
        return vec![Finding::amiss(
            "docker-absent",
            ONLY_KIND,
            "Docker is not installed: no `docker` on PATH",
            "install it (https://docs.docker.com/engine/install/; Debian: docker.io)",
        )];
    }
    if let Some(host) = machine
        .variable("DOCKER_HOST")
        .filter(|host| !host.starts_with("unix:"))
    {
        return vec![Finding::amiss(
            "docker-elsewhere",
            ONLY_KIND,
            format!("Docker is on another machine: DOCKER_HOST={host}"),
            "a lab's files are mounted into containers: unset DOCKER_HOST to use the Docker here",
        )];
    }
    let info = machine.run("docker", &["info", "--format", "{{json .}}"]);
    let info = match info {
        Ok(output) => {
            let info: Value = serde_json::from_str(&output.out).unwrap_or_default();
            match info["ServerVersion"].as_str() {
                Some(version) if !version.is_empty() => info,
                _ => return vec![stopped(&errors(&info, &output.err))],
            }
        }
        Err(why) => return vec![stopped(&why)],
    };
    let mut findings = vec![version(&info)];
    findings.extend(rootless(&info));
    findings.extend(capability(&info, machine));
    findings.extend(room(&info, machine));
    findings
}

/// Why Docker's client got no answer.
fn errors(info: &Value, err: &str) -> String {
    let told = info["ServerErrors"].as_array().into_iter().flatten();
    let told: Vec<&str> = told.filter_map(Value::as_str).collect();
    let text = if told.is_empty() {
        err.to_owned()
    } else {
        told.join("; ")
    };
    text.lines().next().unwrap_or("it says nothing").to_owned()
}

fn stopped(why: &str) -> Finding {
    if why.contains("permission denied") {
        return Finding::amiss(
            "docker-forbidden",
            ONLY_KIND,
            format!("Docker does not let this user in: {why}"),
            "sudo usermod --append --groups docker $USER, then log in anew",
        );
    }
    Finding::amiss(
        "docker-stopped",
        ONLY_KIND,
        format!("Docker is installed but does not answer: {why}"),
        "start it: sudo systemctl start docker (without systemd: sudo dockerd)",
    )
}

fn version(info: &Value) -> Finding {
    let version = info["ServerVersion"].as_str().unwrap_or_default();
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if number < OLDEST {
        let (major, minor) = OLDEST;
        return Finding::amiss(
            "docker-old",
            ONLY_KIND,
            format!("Docker {version} is too old"),
            format!("install {major}.{minor} or newer"),
        );
    }
    Finding::good("docker", format!("Docker {version}"))
}

fn rootless(info: &Value) -> Option<Finding> {
    let options = info["SecurityOptions"].as_array()?;
    let mut options = options.iter().filter_map(Value::as_str);
    options.any(|option| option == "name=rootless").then(|| {
        Finding::note(
            "docker-rootless",
            "Docker runs without root, where clusters have been seen to work, but not by authlab",
            "what kind asks for then: https://kind.sigs.k8s.io/docs/user/rootless/",
        )
    })
}

/// A container can be given no capability that the machine lacks. Docker's machine is this one, or
/// a virtual one that lacks nothing.
fn capability(info: &Value, machine: &dyn Machine) -> Option<Finding> {
    let status = machine.file("/proc/self/status")?;
    let bounding = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))?;
    let bounding = u64::from_str_radix(bounding.trim(), 16).ok()?;
    if bounding >> SYS_RESOURCE & 1 == 1 {
        return None;
    }
    let runtime = info["DefaultRuntime"].as_str().unwrap_or("runc");
    if runtime == "runc" {
        return Some(Finding::amiss(
            "no-sys-resource",
            ONLY_KIND,
            "this machine lacks CAP_SYS_RESOURCE, so that Docker can start no privileged container",
            "give Docker a runtime that does without: `cargo xtask doctor --runtime` prints one, \
             and how to use it",
        ));
    }
    Some(Finding::good(
        "runtime",
        format!("this machine lacks CAP_SYS_RESOURCE, and Docker's runtime is `{runtime}`"),
    ))
}

/// Unknown where Docker keeps its images in a virtual machine.
fn room(info: &Value, machine: &dyn Machine) -> Option<Finding> {
    let folder = info["DockerRootDir"].as_str()?;
    let free = machine.free(folder.as_ref())?;
    (free < ROOM).then(|| {
        Finding::note(
            "docker-disk",
            format!("{} MB are free for Docker, in {folder}", free / 1_000_000),
            format!(
                "images and a cluster take up to {} MB: docker system df says what takes how much",
                ROOM / 1_000_000
            ),
        )
    })
}
