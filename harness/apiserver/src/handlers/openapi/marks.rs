//! What the published schemas of Kubernetes say of lists, maps and texts, and the types that they are made of here do
//! not: by schema and field, as in `PodSpec.containers`.
//!
//! Source: the OpenAPI (version 3) that Kubernetes 1.36 publishes. No two of the schemas here have one last name.

use serde_json::{Map, Value, json};

/// Adds it to schemas of built-in kinds.
pub(super) fn mark(schemas: &mut Map<String, Value>) {
    for (name, schema) in schemas {
        let name = name.rsplit('.').next().unwrap_or_default();
        if WHOLE.contains(&name) {
            schema["x-kubernetes-map-type"] = json!("atomic");
        }
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (field, property) in properties.into_iter().flatten() {
            of_field(&format!("{name}.{field}"), property);
        }
    }
}

fn of_field(path: &str, property: &mut Value) {
    if property["type"] == "array" {
        let keys = KEYED.iter().find(|(_, paths)| paths.contains(&path));
        let kind = match keys {
            Some((keys, _)) => {
                property["x-kubernetes-list-map-keys"] = json!(keys);
                "map"
            }
            None if SETS.contains(&path) => "set",
            None => "atomic",
        };
        property["x-kubernetes-list-type"] = json!(kind);
    }
    if path == EXCLUSIVE {
        property["x-kubernetes-patch-strategy"] = json!("retainKeys");
    }
    if WHOLE.contains(&path) {
        property["x-kubernetes-map-type"] = json!("atomic");
    } else if path == GRANULAR {
        property["x-kubernetes-map-type"] = json!("granular");
    }
    let places = [
        ("", path.to_owned()),
        ("items", format!("{path}[]")),
        ("additionalProperties", format!("{path}{{}}")),
    ];
    for (inner, path) in places {
        let values = VALUES
            .iter()
            .find(|(paths, _)| paths.contains(&path.as_str()));
        let place = match inner {
            "" => Some(&mut *property),
            _ => property.get_mut(inner),
        };
        if let (Some((_, values)), Some(place)) = (values, place) {
            let values: Vec<&str> = values
                .split(' ')
                .map(|value| value.trim_matches('-'))
                .collect();
            place["enum"] = json!(values);
        }
    }
}

/// Lists whose items are there once each. Lists that are named nowhere here are one piece.
const SETS: &[&str] = &[
    "PodFailurePolicyOnExitCodesRequirement.values",
    "UncountedTerminatedPods.failed",
    "UncountedTerminatedPods.succeeded",
    "ContainerRestartRuleOnExitCodes.values",
    "NodeAllocatableResourceClaimStatus.containers",
    "NodeSpec.podCIDRs",
    "ObjectMeta.finalizers",
];

/// Lists whose items are told apart by these of their fields.
const KEYED: &[(&[&str], &[&str])] = &[
    (
        &["type"],
        &[
            "DaemonSetStatus.conditions",
            "DeploymentStatus.conditions",
            "ReplicaSetStatus.conditions",
            "StatefulSetStatus.conditions",
            "NamespaceStatus.conditions",
            "NodeStatus.addresses",
            "NodeStatus.conditions",
            "PersistentVolumeClaimStatus.conditions",
            "PodStatus.conditions",
            "ServiceStatus.conditions",
            "CustomResourceDefinitionStatus.conditions",
            "APIServiceStatus.conditions",
        ],
    ),
    (
        &["name"],
        &[
            "Container.env",
            "ContainerStatus.allocatedResourcesStatus",
            "EphemeralContainer.env",
            "PodSpec.containers",
            "PodSpec.ephemeralContainers",
            "PodSpec.imagePullSecrets",
            "PodSpec.initContainers",
            "PodSpec.resourceClaims",
            "PodSpec.schedulingGates",
            "PodSpec.volumes",
            "PodStatus.resourceClaimStatuses",
            "ResourceRequirements.claims",
            "ServiceAccount.secrets",
        ],
    ),
    (
        &["containerPort", "protocol"],
        &["Container.ports", "EphemeralContainer.ports"],
    ),
    (
        &["devicePath"],
        &[
            "Container.volumeDevices",
            "EphemeralContainer.volumeDevices",
        ],
    ),
    (
        &["mountPath"],
        &[
            "Container.volumeMounts",
            "ContainerStatus.volumeMounts",
            "EphemeralContainer.volumeMounts",
        ],
    ),
    (&["ip"], &["PodSpec.hostAliases", "PodStatus.podIPs"]),
    (
        &["topologyKey", "whenUnsatisfiable"],
        &["PodSpec.topologySpreadConstraints"],
    ),
    (&["resourceID"], &["ResourceStatus.resources"]),
    (&["port", "protocol"], &["ServiceSpec.ports"]),
    (&["rule"], &["JSONSchemaProps.x-kubernetes-validations"]),
    (&["uid"], &["ObjectMeta.ownerReferences"]),
];

