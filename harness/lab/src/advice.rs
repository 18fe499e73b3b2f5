//! What to do about a component that failed, or a system that refused: told by its words.

use std::io;

/// What a component's last lines tell, and what to do then.
const WORDS: [(&str, &str); 7] = [
    (
        "no space left on device",
        "the disk is full: make room where the checkout lies, or where Docker keeps its data (`df -h` \
         says how much there is), then start the lab again",
    ),
    (
        "error creating storage factory",
        "etcd, which keeps its objects, did not answer: see whether the disk is full (`df -h`) or \
         very slow, then start the lab again",
    ),
    (
        "read-only file system",
        "nothing can be written where the checkout lies: mount that for writing, or set AUTHLAB_ROOT \
         to a folder that is",
    ),
    (
        "too many open files",
        "raise the limit of open files (`ulimit -n 4096`), then start the lab again",
    ),
    (
        "cannot allocate memory",
        "there is no memory left: end something, or run fewer labs at once (`--jobs 1`)",
    ),
    (
        "OutOfMemoryError",
        "there is no memory left: end something, or run fewer labs at once (`--jobs 1`)",
    ),
    (
        "SIGKILL",
        "somebody killed it; where nobody did, the machine was out of memory (`dmesg | tail` says \
         so): start the lab again, with fewer labs at once if need be (`--jobs 1`)",
    ),
];

/// Where there is more to be seen.
const MORE: &str = "`cargo xtask report` puts its whole log into an archive, and \
                    `cargo xtask doctor` says what this machine lacks";

/// What to do about a component, by what happened to it and the last lines of its log.
pub(crate) fn of_component(what: &str, lines: &str) -> &'static str {
    let said = |words: &str| {
        let holds = |text: &str| text.to_lowercase().contains(&words.to_lowercase());
        holds(what) || holds(lines)
    };
    let known = WORDS.iter().find(|(words, _)| said(words));
    known.map_or(MORE, |(_, advice)| advice)
}

/// What to do about the operating system's refusal.
pub(crate) fn of_system(cause: &io::Error) -> &'static str {
    let words = match cause.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "no space left on device",
        io::ErrorKind::ReadOnlyFilesystem => "read-only file system",
        io::ErrorKind::OutOfMemory => "cannot allocate memory",
        io::ErrorKind::PermissionDenied => {
            return "the user that runs this may not write there: `ls -ld` says who may; a run with \
                    sudo leaves files of another user";
        }
        _ => return "`cargo xtask doctor` says what this machine lacks",
    };
    let known = WORDS.iter().find(|(known, _)| *known == words);
    known.map_or(MORE, |(_, advice)| advice)
}
