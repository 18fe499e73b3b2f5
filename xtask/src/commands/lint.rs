//! `cargo xtask lint`: what is accepted and was not meant.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use authlab_lab::checkout::Checkout;
use authlab_lab::source::Source;
use authlab_lint::{Finding, Lint, RULES, Rule, Severity, rule};
use miette::{Report, miette};
use serde_json::{Value, json};

use super::{Ended, unknown};
use crate::cli::LintArgs;
use crate::terminal;

/// Looks at files, labs, or the whole checkout.
pub fn run(args: &LintArgs) -> Ended {
    if let Some(id) = &args.explain {
        return explain(id);
    }
    if args.rules && args.json {
        let rules = RULES.iter().map(|rule| {
            json!({
                "rule": rule.id, "severity": rule.severity.to_string(), "what": rule.what,
                "why": rule.why, "mend": rule.mend,
            })
        });
        terminal::json(&rules.collect::<Value>())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.rules {
        for rule in RULES {
            let (severity, id) = (rule.severity.to_string(), rule.id);
            terminal::line(format_args!("{severity:<8} {id:<32} {}", rule.what));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let lint = look(&args.targets)?;
    if args.json {
        terminal::json(
            &lint
                .findings
                .iter()
                .map(Finding::to_json)
                .collect::<Value>(),
        )?;
    } else {
        for finding in &lint.findings {
            terminal::line(format_args!("{:?}", Report::new(finding.report())));
        }
    }
    // Of a folder's files, most are about something else.
    for name in lint
        .unknown
        .iter()
        .filter(|name| args.targets.contains(name))
    {
        terminal::note(&format!("{name}: nothing in it that the rules are about"));
    }
    if lint.documents == 0 && lint.findings.is_empty() {
        return Err(miette!(
            help = "an AuthenticationConfiguration, a Dex config.yaml, a Keycloak realm, a lab, a ConfigMap of \
                    Jumpstarter, or Markdown with samples of them",
            "there is nothing to look at"
        ));
    }
    let count = |severity| {
        lint.findings
            .iter()
            .filter(|finding| finding.rule.severity == severity)
            .count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    terminal::note(&format!(
        "{} looked at: {}, {}, {}",
        many(lint.documents, "document"),
        many(errors, "error"),
        many(warnings, "warning"),
        many(count(Severity::Note), "note"),
    ));
    Ok(match errors + warnings {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    })
}

fn many(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn look(targets: &[String]) -> miette::Result<Lint> {
    let checkout = Checkout::here();
    if targets.is_empty() {
        return Ok(Lint::checkout(checkout.root())?);
    }
    let (mut sources, mut all) = (Vec::new(), Lint::default());
    for target in targets {
        let path = Path::new(target);
        if path.is_dir() {
            for file in files(path) {
                sources.push(Source::read(Path::new(""), &file)?);
            }
        } else if path.exists() || target.contains(['/', '.']) {
            sources.push(Source::read(Path::new(""), path)?);
        } else {
            all.add(Lint::lab(checkout.root(), target)?);
        }
    }
    if !sources.is_empty() {
        all.add(Lint::files(sources));
    }
    Ok(all)
}

/// The files of a folder that may hold something, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        if path.is_dir() {
            found.extend(files(&path));
        } else if matches!(ending, Some("yaml" | "yml" | "json" | "md")) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn explain(id: &str) -> Ended {
    let Some(Rule {
        id,
        severity,
        what,
        why,
        mend,
    }) = rule(id)
    else {
        let known = RULES.iter().map(|rule| rule.id);
        return Err(unknown(format!("there is no rule `{id}`"), id, known));
    };
    terminal::line(format_args!(
        "{id} ({severity})\n\n  what  {what}\n  why   {why}\n  mend  {mend}\n\n\
         A file that means it says so: # authlab: allow({id}): why"
    ));
    Ok(ExitCode::SUCCESS)
}
