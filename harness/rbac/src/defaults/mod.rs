//! The RBAC objects that an API server of Kubernetes 1.36 creates at its first start, from the
//! tables beside this file (their format is explained in their heads).
//!
//! Source: Kubernetes docs, "Using RBAC Authorization", section "Default roles and role bindings";
//! compared object by object with a running kube-apiserver 1.36.3. Times, uids and versions are
//! for the server that stores them.

use std::collections::BTreeMap;

use k8s_openapi::api::rbac::v1::{
    AggregationRule, ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef,
    Subject,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::aggregation::aggregate_all;

const CLUSTER_ROLES: &str = include_str!("cluster-roles.table");
const CONTROLLER_ROLES: &str = include_str!("controller-roles.table");
const ROLES: &str = include_str!("roles.table");
const BINDINGS: &str = include_str!("bindings.table");
const GROUP: &str = "rbac.authorization.k8s.io";

/// The default ClusterRoles by name, those of the controllers included; `admin`, `edit` and `view`
/// with their rules already aggregated.
#[must_use]
pub fn cluster_roles() -> Vec<ClusterRole> {
    let mut roles: Vec<ClusterRole> = [CLUSTER_ROLES, CONTROLLER_ROLES]
        .into_iter()
        .flat_map(blocks)
        .map(cluster_role)
        .collect();
    roles.sort_by(|one, other| one.metadata.name.cmp(&other.metadata.name));
    aggregate_all(&mut roles);
    roles
}

/// The default Roles, all of them in `kube-system` and `kube-public`.
#[must_use]
pub fn roles() -> Vec<Role> {
    let role = |block: Block<'_>| Role {
        metadata: metadata(block.name, &[]),
        rules: Some(block.rules),
    };
    blocks(ROLES).map(role).collect()
}

/// The default ClusterRoleBindings by name.
#[must_use]
pub fn cluster_role_bindings() -> Vec<ClusterRoleBinding> {
    let cluster = bindings().filter(|binding| !binding.name.contains('/'));
    cluster
        .map(|binding| ClusterRoleBinding {
            metadata: metadata(binding.name, &[]),
            role_ref: role_ref("ClusterRole", binding.role),
            subjects: binding.subjects,
        })
        .collect()
}

/// The default RoleBindings, all of them in `kube-system` and `kube-public`.
#[must_use]
pub fn role_bindings() -> Vec<RoleBinding> {
    let namespaced = bindings().filter(|binding| binding.name.contains('/'));
    namespaced
        .map(|binding| RoleBinding {
            metadata: metadata(binding.name, &[]),
            role_ref: role_ref("Role", binding.role),
            subjects: binding.subjects,
        })
        .collect()
}

/// A role of a table: its name (or `namespace/name`), marks (`to=x`, `from=x`) and rules.
struct Block<'a> {
    name: &'a str,
    marks: Vec<&'a str>,
    rules: Vec<PolicyRule>,
}

/// A line of the table of bindings.
struct Binding<'a> {
    name: &'a str,
    role: &'a str,
    subjects: Option<Vec<Subject>>,
}

fn lines(table: &str) -> impl Iterator<Item = &str> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn blocks(table: &str) -> impl Iterator<Item = Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in lines(table) {
        let mut words = line.split_whitespace();
        match blocks.last_mut() {
            Some(block) if line.starts_with(' ') => block.rules.push(rule(words)),
            _ => {
                let name = words.next().unwrap_or_default();
                blocks.push(Block {
                    name,
                    marks: words.collect(),
                    rules: Vec::new(),
                });
            }
        }
    }
    blocks.into_iter()
}

fn rule<'a>(mut words: impl Iterator<Item = &'a str>) -> PolicyRule {
    let mut next = || words.next().unwrap_or_default();
    let split = |word: &str| word.split(',').map(str::to_owned).collect::<Vec<_>>();
    let verbs = match next() {
        "read" => split("get,list,watch"),
        "write" => split("create,delete,deletecollection,patch,update"),
        verbs => split(verbs),
    };
    let groups = next();
    let what = Some(split(next()));
    if groups == "url" {
        return PolicyRule {
            verbs,
            non_resource_urls: what,
            ..PolicyRule::default()
        };
    }
    let groups = split(groups).into_iter().map(|group| {
        if group == "core" {
            String::new()
        } else {
            group
        }
    });
    PolicyRule {
        verbs,
        api_groups: Some(groups.collect()),
        resources: what,
        resource_names: next().strip_prefix('=').map(split),
        non_resource_urls: None,
    }
}

fn cluster_role(block: Block<'_>) -> ClusterRole {
    let marked = |mark: &str| -> Vec<String> {
        let targets = block.marks.iter().filter_map(|one| one.strip_prefix(mark));
        targets
            .map(|target| format!("{GROUP}/aggregate-to-{target}"))
            .collect()
    };
    let select = |label: String| LabelSelector {
        match_labels: Some(BTreeMap::from([(label, "true".to_owned())])),
        match_expressions: None,
    };
    let selectors: Vec<LabelSelector> = marked("from=").into_iter().map(select).collect();
    ClusterRole {
        metadata: metadata(block.name, &marked("to=")),
        aggregation_rule: (!selectors.is_empty()).then_some(AggregationRule {
            cluster_role_selectors: Some(selectors),
        }),
        rules: Some(block.rules),
    }
}

fn bindings() -> impl Iterator<Item = Binding<'static>> {
    lines(BINDINGS).map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap_or_default();
        let role = match words.next().unwrap_or_default() {
            "=" => name.rsplit_once('/').map_or(name, |(_, name)| name),
            role => role,
        };
        let subjects: Vec<Subject> = words.map(subject).collect();
        Binding {
            name,
            role,
            subjects: (!subjects.is_empty()).then_some(subjects),
        }
    })
}

/// `user:NAME`, `group:NAME` or `sa:NAMESPACE/NAME`.
fn subject(word: &str) -> Subject {
    let (kind, name) = word.split_once(':').unwrap_or_default();
    match kind {
        "sa" => {
            let (namespace, name) = name.split_once('/').unwrap_or_default();
            Subject {
                api_group: None,
                kind: "ServiceAccount".to_owned(),
                name: name.to_owned(),
                namespace: Some(namespace.to_owned()),
            }
        }
        _ => Subject {
            api_group: Some(GROUP.to_owned()),
            kind: if kind == "user" { "User" } else { "Group" }.to_owned(),
            name: name.to_owned(),
            namespace: None,
        },
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: Some(GROUP.to_owned()),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

/// What every default object carries, with `labels` (set to `true`) beside.
fn metadata(name: &str, labels: &[String]) -> ObjectMeta {
    let (namespace, name) = name
        .split_once('/')
        .map_or((None, name), |(namespace, name)| (Some(namespace), name));
    let mut all = BTreeMap::from([(
        "kubernetes.io/bootstrapping".to_owned(),
        "rbac-defaults".to_owned(),
    )]);
    all.extend(
        labels
            .iter()
            .map(|label| (label.clone(), "true".to_owned())),
    );
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespace.map(str::to_owned),
        labels: Some(all),
        annotations: Some(BTreeMap::from([(
            "rbac.authorization.kubernetes.io/autoupdate".to_owned(),
            "true".to_owned(),
        )])),
        ..ObjectMeta::default()
    }
}
