//! The schemas that editors use agree with what is parsed, and the reference with the code.

use std::path::{Path, PathBuf};

use authlab_lab::source::yaml_files;
use authlab_scenario::schema;
use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::Value;

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

struct Judge {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Judge {
    fn of(schema: Value) -> Self {
        let url = "http://authlab.invalid/schema.json";
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource(url, schema).expect("a resource");
        let index = compiler.compile(url, &mut schemas).expect("a schema");
        Self { schemas, index }
    }

    /// What the schema has against a file.
    fn against(&self, file: &Path) -> Result<(), String> {
        let text = std::fs::read_to_string(file).expect("a file of the checkout");
        let data: Value = serde_saphyr::from_str(&text).expect("YAML");
        let judged = self.schemas.validate(&data, self.index);
        judged.map_err(|error| format!("{}: {error:#}", file.display()))
    }
}

#[test]
fn every_scenario_and_lab_is_accepted() {
    for (schema, folder) in [
        (schema::scenario(), "scenarios"),
        (schema::lab(), "fixtures/labs"),
    ] {
        let judge = Judge::of(schema);
        let files = yaml_files(&root().join(folder));
        assert!(files.len() > 4, "{folder}");
        for file in files {
            assert_eq!(judge.against(&file), Ok(()));
        }
    }
}

#[test]
fn mistakes_of_form_are_refused() {
    let judge = Judge::of(schema::scenario());
    for stem in [
        "bare-text",
        "two-verbs",
        "unknown-capability",
        "unknown-expectation",
        "unknown-flag",
        "unknown-key",
        "unknown-reason",
        "unknown-verb",
        "unknown-verdict",
    ] {
        let file = root().join(format!("scenarios/.red/{stem}.yaml"));
        assert!(judge.against(&file).is_err(), "{stem}");
    }
}

#[test]
fn the_reference_is_up_to_date() {
    let written = std::fs::read_to_string(root().join("docs/verbs.md")).unwrap_or_default();
    assert!(
        written == schema::reference(),
        "docs/verbs.md is not what the doc comments say: run `cargo xtask schema --docs`"
    );
}
