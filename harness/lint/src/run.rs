//! What is held against what: files given together, a lab, the whole checkout.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::LazyLock,
};

use authlab_authn::tree::{Kind, Node};
use authlab_lab::{
    plan::{self, Authentication, Plan, Text},
    render::{self, Values},
    source::{Source, SourceError, yaml_files},
    spec::ProviderKind,
};
use authlab_pki::Authority;

use crate::{
    checks::{Authenticator, claims, jumpstarter, lab, names, product, shape, trust},
    document::{Document, Form, items, text},
    finding::{Finding, Out},
    markdown,
    provider::Provider,
    rules::rule,
};

/// What was found, and where there was nothing to look at.
#[derive(Debug, Default)]
pub struct Lint {
    /// The findings, by file and place.
    pub findings: Vec<Finding>,
    /// Files in which there is nothing that the rules are about.
    pub unknown: Vec<String>,
    /// How many documents were looked at.
    pub documents: usize,
}

impl Lint {
    /// Looks at files, held against each other.
    #[must_use]
    pub fn files(sources: Vec<Source>) -> Self {
        let mut lint = Self::default();
        let mut documents = Vec::new();
        for source in &sources {
            let here = documents_of(source);
            if here
                .iter()
                .all(|document| document.form == Form::Other && document.tree.kind != Kind::Null)
            {
                lint.unknown.push(source.name().to_owned());
            }
            documents.extend(here);
        }
        let providers: Vec<Provider> = documents.iter().filter_map(Provider::read).collect();
        let certificates: Vec<Option<Vec<u8>>> = providers
            .iter()
            .map(|provider| std::fs::read(provider.certificate.as_deref()?).ok())
            .collect();
        for document in &documents {
            lint.document(document, &providers, |authenticator, out| {
                let issuer = authenticator.text("issuer.url").unwrap_or_default();
                for (provider, certificate) in providers.iter().zip(&certificates) {
                    if let Some(certificate) = certificate.as_ref().filter(|_| provider.is(issuer))
                    {
                        trust::authority(authenticator, certificate, out);
                    }
                }
            });
        }
        for source in &sources {
            lint.allow(source);
        }
        lint.sort();
        lint
    }

    /// Looks at a lab of the checkout: its file, its providers, its authentication, and every other authentication
    /// that scenarios give it.
    ///
    /// # Errors
    /// When the lab does not exist, or cannot be read.
    pub fn lab(root: &Path, name: &str) -> Result<Self, SourceError> {
        let plan = Plan::load(root, name)?;
        let mut lint = Self::default();
        let file = plan
            .file
            .as_ref()
            .map(|file| Document::whole(&file.source()));
        let scenarios = scenarios_of(root, name);
        let mut used = BTreeSet::new();
        for node in file.iter().map(|file| &file.tree).chain(&scenarios) {
            lab::redirect_uris(node, &mut used);
        }
        let mut providers = Vec::new();
        let documents: Vec<Option<Document>> = plan
            .providers
            .values()
            .map(|spec| Some(Document::whole(&spec.config.as_ref()?.source())))
            .collect();
        // One provider may be a client of another.
        for document in documents.iter().flatten() {
            lab::redirect_uris(&document.tree, &mut used);
        }
        for ((name, spec), document) in plan.providers.iter().zip(&documents) {
            let issuer = format!("${{lab.idp.{name}.issuer}}");
            let mut provider = document
                .as_ref()
                .and_then(Provider::read)
                .unwrap_or_else(|| Provider::forge(issuer.clone()));
            if spec.kind != ProviderKind::Dex {
                provider.issuer = issuer;
            }
            if let Some(file) = &file {
                lint.collect(file, |out| {
                    lab::client(file, name, &provider, out);
                    lab::people(file, name, &provider, out);
                });
            }
            if let Some(document) = document {
                lint.document(document, &[], |_, _| {});
                lint.collect(document, |out| lab::unused(&provider, &used, out));
                lint.allow(&document.source);
            }
            providers.push(provider);
        }
        if let Some(file) = &file {
            lint.flags(file, "apiServer.flags", &providers);
            for name in plan.api_servers.keys() {
                lint.flags(file, &format!("apiServers.{name}.flags"), &providers);
            }
        }
        let others = configured(root, &scenarios);
        let own = std::iter::once(&plan.authentication).chain(plan.api_servers.values());
        let own = own.filter_map(|one: &Authentication| one.config.clone());
        for config in own.chain(others) {
            let document = Document::whole(&config.source());
            lint.document(&document, &providers, in_lab);
            lint.allow(&document.source);
        }
        if let Some(file) = &file {
            lint.allow(&file.source);
        }
        lint.sort();
        Ok(lint)
    }

