//! What a person reads whose choice leaves no scenario.

use super::choose;

#[test]
fn a_choice_of_nothing_says_what_was_meant() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let said = |parts: &[&str], lab: Option<&str>| {
        let parts: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        match choose(root.path(), &parts, lab) {
            Ok(cases) => format!("{} chosen", cases.len()),
            Err(error) => format!("{error}\n  {}", miette::Diagnostic::help(&error).unwrap()),
        }
    };
    let mut all = String::new();
    let mut note = |parts: &[&str], lab: Option<&str>| {
        let asked = [parts, lab.map_or(&[][..], |_| &["--lab"]), lab.as_slice()].concat();
        all.push_str(&format!("$ {}\n{}\n", asked.join(" "), said(parts, lab)));
    };
    note(&[], None);
    for lab in ["dex", "keycloak", "plain"] {
        write(&format!("fixtures/labs/{lab}.yaml"), "description: x\n");
    }
    let step = "steps:\n  - whoami: { as: admin }\n";
    write(
        "scenarios/dex/refresh.yaml",
        &format!("name: a\nlab: dex\n{step}"),
    );
    write(
        "scenarios/tokens/expired.yaml",
        &format!("name: a\nlab: [dex, keycloak]\n{step}"),
    );
    note(&["expired"], None);
    note(&["dex/refresh", "expired"], Some("dex"));
    note(&[], Some("dx"));
    note(&[], Some("okta"));
    note(&[], Some("plain"));
    note(&["nosuch"], None);
    note(&["refrsh"], None);
    note(&["token/expired"], None);
    note(&["dex/refresh"], Some("keycloak"));
    // One that matches hides none that does not.
    note(&["expired", "refrsh"], None);
    note(&["expired", "dex/refresh"], Some("keycloak"));
    insta::assert_snapshot!(all);
}
