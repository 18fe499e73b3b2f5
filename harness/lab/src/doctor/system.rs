//! The machine itself: disk, control groups, what the kernel lets its users watch.

use std::path::Path;

use super::{DEFAULT, Finding, KIND, Machine, PROCESS};

const MB: u64 = 1_000_000;
/// A lab's folder: state, logs, an etcd.
const LABS: u64 = 100 * MB;
/// kind asks for as many: <https://kind.sigs.k8s.io/docs/user/known-issues/>, "Pod errors due to
/// too many open files".
const INSTANCES: u64 = 512;

pub(super) fn look(root: &Path, machine: &dyn Machine) -> Vec<Finding> {
    let mut findings = vec![disk(root, machine)];
    findings.extend(cgroups(machine));
    findings.extend(inotify(machine));
    findings
}

fn disk(root: &Path, machine: &dyn Machine) -> Finding {
    let folder = root.join(".authlab");
    match machine.free(&folder) {
        Some(free) if free < LABS => Finding::amiss(
            "disk-full",
            &[DEFAULT, PROCESS, KIND],
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
    let text = machine.file("/proc/sys/fs/inotify/max_user_instances")?;
    let instances: u64 = text.trim().parse().ok()?;
    if instances >= INSTANCES {
        return Some(Finding::good(
            "inotify",
            format!("{instances} inotify instances a user"),
        ));
    }
    Some(Finding::note(
        "inotify-low",
        format!("{instances} inotify instances a user: enough for one small kind cluster"),
        format!("for more: sudo sysctl fs.inotify.max_user_instances={INSTANCES}"),
    ))
}
