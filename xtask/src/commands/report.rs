//! `cargo xtask report`, and what `cargo xtask e2e` leaves for it: one archive that tells what
//! happened.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use authlab_lab::bundle::{self, Bundle, Scrubber, Secrets, Subject};
use authlab_lab::checkout::Checkout;
use authlab_lab::doctor::ThisMachine;
use authlab_lab::lifecycle;
use authlab_lab::obituary;
use authlab_lab::source::nearest;
use authlab_scenario::report::{Report, junit, style::Style, terminal as view};
use miette::{IntoDiagnostic, WrapErr, miette};
use serde_json::json;

use super::{Ended, check_writable, runtime};
use crate::cli::ReportArgs;
use crate::terminal;

/// Where results and archives lie that nobody has named a place for, below the checkout.
const FOLDER: &str = "target/authlab";
/// The results of the last run, in [`FOLDER`].
const LAST: &str = "results.json";

/// `cargo xtask report`
pub fn run(args: &ReportArgs) -> Ended {
    let start = Instant::now();
    let checkout = Checkout::here();
    let file = checkout.root().join(FOLDER).join("report.tar.gz");
    let file = args.output.clone().unwrap_or(file);
    check_writable(Some(&file))?;
    let places = places(&checkout);
    let chosen: Vec<&Place> = match &args.lab {
        None => places.iter().collect(),
        Some(wanted) => vec![find(&places, wanted)?],
    };
    let mut bundle = Bundle::new(checkout.private());
    std::fs::create_dir_all(checkout.private()).into_diagnostic()?;
    runtime()?.block_on(async {
        for place in &chosen {
            match place {
                Place::Gone { id, files } => {
                    let about = "kept from a lab that has died";
                    bundle.folder(files, "", about, &Scrubber::new([]));
                    tracing::debug!(%id, "taken from what was kept");
                }
                Place::There { folder, why, .. } => {
                    let subject = Subject {
                        folder: folder.clone(),
                        plan: None,
                        why: (*why).to_owned(),
                    };
                    bundle.append(bundle::lab(subject.clone()).await);
                    if args.kind_export {
                        bundle::kind_export(&mut bundle, &subject).await;
                    }
                }
            }
        }
    });
    match last(&checkout) {
        Some(report) => results(&checkout, &report, &mut bundle),
        None => bundle.miss("results: no scenario has been run"),
    }
    write(&checkout, bundle, &file)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot write {}", file.display()))?;
    let labs: Vec<&str> = chosen.iter().map(|place| place.id()).collect();
    let bytes = std::fs::metadata(&file).map_or(0, |file| file.len());
    if args.json {
        let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        terminal::line(json!({
            "file": file, "labs": labs, "bytes": bytes, "milliseconds": milliseconds,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let of = match labs.as_slice() {
        [] => "no lab, dead or alive".to_owned(),
        labs => labs.join(", "),
    };
    terminal::line(format_args!(
        "{}  ({} kB: {of})",
        file.display(),
        bytes / 1000
    ));
    terminal::note(&format!(
        "read it: tar xzOf {} authlab/README.txt | less",
        file.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Where something of a lab is to be found.
enum Place {
    /// Its folder is there, whether it runs or not.
    There {
        id: String,
        folder: PathBuf,
        why: &'static str,
    },
    /// It has died, and some files were kept.
    Gone { id: String, files: PathBuf },
}

impl Place {
    fn id(&self) -> &str {
        match self {
            Self::There { id, .. } | Self::Gone { id, .. } => id,
        }
    }
}

/// Labs that run, that were left by a dead host, and that have died, in this order.
fn places(checkout: &Checkout) -> Vec<Place> {
    let living = lifecycle::list(checkout);
    let mut places: Vec<Place> = std::fs::read_dir(checkout.labs())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            let id = entry.file_name().to_string_lossy().into_owned();
            let why = match living.iter().any(|lab| lab.id == id) {
                true => "it runs, and was asked for",
                false => "its host has died",
            };
            let folder = entry.path();
            Place::There { id, folder, why }
        })
        .collect();
    for id in obituary::with_evidence(checkout) {
        if !places.iter().any(|place| place.id() == id) {
            let files = obituary::evidence(checkout, &id);
            places.push(Place::Gone { id, files });
        }
    }
    places.sort_by(|a, b| a.id().cmp(b.id()));
    places
}

/// By id, or by the name of a lab of which there is one.
fn find<'a>(places: &'a [Place], wanted: &str) -> miette::Result<&'a Place> {
    let of_that_name = |place: &&Place| {
        let backend = place.id().strip_prefix(wanted);
        backend.is_some_and(|rest| rest.starts_with('-') && !rest[1..].contains('-'))
    };
    let mut named = places.iter().filter(of_that_name);
    let exact = places.iter().find(|place| place.id() == wanted);
    match (exact, named.next(), named.next()) {
        (Some(place), ..) | (None, Some(place), None) => Ok(place),
        _ => Err(match nearest(wanted, places.iter().map(Place::id)) {
            Some(near) => miette!(
                help = format!("did you mean `{near}`?"),
                "nothing is left of a lab `{wanted}`"
            ),
            None => miette!(
                help = "without a name, everything that there is goes into the archive",
                "nothing is left of a lab `{wanted}`"
            ),
        }),
    }
}

/// Where an archive of a run goes: to the file, or into the folder, that was named.
pub(super) fn archive(checkout: &Checkout, report: &Report, named: Option<&Path>) -> PathBuf {
    let name = format!("e2e-{}.tar.gz", report.backend);
    match named {
        None => checkout.root().join(FOLDER).join(name),
        Some(folder)
            if folder.is_dir() || folder.as_os_str().as_encoded_bytes().ends_with(b"/") =>
        {
            folder.join(name)
        }
        Some(file) => file.to_owned(),
    }
}

/// Keeps the results of a run for a later `report`.
pub(super) fn keep(checkout: &Checkout, report: &Report) {
    let folder = checkout.root().join(FOLDER);
    let kept = std::fs::create_dir_all(&folder)
        .and_then(|()| std::fs::write(folder.join(LAST), report.json()));
    if let Err(error) = kept {
        tracing::warn!(%error, "the results are not kept for `report`");
    }
}

fn last(checkout: &Checkout) -> Option<Report> {
    let file = File::open(checkout.root().join(FOLDER).join(LAST)).ok()?;
    serde_json::from_reader(BufReader::new(file)).ok()
}

/// Writes what was seen in a run, with its results.
pub(super) fn bundle(
    checkout: &Checkout,
    report: &Report,
    mut seen: Bundle,
    file: &Path,
) -> io::Result<()> {
    results(checkout, report, &mut seen);
    write(checkout, seen, file)
}

fn results(checkout: &Checkout, report: &Report, bundle: &mut Bundle) {
    let scrub = everywhere(checkout);
    let views = [
        (
            "results/report.txt",
            "what did not hold, and why",
            view::render(report, Style::PLAIN),
        ),
        (
            "results/report.json",
            "every scenario and step, as data",
            report.json(),
        ),
        (
            "results/junit.xml",
            "the same for CI",
            junit::render(report),
        ),
    ];
    for (path, about, text) in views {
        bundle.text(path, about, &text, &scrub);
    }
}

/// Results are of many labs: what the checkout's files say is a secret is taken out of them.
fn everywhere(checkout: &Checkout) -> Scrubber {
    let mut secrets = Secrets::default();
    secrets.folder(&checkout.root().join("fixtures"));
    secrets.scrubber()
}

fn write(checkout: &Checkout, mut bundle: Bundle, file: &Path) -> io::Result<()> {
    let machine = bundle::machine(checkout.root(), &ThisMachine);
    let about = "versions of everything that takes part, and the machine";
    bundle.text("versions.txt", about, &machine, &Scrubber::new([]));
    bundle.write(
        file,
        "What authlab has seen: logs, configurations, events and results.",
    )
}
