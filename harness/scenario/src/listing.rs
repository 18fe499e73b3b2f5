//! Listing: which scenarios there are, from files alone.

use std::collections::BTreeSet;
use std::path::Path;

use authlab_lab::backend::existing::Found;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::source::{Source, SourceError, yaml_files};
use authlab_lab::state::{BackendKind, Capability};
use miette::Diagnostic;

use crate::load::Scenario;
use crate::report::{Place, ScenarioReport};

/// The folder of scenarios below the checkout's root.
const FOLDER: &str = "scenarios";
/// The lab of a file that does not even say which lab it is for.
const UNKNOWN_LAB: &str = "unreadable";

/// One scenario for one lab: a test of its own.
#[derive(Debug, Clone)]
pub struct Case {
    id: String,
    lab: String,
    file: String,
    scenario: Result<std::sync::Arc<Scenario>, Box<SourceError>>,
}

impl Case {
    /// `<lab>::<folder>::<stem>`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The lab's name.
    #[must_use]
    pub fn lab(&self) -> &str {
        &self.lab
    }

    /// The file, relative to the checkout.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The scenario.
    ///
    /// # Errors
    /// With what is wrong with its file.
    pub fn scenario(&self) -> Result<&Scenario, &SourceError> {
        match &self.scenario {
            Ok(scenario) => Ok(scenario),
            Err(error) => Err(error),
        }
    }

    /// Why a lab with `capabilities` that runs `kubernetes` (for example `1.36.3`) cannot take it.
    /// A file that is at fault fits everywhere: its fault must show.
    #[must_use]
    pub fn unfit(&self, capabilities: &BTreeSet<Capability>, kubernetes: &str) -> Option<String> {
        let scenario = self.scenario.as_ref().ok()?;
        scenario.unfit(&self.lab, capabilities, kubernetes)
    }

    /// Whether a lab with `capabilities` that runs `kubernetes` can take it.
    #[must_use]
    pub fn fits(&self, capabilities: &[Capability], kubernetes: &str) -> bool {
        let capabilities = capabilities.iter().copied().collect();
        self.unfit(&capabilities, kubernetes).is_none()
    }

    /// The same of a lab that is not there yet, on a backend, where `kubernetes` is asked for;
    /// `existing` is the cluster that exists already, where that is the backend.
    #[must_use]
    pub fn unfit_for(
        &self,
        backend: BackendKind,
        kubernetes: Kubernetes,
        existing: Option<&Found>,
    ) -> Option<String> {
        let scenario = self.scenario.as_ref().ok()?;
        let Some(found) = existing else {
            let kubernetes = backend.kubernetes(kubernetes).version();
            return self.unfit(&backend.capabilities(), kubernetes);
        };
        // What is wrong with a lab file is said when it is started.
        let plan = scenario.plan(&self.lab).ok()?;
        self.unfit(&found.capabilities(&plan), &found.version)
    }

    /// A report in which no step has run; broken when the file is at fault.
    #[must_use]
    pub fn report(&self) -> ScenarioReport {
        let name = match &self.scenario {
            Ok(scenario) => scenario.name(),
            Err(_) => "",
        };
        let report = ScenarioReport::unreached(&self.id, name, &self.file, &self.lab);
        match &self.scenario {
            Ok(_) => report,
            Err(error) => {
                // A mistake in another file, the lab's for example, has no place in this one.
                let here = error.location().filter(|_| error.file() == self.file);
                let place = here.map(|(line, column)| Place { line, column });
                ScenarioReport {
                    place,
                    ..report.broken(describe(error.as_ref()))
                }
            }
        }
    }
}

/// Every scenario file of the checkout at `root`, hidden folders left out, sorted by file; one case
/// for each lab of a file.
#[must_use]
pub fn list(root: &Path) -> Vec<Case> {
    yaml_files(&root.join(FOLDER))
        .iter()
        .flat_map(|path| cases(root, path.strip_prefix(root).unwrap_or(path)))
        .collect()
}

/// The cases of one file; `path` is relative to `root`.
#[must_use]
pub fn cases(root: &Path, path: &Path) -> Vec<Case> {
    let scenario = Scenario::load(root, path)
        .map(std::sync::Arc::new)
        .map_err(Box::new);
    let labs = match &scenario {
        Ok(scenario) => scenario.labs().to_vec(),
        Err(_) => labs(root, path),
    };
    let tail: Vec<&str> = path
        .strip_prefix(FOLDER)
        .unwrap_or(path)
        .iter()
        .filter_map(|part| part.to_str())
        .map(|part| part.strip_suffix(".yaml").unwrap_or(part))
        .collect();
    labs.into_iter()
        .map(|lab| Case {
            id: format!("{lab}::{}", tail.join("::")),
            lab,
            file: path.display().to_string(),
            scenario: scenario.clone(),
        })
        .collect()
}

/// The labs of a file that cannot be parsed: the words on the line that begins with `lab:`.
fn labs(root: &Path, path: &Path) -> Vec<String> {
    let text = Source::read(root, path).map(|source| source.text().to_owned());
    let labs: Vec<String> = text
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("lab:"))
        .unwrap_or_default()
        .split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    if labs.is_empty() {
        vec![UNKNOWN_LAB.to_owned()]
    } else {
        labs
    }
}

/// What is wrong, with file, line and column where they are known, without colour.
pub(crate) fn describe(error: &dyn Diagnostic) -> String {
    let mut out = String::new();
    let handler =
        miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none()).with_width(100);
    match handler.render_report(&mut out, error) {
        Ok(()) => out,
        Err(_) => error.to_string(),
    }
}
