//! The examples of the reference are steps that load.

use authlab_lab::source::Source;

use super::reference;
use crate::load::parse_file;

#[test]
fn every_verb_has_an_example_that_parses() {
    let text = reference();
    let verbs = text.split("\n# Forms").next().unwrap();
    let mut shown = 0;
    for verb in verbs.split("\n## ").skip(1) {
        let name = verb.lines().next().unwrap();
        let example = verb.split("```yaml\n").nth(1);
        let example = example.unwrap_or_else(|| panic!("{name} has no example"));
        let example = example.split("```").next().unwrap();
        let file = format!("name: x\nlab: x\nsteps:\n{example}");
        let source = Source::new("example.yaml", file);
        let parsed = parse_file(&source).map_err(miette::Report::new).unwrap();
        let of_this = |step: &crate::verbs::Step| step.name() == name;
        assert!(
            parsed.steps.iter().any(|step| of_this(&step.value)),
            "{name}"
        );
        shown += 1;
    }
    assert!(shown > 20, "{shown} verbs");
}
