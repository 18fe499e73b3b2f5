//! Documents: a whole file, or an excerpt of one (a sample, a file in a ConfigMap), and what they are.

use authlab_authn::{
    tree::{Kind, Node},
    yaml11,
};
use authlab_lab::source::Source;

/// A document and the file that it is in.
pub(crate) struct Document {
    /// The file.
    pub(crate) source: Source,
    /// The document's text; that of the file, where it is the whole of it.
    pub(crate) text: String,
    /// For an excerpt, where each line begins in the text and in the file.
    lines: Vec<(usize, usize)>,
    /// Its values; null for what is no YAML.
    pub(crate) tree: Node,
    /// What it is.
    pub(crate) form: Form,
    /// Whether it is the whole of what the product reads.
    pub(crate) whole: bool,
}

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An `AuthenticationConfiguration`, or a part of one that begins at the path.
    Authentication(&'static str),
    /// Something else with authenticators in it, such as a custom resource.
    Holder,
    /// A `config.yaml` of Dex.
    Dex,
    /// A realm export of Keycloak.
    Realm,
    /// A lab file.
    Lab,
    /// A ConfigMap of Jumpstarter.
    ConfigMap,
    /// The `config` of Jumpstarter.
    Jumpstarter,
    /// None of them.
    Other,
}

impl Document {
    /// A whole file.
    pub(crate) fn whole(source: &Source) -> Self {
        Self::new(source, source.text().to_owned(), Vec::new(), true)
    }

    /// An excerpt: lines of the text with the offset at which each begins in the file.
    pub(crate) fn excerpt(source: &Source, excerpt: &[(usize, &str)], whole: bool) -> Self {
        let (mut text, mut lines) = (String::new(), Vec::new());
        for (offset, line) in excerpt {
            lines.push((text.len(), *offset));
            text.push_str(line);
            text.push('\n');
        }
        Self::new(source, text, lines, whole)
    }

    fn new(source: &Source, text: String, lines: Vec<(usize, usize)>, whole: bool) -> Self {
        let tree = yaml11::parse_spanned(&text).unwrap_or(Node {
            span: authlab_authn::tree::Span::default(),
            kind: Kind::Null,
        });
        Self {
            source: source.clone(),
            form: form(&tree),
            text,
            lines,
            tree,
            whole,
        }
    }

    /// Where an offset of the text is in the file.
    pub(crate) fn offset(&self, offset: usize) -> usize {
        let line = self.lines.iter().rfind(|(start, _)| *start <= offset);
        line.map_or(offset, |(start, outer)| outer + (offset - start))
    }

    /// Where a line of the text (from 1) begins in it.
    pub(crate) fn line(&self, line: usize) -> usize {
        let before = self.text.split_inclusive('\n').take(line.saturating_sub(1));
        let start: usize = before.map(str::len).sum();
        let rest = &self.text[start..];
        start + (rest.len() - rest.trim_start_matches([' ', '\t']).len())
    }

    /// The authenticators in it, with their paths.
    pub(crate) fn authenticators(&self) -> Vec<(String, &Node)> {
        let items = |path: &str, node: Option<&'_ Node>| match node.map(|node| &node.kind) {
            Some(Kind::List(_)) => Some(path.to_owned()),
            _ => None,
        };
        let list = match self.form {
            Form::Authentication("") => items("jwt", self.tree.at("jwt")),
            Form::Authentication("jwt") => return listed("jwt", &self.tree),
            Form::Authentication(_) => return vec![("jwt[0]".to_owned(), &self.tree)],
            Form::Jumpstarter => items("authentication.jwt", self.tree.at("authentication.jwt")),
            Form::Holder => {
                let mut found = Vec::new();
                search(&self.tree, String::new(), &mut found);
                return found;
            }
            _ => None,
        };
        match list {
            Some(path) => self
                .tree
                .at(&path)
                .map_or_else(Vec::new, |node| listed(&path, node)),
            None => Vec::new(),
        }
    }
}

