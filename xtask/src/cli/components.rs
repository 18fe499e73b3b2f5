//! Flags that say which real components are meant, and of which version.

use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::state::BackendKind;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Which Kubernetes real components are of.
#[derive(Debug, Clone, Copy, Args)]
pub struct KubernetesArgs {
    /// The version of Kubernetes of real components [default: AUTHLAB_KUBERNETES, or 1.36].
    #[arg(long, value_name = "VERSION", value_parser = versions())]
    pub kubernetes: Option<Kubernetes>,
}

/// Those there are, which are told to whoever asks for another.
fn versions() -> impl TypedValueParser<Value = Kubernetes> {
    PossibleValuesParser::new(Kubernetes::ALL.map(Kubernetes::name))
        .try_map(|name| Kubernetes::named(&name).ok_or("there is none of that name"))
}

impl KubernetesArgs {
    /// The version that is meant.
    pub fn wanted(self) -> miette::Result<Kubernetes> {
        match self.kubernetes {
            Some(wanted) => Ok(wanted),
            None => Kubernetes::of_environment().map_err(|why| miette::miette!("{why}")),
        }
    }

    /// The same on these backends, of which one must be able to run what was asked for by name.
    pub fn wanted_on(self, backends: &[BackendKind]) -> miette::Result<Kubernetes> {
        let wanted = self.wanted()?;
        let runs = |kind: &BackendKind| kind.kubernetes(wanted) == wanted;
        if self.kubernetes.is_none() || backends.iter().any(runs) {
            return Ok(wanted);
        }
        let what = match backends {
            [BackendKind::Existing] => "a cluster that exists already has a version of its own",
            _ => "the embedded servers model Kubernetes 1.36 only",
        };
        Err(miette::miette!(
            help =
                "`--backend process` and `--backend kind` run the real components of any version",
            "{what}"
        ))
    }
}

/// Where container images come from.
#[derive(Debug, Clone, Copy, Args)]
pub struct OriginArgs {
    /// Where container images come from: `official` ones by the digests of ci/images/official.yaml,
    /// or `built` here; `auto` takes what Docker has, else the official ones where it can pull them,
    /// else builds them [default: auto].
    #[arg(long = "images", value_name = "ORIGIN", value_parser = origins())]
    pub origin: Option<Origin>,
}

fn origins() -> impl TypedValueParser<Value = Origin> {
    PossibleValuesParser::new(["built", "official", "auto"])
        .try_map(|name| Origin::named(&name).ok_or("there is none of that name"))
}

impl OriginArgs {
    /// What is meant.
    pub fn wanted(self) -> Origin {
        self.origin.unwrap_or_default()
    }
}

/// Flags of `tools`.
#[derive(Debug, Args)]
pub struct ToolsArgs {
    /// Only these [default: all that labs of processes need].
    pub tools: Vec<String>,
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    /// Build nothing, only show what there is.
    #[arg(long)]
    pub list: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `images`.
#[derive(Debug, Args)]
pub struct ImagesArgs {
    /// Only these [default: all].
    pub images: Vec<String>,
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    /// Where they come from, as `--images` says elsewhere [default: auto].
    #[arg(long, value_name = "ORIGIN", value_parser = origins())]
    pub from: Option<Origin>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
}