/// Objects that are one piece, and maps that are.
const WHOLE: &[&str] = &[
    "ConfigMapKeySelector",
    "FileKeySelector",
    "LocalObjectReference",
    "NodeSelector",
    "NodeSelectorTerm",
    "ObjectFieldSelector",
    "ObjectReference",
    "ResourceFieldSelector",
    "ScopeSelector",
    "SecretKeySelector",
    "TypedLocalObjectReference",
    "ServiceBackendPort",
    "RoleRef",
    "Subject",
    "LabelSelector",
    "OwnerReference",
    "PodSpec.nodeSelector",
    "ServiceSpec.selector",
];

/// An object of which a patch says which fields stay.
const EXCLUSIVE: &str = "DeploymentSpec.strategy";

/// A map of which that is said although it is so of all others.
const GRANULAR: &str = "PersistentVolumeClaimStatus.allocatedResourceStatuses";

/// The values of texts, `-` for the empty one; behind a field `[]` are the items of a list, `{}` the values of a map.
const VALUES: &[(&[&str], &str)] = &[
    (
        &[
            "DaemonSetUpdateStrategy.type",
            "StatefulSetUpdateStrategy.type",
        ],
        "OnDelete RollingUpdate",
    ),
    (&["DeploymentStrategy.type"], "Recreate RollingUpdate"),
    (
        &["StatefulSetSpec.podManagementPolicy"],
        "OrderedReady Parallel",
    ),
    (&["CronJobSpec.concurrencyPolicy"], "Allow Forbid Replace"),
    (&["JobSpec.completionMode"], "Indexed NonIndexed"),
    (
        &["JobSpec.podReplacementPolicy"],
        "Failed TerminatingOrFailed",
    ),
    (
        &["PodFailurePolicyOnExitCodesRequirement.operator"],
        "In NotIn",
    ),
    (
        &["PodFailurePolicyRule.action"],
        "Count FailIndex FailJob Ignore",
    ),
    (
        &["AppArmorProfile.type", "SeccompProfile.type"],
        "Localhost RuntimeDefault Unconfined",
    ),
    (
        &["AzureDiskVolumeSource.cachingMode"],
        "None ReadOnly ReadWrite",
    ),
    (&["AzureDiskVolumeSource.kind"], "Dedicated Managed Shared"),
    (
        &[
            "Container.imagePullPolicy",
            "EphemeralContainer.imagePullPolicy",
            "ImageVolumeSource.pullPolicy",
        ],
        "Always IfNotPresent Never",
    ),
    (
        &[
            "Container.terminationMessagePolicy",
            "EphemeralContainer.terminationMessagePolicy",
        ],
        "FallbackToLogsOnError File",
    ),
    (
        &[
            "ContainerPort.protocol",
            "PortStatus.protocol",
            "ServicePort.protocol",
            "IngressPortStatus.protocol",
            "NetworkPolicyPort.protocol",
        ],
        "SCTP TCP UDP",
    ),
    (
        &["ContainerStatus.stopSignal", "Lifecycle.stopSignal"],
        "SIGABRT SIGALRM SIGBUS SIGCHLD SIGCLD SIGCONT SIGFPE SIGHUP SIGILL SIGINT SIGIO SIGIOT SIGKILL SIGPIPE SIGPOLL SIGPROF SIGPWR SIGQUIT SIGRTMAX SIGRTMAX-1 SIGRTMAX-10 SIGRTMAX-11 SIGRTMAX-12 SIGRTMAX-13 SIGRTMAX-14 SIGRTMAX-2 SIGRTMAX-3 SIGRTMAX-4 SIGRTMAX-5 SIGRTMAX-6 SIGRTMAX-7 SIGRTMAX-8 SIGRTMAX-9 SIGRTMIN SIGRTMIN+1 SIGRTMIN+10 SIGRTMIN+11 SIGRTMIN+12 SIGRTMIN+13 SIGRTMIN+14 SIGRTMIN+15 SIGRTMIN+2 SIGRTMIN+3 SIGRTMIN+4 SIGRTMIN+5 SIGRTMIN+6 SIGRTMIN+7 SIGRTMIN+8 SIGRTMIN+9 SIGSEGV SIGSTKFLT SIGSTOP SIGSYS SIGTERM SIGTRAP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGUSR1 SIGUSR2 SIGVTALRM SIGWINCH SIGXCPU SIGXFSZ",
    ),
    (&["HTTPGetAction.scheme"], "HTTP HTTPS"),
    (
        &["HostPathVolumeSource.type"],
        "- BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket",
    ),
    (
        &["ModifyVolumeStatus.status"],
        "InProgress Infeasible Pending",
    ),
    (&["NamespaceStatus.phase"], "Active Terminating"),
    (
        &["NodeSelectorRequirement.operator"],
        "DoesNotExist Exists Gt In Lt NotIn",
    ),
    (&["NodeStatus.phase"], "Pending Running Terminated"),
    (
        &[
            "PersistentVolumeClaimSpec.accessModes[]",
            "PersistentVolumeClaimStatus.accessModes[]",
        ],
        "ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod",
    ),
    (
        &["PersistentVolumeClaimSpec.volumeMode"],
        "Block Filesystem",
    ),
    (
        &["PersistentVolumeClaimStatus.allocatedResourceStatuses{}"],
        "ControllerResizeInProgress ControllerResizeInfeasible NodeResizeInProgress NodeResizeInfeasible NodeResizePending",
    ),
    (&["PersistentVolumeClaimStatus.phase"], "Bound Lost Pending"),
    (
        &["PodSecurityContext.fsGroupChangePolicy"],
        "Always OnRootMismatch",
    ),
    (
        &["PodSecurityContext.supplementalGroupsPolicy"],
        "Merge Strict",
    ),
    (
        &["PodSpec.dnsPolicy"],
        "ClusterFirst ClusterFirstWithHostNet Default None",
    ),
    (&["PodSpec.preemptionPolicy"], "Never PreemptLowerPriority"),
    (&["PodSpec.restartPolicy"], "Always Never OnFailure"),
    (
        &["PodStatus.phase"],
        "Failed Pending Running Succeeded Unknown",
    ),
    (&["PodStatus.qosClass"], "BestEffort Burstable Guaranteed"),
    (
        &[
            "ResourceQuotaSpec.scopes[]",
            "ScopedResourceSelectorRequirement.scopeName",
        ],
        "BestEffort CrossNamespacePodAffinity NotBestEffort NotTerminating PriorityClass Terminating VolumeAttributesClass",
    ),
    (
        &["ScopedResourceSelectorRequirement.operator"],
        "DoesNotExist Exists In NotIn",
    ),
    (&["SecurityContext.procMount"], "Default Unmasked"),
    (
        &[
            "ServiceSpec.externalTrafficPolicy",
            "ServiceSpec.internalTrafficPolicy",
        ],
        "Cluster Local",
    ),
    (&["ServiceSpec.ipFamilies[]"], "- IPv4 IPv6"),
    (
        &["ServiceSpec.ipFamilyPolicy"],
        "PreferDualStack RequireDualStack SingleStack",
    ),
    (&["ServiceSpec.sessionAffinity"], "ClientIP None"),
    (
        &["ServiceSpec.type"],
        "ClusterIP ExternalName LoadBalancer NodePort",
    ),
    (
        &["Taint.effect", "Toleration.effect"],
        "NoExecute NoSchedule PreferNoSchedule",
    ),
    (&["Toleration.operator"], "Equal Exists Gt Lt"),
    (
        &[
            "TopologySpreadConstraint.nodeAffinityPolicy",
            "TopologySpreadConstraint.nodeTaintsPolicy",
        ],
        "Honor Ignore",
    ),
    (
        &["TopologySpreadConstraint.whenUnsatisfiable"],
        "DoNotSchedule ScheduleAnyway",
    ),
    (
        &["VolumeMount.mountPropagation"],
        "Bidirectional HostToContainer None",
    ),
    (
        &["HTTPIngressPath.pathType"],
        "Exact ImplementationSpecific Prefix",
    ),
    (&["NetworkPolicySpec.policyTypes[]"], "Egress Ingress"),
    (
        &["ValidationRule.reason"],
        "FieldValueDuplicate FieldValueForbidden FieldValueInvalid FieldValueRequired",
    ),
];

#[cfg(test)]
mod tests;
