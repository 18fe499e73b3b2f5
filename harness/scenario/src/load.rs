//! Loading: reads a scenario file and refuses what can be known to be wrong without a lab.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use authlab_lab::exec::find;
use authlab_lab::plan::{self, Authentication, Plan};
use authlab_lab::source::{Source, SourceError, nearest};
use authlab_lab::state::Capability;
use semver::{Version, VersionReq};
use serde_saphyr::{Location, Spanned};

use crate::credential::GIVEN;
use crate::format::File;
use crate::verbs::{Loading, Step};
use crate::{check, demand, lint};

/// A scenario, loaded and checked.
#[derive(Debug)]
pub struct Scenario {
    root: PathBuf,
    source: Source,
    file: File,
    kubernetes: Option<VersionReq>,
    leading: Option<Authentication>,
    needs_namespace: bool,
    alone: bool,
    /// What each lab must be able to do beyond what file and verbs say.
    demands: BTreeMap<String, Vec<Capability>>,
}

impl Scenario {
    /// Loads `path`, a scenario file of the checkout at `root`.
    ///
    /// # Errors
    /// For every mistake that shows without a lab: unknown keys and verbs, credentials used before
    /// they exist, files that are not there, denials without a control.
    pub fn load(root: &Path, path: &Path) -> Result<Self, SourceError> {
        Self::parse(root, Source::read(root, path)?)
    }

    /// The same for a text that is already read.
    ///
    /// # Errors
    /// As [`Scenario::load`].
    pub fn parse(root: &Path, source: Source) -> Result<Self, SourceError> {
        let file = parse_file(&source)?;
        let here = file.name.referenced;
        if file.steps.is_empty() {
            return Err(source.error(here, "this scenario has no steps", "of this scenario"));
        }
        let kubernetes = file
            .kubernetes
            .as_ref()
            .map(|wanted| version(&source, wanted))
            .transpose()?;
        let plans = plans(root, &source, &file)?;
        credentials(&source, &file.steps)?;
        let loading = |index: usize| Loading {
            source: &source,
            root,
            plans: &plans,
            before: &file.steps[..index],
        };
        for (index, step) in file.steps.iter().enumerate() {
            let verb = step.value.verb();
            clusters(&source, &plans, verb.cluster())?;
            verb.check(&loading(index))
                .map_err(|error| placed(&source, step.referenced, error))?;
            if let Some(checks) = verb.checks() {
                check::compile(&source, checks)?;
            }
        }
        lint::controls(&source, &file.steps)?;
        let leading = file.steps[0].value.verb().leading(&loading(0))?;
        let needs_namespace = source.text().contains(NAMESPACE_PLACEHOLDER)
            || file
                .steps
                .iter()
                .any(|step| step.value.verb().needs_namespace());
        let alone = file
            .steps
            .iter()
            .enumerate()
            .skip(usize::from(leading.is_some()))
            .any(|(index, step)| step.value.verb().needs_lab_alone(&loading(index)));
        let demands = plans.iter().map(|plan| {
            let demanded = demand::of(plan, &file.steps);
            (plan.lab.clone(), demanded)
        });
        let demands = demands.collect();
        Ok(Self {
            demands,
            root: root.to_owned(),
            kubernetes,
            leading,
            needs_namespace,
            alone,
            file,
            source,
        })
    }

    /// The scenario's own sentence.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name.value
    }

    /// The file, relative to the checkout.
    #[must_use]
    pub fn path(&self) -> &str {
        self.source.name()
    }

    /// The labs that it is for.
    #[must_use]
    pub fn labs(&self) -> &[String] {
        &self.file.lab.value
    }

    /// What `lab` must be able to do: what the file says, and what verbs and lab imply.
    pub fn requires(&self, lab: &str) -> impl Iterator<Item = Capability> + '_ {
        let said = self.file.requires.iter().map(|wanted| wanted.value);
        let steps = self.file.steps.iter();
        let implied = self.demands.get(lab).into_iter().flatten().copied();
        let verbs = steps.filter_map(|step| step.value.verb().needs());
        said.chain(verbs).chain(implied)
    }

    /// Why a lab called `lab` with these capabilities, which runs `kubernetes` (for example
    /// `1.36.3`), cannot take it.
    #[must_use]
    pub fn unfit(
        &self,
        lab: &str,
        capabilities: &BTreeSet<Capability>,
        kubernetes: &str,
    ) -> Option<String> {
        if !self.holds_for(kubernetes) {
            return Some(format!("does not apply to Kubernetes {kubernetes}"));
        }
        let mut wanted = self.requires(lab);
        let lacking =
            wanted.find(|wanted| !self.is_met(*wanted, |lab| capabilities.contains(&lab)))?;
        Some(lacking.lacking().to_owned())
    }

    /// Whether what it requires is there: a program on this machine, all else by what `has` says of
    /// the lab.
    fn is_met(&self, wanted: Capability, has: impl Fn(Capability) -> bool) -> bool {
        match wanted.program() {
            Some(program) => find(&self.root, program).is_some(),
            None => has(wanted),
        }
    }

    /// Whether it holds for a Kubernetes version such as `1.36.3`.
    #[must_use]
    pub fn holds_for(&self, kubernetes: &str) -> bool {
        match (&self.kubernetes, Version::parse(kubernetes)) {
            (Some(wanted), Ok(version)) => wanted.matches(&version),
            _ => true,
        }
    }

    /// The authentication of a leading `configure`, which belongs to the lab's identity: a lab that
    /// starts with it needs no change.
    #[must_use]
    pub fn leading(&self) -> Option<&Authentication> {
        self.leading.as_ref()
    }

    /// The plan of `lab` with this scenario's leading `configure` in it.
    ///
    /// # Errors
    /// When the lab file is at fault.
    pub fn plan(&self, lab: &str) -> Result<Plan, SourceError> {
        let plan = Plan::load(&self.root, lab)?;
        Ok(match &self.leading {
            Some(leading) => plan.with_authentication(leading.clone()),
            None => plan,
        })
    }

    /// Whether it gives the API server another authentication than its lab has.
    #[must_use]
    pub fn changes_authentication(&self) -> bool {
        self.steps()
            .iter()
            .any(|step| matches!(&step.value, Step::Configure(change) if change.is_of_api_server()))
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn steps(&self) -> &[Spanned<Step>] {
        &self.file.steps
    }

    /// Whether it works in a namespace of its own.
    pub(crate) fn needs_namespace(&self) -> bool {
        self.needs_namespace
    }

    /// Whether others must keep away from the lab meanwhile, a leading `configure` aside.
    pub fn alone(&self) -> bool {
        self.alone
    }
}

