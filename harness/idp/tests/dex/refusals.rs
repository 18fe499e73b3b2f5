//! Configurations with a mistake in them, and what Dex says.

use std::{path::Path, time::Duration};

use authlab_idp::dex::Config;
use tokio::time::timeout;

use crate::bench::{real_dex, serve};

/// A file to which nothing is missing; it ends with a comma less mapping, so that lines can follow.
const GOOD: &str = "issuer: http://127.0.0.1/dex\nstorage: {type: memory}\nweb: {http: 127.0.0.1:0}\nenablePasswordDB: true\n";
const HASH: &str = "$2a$10$2b2cU8CPhOTaGrs1HRQuAueS7JTT5ZHsHSzYiFPm1leZck7Mc8T4W";

/// Files that stand alone, then lines that are added to [`GOOD`].
fn files() -> Vec<String> {
    let alone = include_str!("broken.txt")
        .split("\n---\n")
        .map(str::to_owned);
    let added = include_str!("mistakes.txt")
        .lines()
        .map(|line| format!("{GOOD}{line}\n"));
    alone
        .chain(added)
        .map(|file| file.replace("HASH", HASH))
        .collect()
}

fn title(file: &str) -> String {
    file.strip_prefix(GOOD)
        .unwrap_or(file)
        .replace(HASH, "HASH")
}

#[test]
fn refuses_what_dex_refuses() {
    let mut out = String::new();
    for file in files() {
        let said = match Config::read(&file, "config.yaml") {
            Ok(_) => "serves".to_owned(),
            Err(error) => error.to_string(),
        };
        out.push_str(&format!("## {}\n{said}\n\n", title(&file)));
    }
    insta::assert_snapshot!("refusals", out);
}

#[tokio::test]
async fn real_refusals_are_those_recorded() {
    let Some(binary) = real_dex("real_refusals_are_those_recorded") else {
        return;
    };
    let mut out = String::new();
    for file in files() {
        out.push_str(&format!(
            "## {}\n{}\n\n",
            title(&file),
            ask(&binary, &file).await
        ));
    }
    insta::assert_snapshot!("refusals", out);
}

/// What the real Dex says to a file before it serves or ends.
async fn ask(binary: &Path, file: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let (_dex, mut lines) = serve(binary, dir.path(), file);
    let mut said = Vec::new();
    let read = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("listening on") {
                return "serves".to_owned();
            }
            if !line.starts_with("time=") {
                said.push(line);
            }
        }
        said.join("\n")
    };
    timeout(Duration::from_secs(20), read)
        .await
        .expect("Dex serves or ends")
}
