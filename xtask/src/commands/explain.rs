//! `cargo xtask explain`: what a configuration makes of tokens.

mod lab;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authlab_authn::config::{ConfigError, OidcFlags};
use authlab_authn::explain::{self, Signature, Subject, Token, Walk};
use authlab_authn::oidc::{self, Found};
use authlab_authn::token::Verdict;
use authlab_authn::yaml11;
use authlab_lab::source::Source;
use authlab_scenario::ask::Access;
use miette::{IntoDiagnostic, Report, WrapErr, miette};
use serde_json::{Value, json};

use self::lab::{Lab, Place};
use super::{Ended, runtime};
use crate::cli::ExplainArgs;
use crate::terminal;

/// Explains one token, or answers a batch of cases.
pub fn run(args: &ExplainArgs) -> Ended {
    match (&args.batch, &args.token) {
        (Some(batch), _) => answer_batch(batch),
        (None, Some(token)) => one(args, token),
        (None, None) => Err(miette!(
            help = "`--token FILE`, or `--token -` to read it from standard input",
            "there is no token to explain"
        )),
    }
}

fn answer_batch(batch: &Path) -> Ended {
    let file = File::open(batch)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read {}", batch.display()))?;
    let out = BufWriter::new(stdout().lock());
    authlab_authn::batch::run(BufReader::new(file), out).into_diagnostic()?;
    Ok(ExitCode::SUCCESS)
}

/// What the token is explained against, and where that stands.
struct Against {
    subject: Subject,
    place: Place,
    /// The issuers are a lab's: they are there, or that is the answer.
    live: bool,
}

fn one(args: &ExplainArgs, token: &Path) -> Ended {
    let lab = match &args.lab {
        Some(lab) => Some(Lab::find(lab, args.cluster.as_deref())?),
        None => None,
    };
    let against = match &lab {
        Some(lab) => lab.in_force()?,
        None => against(args)?,
    };
    let text = Token::find(&read_token(token)?);
    let token = Token::parse(&text)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot explain what is in {}", token.display()))?;
    let now = args.now.map_or_else(SystemTime::now, |now| now.0);
    let signature = signature(&against, &token, &text, args.offline)?;
    let walk = explain::walk(&against.subject, &token, &signature, now);
    let said = match &lab {
        Some(lab) => Some(lab.ask(&walk, text, args)?),
        None => None,
    };
    if args.json {
        let mut json = walk.to_json();
        if let Some(said) = &said {
            json["apiServer"] = said.review.clone();
            json["access"] = said.access.as_ref().map_or(Value::Null, |access| {
                json!({"allowed": access.allowed, "reason": access.reason, "nearest": access.nearest})
            });
        }
        terminal::json(&json)?;
    } else {
        tell(&walk, &against);
        if let Some(said) = &said {
            said.tell(&walk, args);
        }
    }
    Ok(match walk.refusal {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::from(1),
    })
}

/// What a lab's API server itself says.
struct Said {
    /// `status` of a TokenReview; null when the walk is of another time.
    review: Value,
    /// What it says of `--can`.
    access: Option<Access>,
}

impl Said {
    fn tell(&self, walk: &Walk, args: &ExplainArgs) {
        if !self.review.is_null() {
            let name = self.review["user"]["username"].as_str();
            let same = match &walk.verdict {
                Verdict::Authenticated(user) => name == Some(&user.username),
                Verdict::Rejected(_) | Verdict::Skipped => name.is_none(),
            };
            let words = match (same, name) {
                (true, _) => "it says the same".to_owned(),
                (false, Some(name)) => format!(
                    "it lets the token in as {name:?}, by another way than this configuration. (It issues \
                     tokens to service accounts itself, and remembers for 10 seconds whom it has let in.)"
                ),
                (false, None) => format!(
                    "it refuses the token: {}",
                    self.review["error"].as_str().unwrap_or_default()
                ),
            };
            terminal::line(format_args!(
                "\nThe lab's API server was asked as well: {words}."
            ));
        }
        if let (Some(access), Some(request)) = (&self.access, &args.can) {
            let may = if access.allowed { "may" } else { "may not" };
            let place = match request.namespace.as_str() {
                "" => String::new(),
                namespace => format!(" in {namespace:?}"),
            };
            terminal::line(format_args!(
                "\nThis user {may} {} {}{place}.",
                request.verb, request.resource
            ));
            if !access.reason.is_empty() {
                terminal::line(format_args!("  {}", access.reason));
            }
            match &access.nearest {
                Some(nearest) => terminal::line(format_args!("  nearest: {nearest}")),
                None if access.allowed => {}
                None => terminal::line("  No binding comes near to granting it."),
            }
        }
    }
}

