//! The entries. A kind is added here, by its type and its rules, and nowhere else.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenReview};
use k8s_openapi::api::authorization::v1::{
    LocalSubjectAccessReview, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, LimitRange, Namespace, Node, PersistentVolumeClaim, Pod, ResourceQuota,
    Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;

use super::config_maps::ConfigMaps;
use super::definitions::Definitions;
use super::jobs::{CronJobs, Jobs};
use super::namespaces::Namespaces;
use super::networking::{Ingresses, NetworkPolicies};
use super::nodes::{LimitRanges, Nodes, ResourceQuotas};
use super::pods::Pods;
use super::rbac::Served;
use super::records::{ApiServices, Events, Leases, Secrets, Services};
use super::service_accounts::ServiceAccounts;
use super::storage::Claims;
use super::workloads::{DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS};
use super::{Resource, Review, Subresource};

pub(super) const STATUS: Subresource = Subresource {
    name: "status",
    body: None,
    verbs: &["get", "patch", "update"],
};
pub(super) const SCALE: Subresource = Subresource {
    name: "scale",
    body: Some(("autoscaling", "v1", "Scale")),
    verbs: &["get", "patch", "update"],
};
const LOG: Subresource = Subresource {
    name: "log",
    body: None,
    verbs: &["get"],
};
const EXEC: Subresource = Subresource {
    name: "exec",
    body: Some(("", "v1", "PodExecOptions")),
    verbs: &["create", "get"],
};
const ATTACH: Subresource = Subresource {
    name: "attach",
    body: Some(("", "v1", "PodAttachOptions")),
    verbs: &["create", "get"],
};
const PORT_FORWARD: Subresource = Subresource {
    name: "portforward",
    body: Some(("", "v1", "PodPortForwardOptions")),
    verbs: &["create", "get"],
};
const FINALIZE: Subresource = Subresource {
    name: "finalize",
    body: None,
    verbs: &["update"],
};
const TOKEN: Subresource = Subresource {
    name: "token",
    body: Some(("authentication.k8s.io", "v1", "TokenRequest")),
    verbs: &["create"],
};

pub(super) fn resources() -> Vec<Resource> {
    vec![
        Resource::objects::<ConfigMap>(ConfigMaps).short(&["cm"]),
        Resource::objects::<Event>(Events).short(&["ev"]),
        Resource::objects::<Namespace>(Namespaces)
            .short(&["ns"])
            .with(&[FINALIZE, STATUS]),
        Resource::objects::<Pod>(Pods)
            .short(&["po"])
            .category(&["all"])
            .with(&[ATTACH, EXEC, LOG, PORT_FORWARD, STATUS]),
        Resource::objects::<Secret>(Secrets),
        Resource::objects::<Service>(Services)
            .short(&["svc"])
            .category(&["all"])
            .with(&[STATUS]),
        Resource::objects::<Node>(Nodes)
            .short(&["no"])
            .with(&[STATUS]),
        Resource::objects::<LimitRange>(LimitRanges).short(&["limits"]),
        Resource::objects::<ResourceQuota>(ResourceQuotas)
            .short(&["quota"])
            .with(&[STATUS]),
        Resource::objects::<ServiceAccount>(ServiceAccounts)
            .short(&["sa"])
            .with(&[TOKEN]),
        Resource::objects::<PersistentVolumeClaim>(Claims)
            .short(&["pvc"])
            .with(&[STATUS]),
        Resource::objects::<DaemonSet>(DAEMON_SETS)
            .short(&["ds"])
            .category(&["all"])
            .with(&[STATUS]),
        Resource::objects::<Deployment>(DEPLOYMENTS)
            .short(&["deploy"])
            .category(&["all"])
            .with(&[SCALE, STATUS]),
        Resource::objects::<ReplicaSet>(REPLICA_SETS)
            .short(&["rs"])
            .category(&["all"])
            .with(&[SCALE, STATUS]),
        Resource::objects::<StatefulSet>(STATEFUL_SETS)
            .short(&["sts"])
            .category(&["all"])
            .with(&[SCALE, STATUS]),
        Resource::objects::<CronJob>(CronJobs)
            .short(&["cj"])
            .category(&["all"])
            .with(&[STATUS]),
        Resource::objects::<Job>(Jobs)
            .category(&["all"])
            .with(&[STATUS]),
        Resource::objects::<Lease>(Leases),
        Resource::objects::<Ingress>(Ingresses)
            .short(&["ing"])
            .with(&[STATUS]),
        Resource::objects::<NetworkPolicy>(NetworkPolicies).short(&["netpol"]),
        Resource::objects::<CustomResourceDefinition>(Definitions)
            .short(&["crd", "crds"])
            .category(&["api-extensions"])
            .with(&[STATUS]),
        Resource::objects::<APIService>(ApiServices)
            .category(&["api-extensions"])
            .with(&[STATUS]),
        Resource::objects::<ClusterRole>(Served::<ClusterRole>::new()),
        Resource::objects::<ClusterRoleBinding>(Served::<ClusterRoleBinding>::new()),
        Resource::objects::<Role>(Served::<Role>::new()),
        Resource::objects::<RoleBinding>(Served::<RoleBinding>::new()),
        Resource::review::<TokenReview>(Review::Token, false),
        Resource::review::<SelfSubjectReview>(Review::SelfSubject, false),
        Resource::review::<SubjectAccessReview>(Review::SubjectAccess, false),
        Resource::review::<SelfSubjectAccessReview>(Review::SelfSubjectAccess, false),
        Resource::review::<SelfSubjectRulesReview>(Review::SelfSubjectRules, false),
        Resource::review::<LocalSubjectAccessReview>(Review::LocalSubjectAccess, true),
    ]
}
