//! A Maven of paper: what it brings is checked before anything of it runs.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::tools::Silent;

/// Brings a distribution whose `kc.sh build` leaves a trace.
const MVN: &str = r#"#!/bin/sh
for arg; do case $arg in -Dout=*) out=${arg#-Dout=} ;; esac; done
mkdir -p "$out/keycloak-1.0/bin" "$out/keycloak-1.0/lib"
printf x > "$out/keycloak.zip"
echo "touch TRACE; touch $out/keycloak-1.0/lib/quarkus-run.jar" > "$out/keycloak-1.0/bin/kc.sh"
"#;

/// What a run of that Maven comes to where the POM wants this sum, and whether anything ran.
async fn made(sum: &str) -> (Result<(), ToolsError>, bool, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    std::fs::create_dir_all(path("ci/tools/keycloak")).unwrap();
    let pom = format!(
        "<project><keycloak.version>1.0</keycloak.version><keycloak.sha256>{sum}</keycloak.sha256></project>"
    );
    std::fs::write(path("ci/tools/keycloak/pom.xml"), pom).unwrap();
    let trace = path("trace");
    let script = MVN.replace("TRACE", &trace.display().to_string());
    std::fs::write(path("mvn"), script).unwrap();
    std::fs::set_permissions(path("mvn"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::create_dir(path("cache")).unwrap();
    let wanted = Distribution {
        java: "/usr/bin/java".into(),
        home: path("cache/key"),
        version: "1.0".to_owned(),
    };
    let recipe = Recipe::read(root.path()).unwrap();
    let made = make(&path("mvn"), &recipe, &wanted, &Silent).await;
    let left = std::fs::read_dir(path("cache")).unwrap().flatten();
    let left = left.map(|entry| entry.file_name().to_string_lossy().into_owned());
    (made, trace.exists(), left.collect())
}

#[tokio::test]
async fn a_distribution_with_another_sum_never_runs() {
    let (made, ran, left) = made("0000").await;
    assert!(!ran);
    assert_eq!(left, [""; 0]);
    insta::assert_snapshot!(
        made.unwrap_err(),
        @"keycloak: what was fetched has the SHA-256 sum 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881, not 0000"
    );
}

#[tokio::test]
async fn a_distribution_is_built_in_its_place() {
    let x = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let (made, ran, left) = made(x).await;
    made.unwrap();
    assert!(ran);
    assert_eq!(left, ["key"]);
}

#[test]
fn the_checkouts_own_pom_says_version_and_sum() {
    let recipe = Recipe::read(crate::checkout::Checkout::here().root()).unwrap();
    assert!(recipe.version.starts_with("26."), "{}", recipe.version);
    assert_eq!(recipe.sha256.len(), 64);
}
