//! The machine itself: disk, control groups, ports, what the kernel lets its users watch.

use std::collections::BTreeSet;
use std::path::Path;

use super::{ALL, Finding, Machine};

const MB: u64 = 1_000_000;
/// A lab's folder: state, logs, an etcd.
const LABS: u64 = 100 * MB;
/// kind asks for as many: <https://kind.sigs.k8s.io/docs/user/known-issues/>, "Pod errors due to
/// too many open files".
const INSTANCES: u64 = 512;
/// From the same place.
const WATCHES: u64 = 524_288;
/// What a lab with everything listens at, and its clients' connections.
const PORTS: usize = 200;

pub(super) fn look(root: &Path, machine: &dyn Machine) -> Vec<Finding> {
    let mut findings = vec![disk(root, machine)];
    findings.extend(cgroups(machine));
    findings.extend(inotify(machine));
    findings.push(ports(machine));
    findings
}

fn disk(root: &Path, machine: &dyn Machine) -> Finding {
    let folder = root.join(".authlab");
    match machine.free(&folder) {
        Some(free) if free < LABS => Finding::amiss(
            "disk-full",
            &ALL,
            format!(
                "{} MB are free for labs, in {}",
                free / MB,
                folder.display()
            ),
            format!("a lab needs {} MB: free them", LABS / MB),
        ),
        Some(free) => Finding::good("disk", format!("{} MB are free for labs", free / MB)),
        None => Finding::note(
            "disk-unknown",
            format!("cannot tell how much room {} has", folder.display()),
            "does the folder exist?",
        ),
    }
}

/// None where the kernel has none: then Docker runs in a machine of its own.
fn cgroups(machine: &dyn Machine) -> Option<Finding> {
    if machine.file("/sys/fs/cgroup/cgroup.controllers").is_some() {
        return Some(Finding::good("cgroup-v2", "control groups of version 2"));
    }
    machine.file("/proc/self/cgroup")?;
    Some(Finding::note(
        "cgroup-v1",
        "control groups of version 1, which Kubernetes is about to give up",
        "kind clusters are told to put up with it; \
         `systemd.unified_cgroup_hierarchy=1` on the kernel's command line changes to version 2",
    ))
}

fn inotify(machine: &dyn Machine) -> Option<Finding> {
    let limit = |of: &str| -> Option<u64> {
        let text = machine.file(&format!("/proc/sys/fs/inotify/max_user_{of}"))?;
        text.trim().parse().ok()
    };
    let wanted = [("instances", INSTANCES), ("watches", WATCHES)];
    let limits: Vec<_> = wanted
        .into_iter()
        .filter_map(|(of, wanted)| Some((of, limit(of)?, wanted)))
        .collect();
    let told: Vec<_> = limits
        .iter()
        .map(|(of, limit, _)| format!("{limit} inotify {of}"))
        .collect();
    let told = format!("{} a user", told.join(", "));
    let low: Vec<_> = limits
        .iter()
        .filter(|(_, limit, wanted)| limit < wanted)
        .map(|(of, _, wanted)| format!("fs.inotify.max_user_{of}={wanted}"))
        .collect();
    match (limits.is_empty(), low.is_empty()) {
        (true, _) => None,
        (false, true) => Some(Finding::good("inotify", told)),
        (false, false) => Some(Finding::note(
            "inotify-low",
            format!("{told}: enough for one small kind cluster"),
            format!("for more: sudo sysctl {}", low.join(" ")),
        )),
    }
}

/// No lab needs a certain port, unless its file names one for an issuer: the kernel gives free ones.
///
/// Source: Linux, `Documentation/networking/ip-sysctl.rst`, `ip_local_port_range`; proc(5), `/proc/net/tcp`.
fn ports(machine: &dyn Machine) -> Finding {
    let help = "ss --tcp --all --numeric says who has them; \
                sudo sysctl net.ipv4.ip_local_port_range='32768 60999' is the kernel's own range";
    if let Err(why) = machine.listen() {
        let what = format!("no port of 127.0.0.1 can be had: {why}");
        return Finding::amiss("ports-taken", &ALL, what, help);
    }
    match free_ports(machine) {
        Some(free) if free < PORTS => Finding::note(
            "ports-few",
            format!("{free} ports of this machine are free for labs"),
            help,
        ),
        Some(free) => Finding::good("ports", format!("{free} ports are free for labs")),
        None => Finding::good("ports", "127.0.0.1 has a free port"),
    }
}

/// How many of the ports that the kernel gives are free.
fn free_ports(machine: &dyn Machine) -> Option<usize> {
    let range = machine.file("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut ends = range.split_whitespace().map(str::parse::<u16>);
    let range = ends.next()?.ok()?..=ends.next()?.ok()?;
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| machine.file(path));
    let taken = tables
        .iter()
        .flatten()
        .flat_map(|table| table.lines().skip(1));
    let taken = taken.filter_map(|line| {
        let (_, port) = line.split_whitespace().nth(1)?.rsplit_once(':')?;
        u16::from_str_radix(port, 16).ok()
    });
    let taken: BTreeSet<u16> = taken.filter(|port| range.contains(port)).collect();
    Some(range.len().saturating_sub(taken.len()))
}
