//! Authorities and keys in files: the same for everybody, readable by the owner alone, refused when broken.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::{
    collections::HashSet,
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Barrier},
    thread,
};

use authlab_pki::{Algorithm, Authority, KeyPool};

/// Where a child process of [`processes_that_race_agree`] finds the shared folder.
const RACE: &str = "AUTHLAB_PKI_TEST_RACE";

fn files(dir: &Path) -> Vec<(String, u32)> {
    let mut files: Vec<(String, u32)> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn what_was_made_is_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, keys) = (dir.path().join("deep/ca"), dir.path().join("keys"));
    let made = Authority::load_or_create(&ca, "lab").unwrap();
    let found = Authority::load_or_create(&ca, "another name").unwrap();
    assert_eq!(made.certificate_pem(), found.certificate_pem());
    // Both sign with the same key.
    let leaf = found
        .client_certificate("jane", &[], std::time::Duration::from_secs(60))
        .unwrap();
    leaf.server_config(Some(made.certificate_pem())).unwrap();

    let made = KeyPool::open(&keys).unwrap();
    let found = KeyPool::open(&keys).unwrap();
    for algorithm in Algorithm::ALL {
        let key = made.key(algorithm, "dex").unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.kid(), found.key(algorithm, "dex").unwrap().kid());
        assert!(Arc::ptr_eq(&key, &made.key(algorithm, "dex").unwrap()));
    }
    assert_ne!(
        made.key(Algorithm::ES256, "dex").unwrap().kid(),
        made.key(Algorithm::ES256, "other").unwrap().kid()
    );

    assert_eq!(
        files(&ca),
        [
            ("ca-key.pem".to_owned(), 0o600),
            ("ca.pem".to_owned(), 0o600)
        ]
    );
    assert_eq!(files(&keys).len(), 11);
    assert!(
        files(&keys).iter().all(|(_, mode)| *mode == 0o600),
        "{:?}",
        files(&keys)
    );
}

#[test]
fn any_text_names_a_slot() {
    let dir = tempfile::tempdir().unwrap();
    let pool = KeyPool::open(dir.path()).unwrap();
    let slots = [
        "",
        "..",
        "../up",
        "a/b",
        "a%2fb",
        "a_b",
        "https://[::1]:80/dex",
        "größe",
        "\0",
        " ",
    ];
    let kids: HashSet<String> = slots
        .iter()
        .map(|slot| pool.key(Algorithm::EdDSA, slot).unwrap().kid().to_owned())
        .collect();
    assert_eq!(kids.len(), slots.len());
    assert_eq!(files(dir.path()).len(), slots.len());
}

#[test]
fn threads_that_race_agree() {
    let dir = tempfile::tempdir().unwrap();
    let start = Barrier::new(8);
    let seen: HashSet<String> = thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    race(dir.path())
                })
            })
            .collect();
        racers
            .into_iter()
            .map(|racer| racer.join().unwrap())
            .collect()
    });
    assert_eq!(seen.len(), 1);
}

#[test]
fn processes_that_race_agree() {
    if let Some(dir) = env::var_os(RACE) {
        let dir = Path::new(&dir);
        fs::write(dir.join(format!("seen-{}", std::process::id())), race(dir)).unwrap();
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let racers: Vec<_> = (0..4)
        .map(|_| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "processes_that_race_agree"])
                .env(RACE, dir.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut racer in racers {
        assert!(racer.wait().unwrap().success());
    }
    let seen: Vec<String> = files(dir.path())
        .into_iter()
        .filter(|(name, _)| name.starts_with("seen-"))
        .map(|(name, _)| fs::read_to_string(dir.path().join(name)).unwrap())
        .collect();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 1, "{seen:?}");
}

/// What one racer got, as a text to compare.
fn race(dir: &Path) -> String {
    let authority = Authority::load_or_create(&dir.join("ca"), "lab").unwrap();
    let key = KeyPool::open(&dir.join("keys"))
        .unwrap()
        .key(Algorithm::RS256, "dex")
        .unwrap();
    format!("{} {}", authority.certificate_pem(), key.kid())
}

#[test]
fn broken_files_are_refused_by_name_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    Authority::load_or_create(dir.path(), "lab").unwrap();
    Authority::load_or_create(other.path(), "lab").unwrap();

    fs::copy(other.path().join("ca.pem"), dir.path().join("ca.pem")).unwrap();
    let refused = Authority::load_or_create(dir.path(), "lab")
        .unwrap_err()
        .to_string();
    let ca = dir.path().join("ca.pem");
    assert_eq!(
        refused,
        format!(
            "{}: the certificate belongs to another key than ca-key.pem; remove it to have a new one made",
            ca.display()
        )
    );
    fs::write(dir.path().join("ca-key.pem"), "").unwrap();
    let refused = Authority::load_or_create(dir.path(), "lab")
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("ca-key.pem: not an ECDSA P-256 key in PKCS#8 PEM form"),
        "{refused}"
    );

    let pool = KeyPool::open(dir.path()).unwrap();
    fs::write(dir.path().join("ES256-dex.pem"), "garbage").unwrap();
    let refused = pool.key(Algorithm::ES256, "dex").unwrap_err().to_string();
    assert!(
        refused.contains("ES256-dex.pem: PKCS#8 private key: "),
        "{refused}"
    );
    assert_eq!(
        fs::read_to_string(dir.path().join("ES256-dex.pem")).unwrap(),
        "garbage"
    );
    pool.key(Algorithm::ES384, "dex").unwrap();
    fs::copy(
        dir.path().join("ES384-dex.pem"),
        dir.path().join("ES256-dex.pem"),
    )
    .unwrap();
    let refused = pool.key(Algorithm::ES256, "dex").unwrap_err().to_string();
    assert!(
        refused.contains("ES256-dex.pem: ES256 key: not a fitting PKCS#8 key"),
        "{refused}"
    );
}