/// The placeholder of the scenario's own namespace.
pub(crate) const NAMESPACE_PLACEHOLDER: &str = "${lab.namespace}";

/// Parses the text of a scenario file.
///
/// # Errors
/// With the place of the first mistake.
pub(crate) fn parse_file(source: &Source) -> Result<File, SourceError> {
    source.parse::<File>()
}

/// An error without a place of its own gets that of the step.
fn placed(source: &Source, step: Location, error: SourceError) -> SourceError {
    if error.location().is_some() {
        return error;
    }
    let placed = source.error(step, error.to_string(), "needed by this step");
    match error.help_text() {
        Some(help) => placed.or_help(help),
        None => placed,
    }
}

fn version(source: &Source, wanted: &Spanned<String>) -> Result<VersionReq, SourceError> {
    VersionReq::parse(&wanted.value).map_err(|error| {
        source
            .error(
                wanted.referenced,
                format!("not a range of Kubernetes versions: {error}"),
                "this range",
            )
            .or_help("write for example \">=1.35\" or \">=1.34, <1.36\"")
    })
}

fn plans(root: &Path, source: &Source, file: &File) -> Result<Vec<Plan>, SourceError> {
    let labs = &file.lab;
    if labs.value.is_empty() {
        return Err(source.error(labs.referenced, "no lab is named", "name at least one"));
    }
    labs.value
        .iter()
        .map(|lab| {
            if root.join(plan::lab_path(lab)).exists() {
                return Plan::load(root, lab);
            }
            let known = plan::names(root);
            let error = source.error(
                labs.referenced,
                format!("there is no lab `{lab}`"),
                "named here",
            );
            Err(match nearest(lab, known.iter().map(String::as_str)) {
                Some(near) => error.or_help(format!("did you mean `{near}`?")),
                None => error.or_help(format!("labs: {}", known.join(", "))),
            })
        })
        .collect()
}

/// The API server that a step names is in each lab.
fn clusters(
    source: &Source,
    plans: &[Plan],
    wanted: Option<&Spanned<String>>,
) -> Result<(), SourceError> {
    let Some(wanted) = wanted else { return Ok(()) };
    for plan in plans {
        if plan.authentication_of(&wanted.value).is_none() {
            let message = format!(
                "the lab `{}` has no API server `{}`",
                plan.lab, wanted.value
            );
            let error = source.error(wanted.referenced, message, "named here");
            return Err(match nearest(&wanted.value, plan.clusters()) {
                Some(near) => error.or_help(format!("did you mean `{near}`?")),
                None => error.or_help(format!(
                    "it has: {}",
                    plan.clusters().collect::<Vec<_>>().join(", ")
                )),
            });
        }
    }
    Ok(())
}

/// Every credential is kept by a step before one uses it.
fn credentials(source: &Source, steps: &[Spanned<Step>]) -> Result<(), SourceError> {
    let mut known: Vec<&str> = GIVEN.to_vec();
    for (index, step) in steps.iter().enumerate() {
        for name in step.value.verb().uses() {
            if known.contains(&name.value.as_str()) {
                continue;
            }
            let later = steps[index..].iter().find_map(|step| {
                step.value
                    .verb()
                    .keeps()
                    .filter(|kept| kept.value == name.value)
            });
            let message = format!(
                "no step before this one keeps a credential `{}`",
                name.value
            );
            // A name inside a table has no place of its own.
            let place = match name.referenced.line() {
                0 => step.referenced,
                _ => name.referenced,
            };
            let error = source.error(place, message, "used here");
            return Err(match (later, nearest(&name.value, known.iter().copied())) {
                (Some(later), _) => error.or_help(format!(
                    "`{}` is kept in line {} only: move that step up",
                    name.value,
                    later.referenced.line()
                )),
                (None, Some(near)) => error.or_help(format!("did you mean `{near}`?")),
                (None, None) => error.or_help(format!("known here: {}", known.join(", "))),
            });
        }
        if let Some(kept) = step.value.verb().keeps() {
            if GIVEN.contains(&kept.value.as_str()) {
                let message = format!("`{}` is always there", kept.value);
                let error = source.error(kept.referenced, message, "choose another name");
                return Err(error);
            }
            known.push(&kept.value);
        }
    }
    Ok(())
}