fn tell(walk: &Walk, against: &Against) {
    terminal::print(walk);
    let Some(refusal) = &walk.refusal else {
        return;
    };
    if let Some(path) = &refusal.path
        && let Some((source, offset)) = against.place.of(against, path)
    {
        let rule = against.subject.flag(path).unwrap_or(path);
        let frame = source.error_word(offset, format!("refused by {rule}"), "here");
        terminal::line(format_args!("\n{:?}", Report::new(frame)));
    } else {
        terminal::line("");
    }
    terminal::print(refusal);
}

fn read_token(path: &Path) -> miette::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        stdin().lock().read_to_string(&mut text).into_diagnostic()?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read the token in {}", path.display()))
}

/// The configuration file or the flags of the command line.
fn against(args: &ExplainArgs) -> miette::Result<Against> {
    let (subject, place) = match &args.config {
        Some(path) => {
            let source = Source::read(Path::new(""), path)?;
            (file(&source)?, Place::Configuration(source))
        }
        None if args.flags.is_empty() => {
            return Err(miette!(
                help =
                    "`--config FILE`, or `--flag oidc-issuer-url=...` and so on, or `--lab NAME`",
                "there is no configuration to explain the token against"
            ));
        }
        None => (flags(&named(&args.flags)?)?, Place::Nowhere),
    };
    Ok(Against {
        subject,
        place,
        live: false,
    })
}

fn file(source: &Source) -> miette::Result<Subject> {
    Subject::file(source.text()).map_err(|error| refused(source, &error))
}

/// A configuration that the API server would not start with, at the first place that it objects to.
fn refused(source: &Source, error: &ConfigError) -> Report {
    let message = format!("the API server does not start with this file: {error}");
    let tree = yaml11::parse_spanned(source.text());
    match (error, tree) {
        (ConfigError::Invalid(violations), Ok(tree)) if !violations.is_empty() => {
            let path = &violations[0].path;
            let place = tree.nearest(path).0;
            Report::new(source.error_word(place.start, message, path))
        }
        _ => Report::new(source.unread(message)),
    }
}

/// `NAME=VALUE`, with or without dashes before the name.
fn named(flags: &[String]) -> miette::Result<BTreeMap<String, Vec<String>>> {
    let mut given = BTreeMap::<String, Vec<String>>::new();
    for flag in flags {
        let (name, value) = flag.split_once('=').ok_or_else(|| {
            miette!(
                help = "write it as `--flag oidc-username-claim=email`",
                "the flag `{flag}` has no value"
            )
        })?;
        let name = name.trim_start_matches('-').to_owned();
        given.entry(name).or_default().push(value.to_owned());
    }
    Ok(given)
}

fn flags(given: &BTreeMap<String, Vec<String>>) -> miette::Result<Subject> {
    let flags = OidcFlags::named(given, |path| std::fs::read_to_string(path));
    flags
        .and_then(Subject::flags)
        .map_err(|error| miette!("the API server does not start with these flags: {error}"))
}

/// Asks the token's issuer, where that can be done.
fn signature(
    against: &Against,
    token: &Token,
    text: &str,
    offline: bool,
) -> miette::Result<Signature> {
    let unchecked = |why: &str| Ok(Signature::Unchecked(why.to_owned()));
    if offline {
        return unchecked("--offline was given, so that the issuer was not asked for its keys");
    }
    let Some(index) = explain::responsible(&against.subject, token) else {
        return unchecked("no authenticator takes the token");
    };
    let authenticator = &against.subject.config().jwt[index];
    if authenticator.issuer.certificate_authority.is_empty() && !against.live {
        return unchecked(
            "the configuration names no certificateAuthority, and this program trusts no other",
        );
    }
    let probe = runtime()?.block_on(oidc::probe(authenticator, text));
    match &probe.found {
        Found::Unreachable(why) if !against.live => unchecked(&format!(
            "the issuer cannot be reached from here, though the API server may reach it: {why}"
        )),
        _ => Ok(Signature::Probed(probe)),
    }
}

/// A time as a person gives it.
#[derive(Debug, Clone, Copy)]
pub struct Moment(SystemTime);

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = match text.parse::<i64>() {
            Ok(seconds) => seconds,
            Err(_) => explain::seconds(text).ok_or(
                "a time is written 2026-11-22T10:00:00Z, or as seconds since 1970".to_owned(),
            )?,
        };
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let time = if seconds < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.map(Self).ok_or("that time is too far away".to_owned())
    }
}