    /// Looks at every lab of the checkout.
    ///
    /// # Errors
    /// As [`Lint::lab`].
    pub fn checkout(root: &Path) -> Result<Self, SourceError> {
        let mut all = Self::default();
        for name in plan::names(root) {
            all.add(Self::lab(root, &name)?);
        }
        Ok(all)
    }

    /// Adds what was found elsewhere; the same finding counts once.
    pub fn add(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.unknown.extend(other.unknown);
        self.documents += other.documents;
        self.sort();
    }

    /// Everything about one document.
    fn document(
        &mut self,
        document: &Document,
        providers: &[Provider],
        authority: impl Fn(&Authenticator<'_>, &mut Out<'_>),
    ) {
        if document.form != Form::Other {
            self.documents += 1;
        }
        let own = Provider::read(document);
        self.collect(document, |out| {
            shape::yaml(document, out);
            shape::keys(document, out);
            shape::refused(document, out);
            product::own(document, out);
            if let Some(own) = &own {
                product::redirects(own, out);
            }
            if document.form == Form::ConfigMap {
                jumpstarter::config_map(document, out);
            }
            jumpstarter::internal(document, out);
            let authenticators: Vec<Authenticator<'_>> = document
                .authenticators()
                .into_iter()
                .map(|(path, node)| Authenticator { path, node })
                .collect();
            for authenticator in &authenticators {
                of_one(authenticator, providers, out);
                authority(authenticator, out);
                if document.form == Form::Jumpstarter {
                    jumpstarter::names(authenticator, out);
                }
            }
            names::collisions(&authenticators, out);
        });
    }

    /// The flags of a lab's API server.
    fn flags(&mut self, file: &Document, path: &str, providers: &[Provider]) {
        let Some(node) = file.tree.at(path).and_then(lab::of_flags) else {
            return;
        };
        let authenticator = Authenticator {
            path: path.to_owned(),
            node: &node,
        };
        self.collect(file, |out| {
            of_one(&authenticator, providers, out);
            names::collisions(&[authenticator], out);
        });
    }

