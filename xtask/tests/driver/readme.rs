//! What the README says, done as it says it, with the fixtures of the checkout.

use std::path::{Path, PathBuf};

use crate::root::Root;

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn readme() -> String {
    std::fs::read_to_string(checkout().join("README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_first_scenario_holds() {
    let root = Root::real();
    let readme = readme();
    let scenario = &blocks(&readme, "yaml")[0];
    assert!(readme.contains("`scenarios/my/first.yaml`"));
    root.write("scenarios/my/first.yaml", scenario);
    let said = root.done(&["e2e", "my/first"]);
    assert!(said.contains("1 passed"), "{said}");

    let broken = scenario.replace("dex:dev", "dex:ops");
    assert_ne!(&broken, scenario);
    root.write("scenarios/my/first.yaml", &broken);
    assert_eq!(root.run(&["e2e", "my/first"]).status.code(), Some(1));
}

#[test]
fn every_command_exists() {
    let root = Root::new();
    let mut tried = 0;
    for word in readme()
        .split("cargo xtask ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next())
    {
        root.done(&[word, "--help"]);
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}

/// The filters of a command line: words with a slash that are no flag's value.
fn filters(line: &str) -> Vec<&str> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let value = |at: usize| at > 0 && words[at - 1].starts_with("--");
    let mut found: Vec<&str> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        // What a reader writes first is no scenario of the checkout.
        let own = word.starts_with("mine/") || word.starts_with("my/");
        if word.contains('/') && !word.starts_with('-') && !value(at) && !own {
            found.push(word);
        }
    }
    found
}

#[test]
fn the_filters_of_examples_match_scenarios() {
    let root = Root::real();
    let scenarios = root.path("scenarios");
    std::os::unix::fs::symlink(checkout().join("scenarios"), scenarios).unwrap();
    let mut texts = vec![readme()];
    texts.extend(["e2e", "diff"].map(|command| root.done(&[command, "--help"])));
    for guide in std::fs::read_dir(checkout().join("docs/guides")).unwrap() {
        texts.push(std::fs::read_to_string(guide.unwrap().path()).unwrap());
    }
    let mut tried = 0;
    for text in texts {
        let lines =
            ["cargo xtask e2e ", "cargo xtask diff "].map(|command| text.split(command).skip(1));
        for rest in lines.into_iter().flatten() {
            let line = rest.split(['\n', '`', '#']).next().unwrap();
            let filters = filters(line);
            if !filters.is_empty() {
                root.done(&[&["e2e", "--list"], filters.as_slice()].concat());
                tried += 1;
            }
        }
    }
    assert!(tried > 5, "{tried}");
}

#[test]
fn a_lab_at_a_desk() {
    let root = Root::real();
    root.done(&["up", "dex"]);
    let environment = root.done(&["env"]);
    let kubeconfig = environment
        .lines()
        .find_map(|line| line.strip_prefix("export KUBECONFIG='")?.strip_suffix('\''))
        .unwrap();
    let kubeconfig = std::fs::read_to_string(kubeconfig).unwrap();
    assert!(kubeconfig.contains("name: dex"), "no context for people");
    assert!(environment.contains("AUTHLAB_ISSUER_DEX="));
    root.done(&["down"]);
    root.assert_clean();
}

#[test]
fn every_file_that_documents_name_is_there() {
    let mut documents = vec![checkout().join("README.md")];
    let mut folders = vec![checkout().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || link.contains("://") {
                continue;
            }
            let target = document.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link}", document.display());
        }
    }
}