/// The items of a list with their paths. One that lacks its `- ` counts too: that is told of, and in the
/// same run what is wrong inside of it.
pub(crate) fn listed<'n>(path: &str, node: &'n Node) -> Vec<(String, &'n Node)> {
    match &node.kind {
        Kind::List(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| (format!("{path}[{index}]"), item))
                .collect()
        }
        Kind::Map(_) => vec![(path.to_owned(), node)],
        _ => Vec::new(),
    }
}

/// Whether a mapping is an authenticator by what is in it.
fn is_authenticator(node: &Node) -> bool {
    let issuer = matches!(
        node.get("issuer").map(|node| &node.kind),
        Some(Kind::Map(_))
    );
    issuer && (node.get("claimMappings").is_some() || node.at("issuer.audiences").is_some())
}

fn search<'n>(node: &'n Node, path: String, found: &mut Vec<(String, &'n Node)>) {
    if is_authenticator(node) {
        found.push((path, node));
        return;
    }
    match &node.kind {
        Kind::Map(entries) => {
            for entry in entries {
                let dot = if path.is_empty() { "" } else { "." };
                search(&entry.value, format!("{path}{dot}{}", entry.key), found);
            }
        }
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate() {
                search(item, format!("{path}[{index}]"), found);
            }
        }
        _ => {}
    }
}

/// The text of a scalar at a path.
pub(crate) fn text<'n>(node: &'n Node, path: &str) -> Option<&'n str> {
    match &node.at(path)?.kind {
        Kind::String(text) => Some(text),
        _ => None,
    }
}

/// The items of a list of texts at a path, with their places.
pub(crate) fn texts<'n>(node: &'n Node, path: &str) -> Vec<(&'n str, usize)> {
    let Some(Kind::List(items)) = node.at(path).map(|node| &node.kind) else {
        return Vec::new();
    };
    let items = items.iter().filter_map(|item| match &item.kind {
        Kind::String(text) => Some((text.as_str(), item.span.start)),
        _ => None,
    });
    items.collect()
}

/// The items of a list at a path.
pub(crate) fn items<'n>(node: &'n Node, path: &str) -> &'n [Node] {
    match node.at(path).map(|node| &node.kind) {
        Some(Kind::List(items)) => items,
        _ => &[],
    }
}

fn form(tree: &Node) -> Form {
    let has = |key: &str| tree.get(key).is_some();
    let map = |key: &str| matches!(tree.get(key).map(|node| &node.kind), Some(Kind::Map(_)));
    let kind = text(tree, "kind").unwrap_or_default();
    if kind == "ConfigMap"
        && (tree.at("data.config").is_some() || tree.at("data.authentication").is_some())
    {
        return Form::ConfigMap;
    }
    if kind == "AuthenticationConfiguration" {
        return Form::Authentication("");
    }
    // Before labs: a realm may have providers of identities as well.
    if has("realm") && (has("clients") || has("users") || has("enabled")) {
        return Form::Realm;
    }
    if has("identityProviders") || has("apiServer") && has("description") {
        return Form::Lab;
    }
    let dex = [
        "storage",
        "staticClients",
        "connectors",
        "staticPasswords",
        "enablePasswordDB",
        "web",
        "oauth2",
    ];
    if text(tree, "issuer").is_some() && dex.iter().any(|key| has(key)) {
        return Form::Dex;
    }
    if tree.at("authentication.jwt").is_some() || tree.at("authentication.internal").is_some() {
        return Form::Jumpstarter;
    }
    if kind.is_empty() {
        if matches!(tree.get("jwt").map(|node| &node.kind), Some(Kind::List(_))) {
            return Form::Authentication("");
        }
        let rules = [
            "claimMappings",
            "claimValidationRules",
            "userValidationRules",
        ];
        if rules.iter().any(|key| has(key)) || map("issuer") && tree.at("issuer.url").is_some() {
            return Form::Authentication("jwt[0]");
        }
        if let Kind::List(list) = &tree.kind
            && list.iter().any(|item| item.at("issuer.url").is_some())
        {
            return Form::Authentication("jwt");
        }
    }
    let mut found = Vec::new();
    search(tree, String::new(), &mut found);
    if found.is_empty() {
        Form::Other
    } else {
        Form::Holder
    }
}