    fn collect(&mut self, document: &Document, check: impl FnOnce(&mut Out<'_>)) {
        let map = |offset| document.offset(offset);
        let mut out = Out {
            source: &document.source,
            map: &map,
            findings: Vec::new(),
        };
        check(&mut out);
        self.findings.append(&mut out.findings);
    }

    /// Takes out what a file says is meant.
    fn allow(&mut self, source: &Source) {
        let map = |offset| offset;
        let mut out = Out {
            source,
            map: &map,
            findings: Vec::new(),
        };
        let mut allowed = BTreeSet::new();
        let mut offset = 0;
        for line in source.text().split_inclusive('\n') {
            const MARK: &str = "authlab: allow(";
            // Only in a comment: documentation speaks of it.
            let comment = if is_markdown(source) { "<!--" } else { "#" };
            let found = line
                .find(MARK)
                .filter(|found| line[..*found].trim_end().ends_with(comment));
            if let Some(found) = found {
                let rest = &line[found + MARK.len()..];
                let (list, after) = rest.split_once(')').unwrap_or((rest, ""));
                let reason = after
                    .trim_start_matches(':')
                    .trim()
                    .trim_end_matches("-->")
                    .trim();
                for id in list.split(',').map(str::trim) {
                    if rule(id).is_none() || reason.is_empty() {
                        let message = format!("`{id}` is allowed without a reason, or is no rule");
                        out.add("allow-without-reason", offset + found, message);
                    } else {
                        allowed.insert(id.to_owned());
                    }
                }
            }
            offset += line.len();
        }
        self.findings.retain(|finding| {
            finding.source.name() != source.name() || !allowed.contains(finding.rule.id)
        });
        self.findings.append(&mut out.findings);
    }

    fn sort(&mut self) {
        let mut seen = BTreeSet::new();
        self.findings.retain(|finding| seen.insert(finding.key()));
        self.findings.sort_by_key(Finding::key);
    }
}

/// What is looked for in one authenticator.
fn of_one(authenticator: &Authenticator<'_>, providers: &[Provider], out: &mut Out<'_>) {
    let provider = trust::meant(authenticator, providers);
    trust::issuer(authenticator, providers, out);
    names::system(authenticator, provider, out);
    claims::expressions(authenticator, out);
    claims::email(authenticator, provider, out);
    if let Some(provider) = provider {
        trust::audiences(authenticator, provider, out);
        claims::sent(authenticator, provider, out);
    }
}

/// In a lab, one authority signs every certificate.
fn in_lab(authenticator: &Authenticator<'_>, out: &mut Out<'_>) {
    const OF_LAB: &str = "${lab.ca}";
    let issuer = authenticator.text("issuer.url").unwrap_or_default();
    let authority = authenticator.text("issuer.certificateAuthority");
    if issuer.starts_with("${lab.idp.") && authority != Some(OF_LAB) {
        let place = authenticator.place("issuer.certificateAuthority");
        let message = "every certificate of a lab is signed by `${lab.ca}`, and this is another authority or none";
        out.with_help(
            "wrong-ca",
            place,
            message,
            "write `certificateAuthority: \"${lab.ca}\"`",
        );
    }
}

fn is_markdown(source: &Source) -> bool {
    let ending = Path::new(source.name()).extension();
    ending.is_some_and(|ending| ending == "md")
}

/// The documents in a file.
fn documents_of(source: &Source) -> Vec<Document> {
    if !is_markdown(source) {
        let document = Document::whole(source);
        let mut all = if document.form == Form::ConfigMap {
            jumpstarter::files(&document)
        } else {
            Vec::new()
        };
        all.insert(0, document);
        return all;
    }
    let mut all = Vec::new();
    for block in markdown::blocks(source.text()) {
        // Templates are no YAML before they are filled.
        if block.iter().any(|(_, line)| line.contains("{{")) {
            continue;
        }
        let mut document = Document::excerpt(source, &block, false);
        // A sample that says its kind is the whole of a file.
        document.whole =
            document.form == Form::Authentication("") && document.tree.get("kind").is_some();
        // Nothing is known of a sample that cannot be read; only those about authentication are of interest.
        let about = [
            "claimMappings",
            "claimValidationRules",
            "AuthenticationConfiguration",
            "staticClients",
        ];
        if document.tree.kind == Kind::Null
            && !about.iter().any(|word| document.text.contains(word))
        {
            continue;
        }
        if document.form == Form::ConfigMap {
            all.extend(jumpstarter::files(&document));
        }
        all.push(document);
    }
    all
}

/// The scenarios of a lab.
fn scenarios_of(root: &Path, lab: &str) -> Vec<Node> {
    let files: Vec<PathBuf> = yaml_files(&root.join("scenarios"));
    let trees = files.iter().filter_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        authlab_authn::yaml11::parse_spanned(&text).ok()
    });
    let of_lab = |tree: &Node| {
        let among = |key: &str| {
            crate::document::texts(tree, key)
                .iter()
                .any(|(name, _)| *name == lab)
        };
        text(tree, "lab") == Some(lab) || among("lab") || among("labs")
    };
    trees.filter(of_lab).collect()
}

/// The authentication files that scenarios put in force, and do not expect to be refused.
fn configured(root: &Path, scenarios: &[Node]) -> Vec<Text> {
    let mut paths = BTreeMap::new();
    for step in scenarios.iter().flat_map(|tree| items(tree, "steps")) {
        if let Some(path) = text(step, "configure.authentication")
            && step.at("configure.expect.refused").is_none()
            && let Ok(text) = plan::fixture(root, Path::new(path))
        {
            paths.insert(path.to_owned(), text);
        }
    }
    paths.into_values().collect()
}

/// A text with something for each placeholder, so that the product's own reader takes it.
pub(crate) fn filled(text: &str) -> String {
    static AUTHORITY: LazyLock<String> = LazyLock::new(|| {
        let authority = Authority::generate("lint");
        authority.map_or_else(
            |_| String::new(),
            |authority| authority.certificate_pem().to_owned(),
        )
    });
    let mut values = Values::new();
    for rest in text.split("${").skip(1) {
        let name = rest.split('}').next().unwrap_or_default();
        if !name.starts_with("lab.") {
            continue;
        }
        let value = match name.rsplit('.').next().unwrap_or_default() {
            "issuer" | "url" => format!("https://{name}"),
            "listen" => "127.0.0.1:5556".to_owned(),
            "port" => "5556".to_owned(),
            "type" => "memory".to_owned(),
            "ca" | "other" => AUTHORITY.clone(),
            _ => name.replace('.', "-"),
        };
        values.insert(name.to_owned(), value);
    }
    render::file(&Source::new("", text), &values).unwrap_or_else(|_| text.to_owned())
}
