//! Acting as somebody else: the `Impersonate-*` headers and who may use them.
//!
//! Modes, checks and texts follow k8s.io/apiserver `endpoints/filters/impersonation` (v0.36), where
//! constrained impersonation (KEP-5284) is on: each constrained mode that fits is tried before the
//! classic `impersonate` verb, and a refusal is worded by the first mode that refused.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use authlab_authn::UserInfo;
use authlab_rbac::{Target, quote};
use http::HeaderMap;
use percent_encoding::percent_decode_str;

use super::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED, service_account};
use crate::call;
use crate::cluster::Cluster;
use crate::resources::validation;
use crate::status::Status;

const AUTHENTICATION: &str = "authentication.k8s.io";
/// From so many values on, one check for `*` precedes a check each.
const MANY: usize = 4;

/// The user that the headers ask for, raw; `None` without the headers.
pub(crate) fn wanted(headers: &HeaderMap) -> Result<Option<UserInfo>, Status> {
    let text = |name: &str| -> String {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix("impersonate-extra-") {
            let decoded = percent_decode_str(key).decode_utf8();
            let key = decoded.map_or_else(|_| key.to_owned(), |decoded| decoded.into_owned());
            extra
                .entry(key)
                .or_default()
                .push(String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
    }
    let user = UserInfo {
        username: text("impersonate-user"),
        uid: text("impersonate-uid"),
        groups: headers
            .get_all("impersonate-group")
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect(),
        extra,
    };
    if !user.username.is_empty() {
        return Ok(Some(user));
    }
    if user == UserInfo::default() {
        return Ok(None);
    }
    let shown = go_syntax(&user);
    Err(Status::bad_request(format!(
        "requested {shown} without impersonating a user name"
    )))
}

/// The user as Go's `%#v` prints it, which is what the real message holds.
fn go_syntax(user: &UserInfo) -> String {
    let list = |all: &[String]| {
        let all: Vec<String> = all.iter().map(|one| quote(one)).collect();
        all.join(", ")
    };
    let groups = match user.groups.as_slice() {
        [] => "[]string(nil)".to_owned(),
        some => format!("[]string{{{}}}", list(some)),
    };
    let pairs: Vec<String> = user
        .extra
        .iter()
        .map(|(key, values)| format!("{}:[]string{{{}}}", quote(key), list(values)))
        .collect();
    let extra = match pairs.as_slice() {
        [] => "map[string][]string(nil)".to_owned(),
        some => format!("map[string][]string{{{}}}", some.join(", ")),
    };
    let uid = quote(&user.uid);
    format!("&user.DefaultInfo{{Name:\"\", UID:{uid}, Groups:{groups}, Extra:{extra}}}")
}

/// Somebody else whom a request is carried out as.
#[derive(Debug, Clone)]
pub(crate) struct Impersonated {
    pub(crate) user: UserInfo,
    /// The constrained verb that allowed it, if it was one.
    pub(crate) constraint: Option<String>,
}

/// The user that the request is carried out as, or the refusal. `verb` and `target` are those of
/// the request itself.
pub(crate) fn impersonate(
    cluster: &Cluster,
    requestor: &UserInfo,
    wanted: &UserInfo,
    verb: &str,
    target: Target<'_>,
) -> Result<Impersonated, Status> {
    let checks = Checks {
        cluster,
        requestor,
        wanted,
    };
    let mut modes = Mode::fitting(requestor, wanted);
    if let Some(last) = cluster.impersonations.last(&requestor.username) {
        modes.sort_by_key(|mode| *mode != last);
    }
    let mut first = None;
    for mode in modes {
        match checks.run(mode, verb, target) {
            Ok(user) => {
                cluster.impersonations.succeeded(&requestor.username, mode);
                cluster
                    .metrics
                    .impersonated(mode.name().unwrap_or("legacy"));
                let constraint = mode.name().map(|name| format!("impersonate:{name}"));
                return Ok(Impersonated { user, constraint });
            }
            Err(refused) => _ = first.get_or_insert(refused),
        }
    }
    Err(first.unwrap_or_else(|| Status::unexplained("all impersonation modes failed")))
}

/// By user the mode that last succeeded, which is tried first and words refusals from then on.
#[derive(Debug, Default)]
pub(crate) struct Successes(Mutex<HashMap<String, Mode>>);

impl Successes {
    fn last(&self, user: &str) -> Option<Mode> {
        let modes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        modes.get(user).copied()
    }

    fn succeeded(&self, user: &str, mode: Mode) {
        let mut modes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        modes.insert(user.to_owned(), mode);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    AssociatedNode,
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    Legacy,
}

impl Mode {
    fn fitting(requestor: &UserInfo, wanted: &UserInfo) -> Vec<Self> {
        let bare = wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty();
        let node = node_name(&wanted.username);
        let account = account_name(&wanted.username).is_some();
        let own = requestor
            .extra
            .get("authentication.kubernetes.io/node-name");
        let own = own.filter(|_| account_name(&requestor.username).is_some());
        let associated = node.is_some_and(|node| own.is_some_and(|own| *own == [node]));
        let mut modes = Vec::new();
        if bare && associated {
            modes.push(Self::AssociatedNode);
        }
        if bare && node.is_some() {
            modes.push(Self::ArbitraryNode);
        }
        if bare && account {
            modes.push(Self::ServiceAccount);
        }
        if node.is_none() && !account {
            modes.push(Self::UserInfo);
        }
        modes.push(Self::Legacy);
        modes
    }

    /// The mode's part of a verb; none for the classic one.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::AssociatedNode => Some("associated-node"),
            Self::ArbitraryNode => Some("arbitrary-node"),
            Self::ServiceAccount => Some("serviceaccount"),
            Self::UserInfo => Some("user-info"),
            Self::Legacy => None,
        }
    }
}

struct Checks<'a> {
    cluster: &'a Cluster,
    requestor: &'a UserInfo,
    wanted: &'a UserInfo,
}

impl Checks<'_> {
    fn run(&self, mode: Mode, verb: &str, target: Target<'_>) -> Result<UserInfo, Status> {
        let mut acting = "impersonate".to_owned();
        if let Some(name) = mode.name() {
            self.check(&format!("impersonate-on:{name}:{verb}"), target)?;
            acting = format!("impersonate:{name}");
        }
        let mut user = self.wanted.clone();
        self.username(mode, &acting, &mut user)?;
        if !self.wanted.uid.is_empty() {
            self.check(
                &acting,
                resource(AUTHENTICATION, "uids", "", "", &self.wanted.uid),
            )?;
        }
        self.groups(mode, &acting)?;
        self.extra(mode, &acting)?;
        let group = if user.username == ANONYMOUS {
            UNAUTHENTICATED
        } else if user.groups.iter().any(|group| group == UNAUTHENTICATED) {
            return Ok(user);
        } else {
            AUTHENTICATED
        };
        if !user.groups.iter().any(|one| one == group) {
            user.groups.push(group.to_owned());
        }
        Ok(user)
    }

    fn username(&self, mode: Mode, verb: &str, user: &mut UserInfo) -> Result<(), Status> {
        let name = &self.wanted.username;
        if let Some((namespace, account)) = account_name(name) {
            if self.wanted.groups.is_empty() {
                user.groups = service_account::groups(namespace);
            }
            return self.check(
                verb,
                resource(group_of(mode), "serviceaccounts", "", namespace, account),
            );
        }
        if mode != Mode::Legacy
            && let Some(node) = node_name(name)
        {
            user.groups = vec!["system:nodes".to_owned()];
            let node = if mode == Mode::AssociatedNode {
                "*"
            } else {
                node
            };
            return self.check(verb, resource(AUTHENTICATION, "nodes", "", "", node));
        }
        self.check(verb, resource(group_of(mode), "users", "", "", name))
    }

    fn groups(&self, mode: Mode, verb: &str) -> Result<(), Status> {
        let groups = &self.wanted.groups;
        let target = |name| resource(group_of(mode), "groups", "", "", name);
        if mode != Mode::Legacy {
            if groups.iter().any(String::is_empty) {
                let why = "impersonating the empty string group is not allowed";
                return Err(self.refuse(verb, target(""), why));
            }
            if groups
                .iter()
                .any(|group| group == authlab_rbac::SYSTEM_MASTERS)
            {
                let why = "impersonating the system:masters group is not allowed";
                return Err(self.refuse(verb, target(authlab_rbac::SYSTEM_MASTERS), why));
            }
            if groups.len() >= MANY && self.check(verb, target("*")).is_ok() {
                return Ok(());
            }
        }
        groups
            .iter()
            .try_for_each(|group| self.check(verb, target(group)))
    }

    fn extra(&self, mode: Mode, verb: &str) -> Result<(), Status> {
        let extra = &self.wanted.extra;
        let target = |key, value| resource(AUTHENTICATION, "userextras", key, "", value);
        if mode != Mode::Legacy && !extra.is_empty() {
            if let Err(why) = check_extra(extra) {
                return Err(self.refuse(verb, target("", ""), &why));
            }
            let large = extra.len() >= MANY || extra.values().map(Vec::len).sum::<usize>() >= MANY;
            if large && self.check(verb, target("*", "*")).is_ok() {
                return Ok(());
            }
        }
        for (key, values) in extra {
            values
                .iter()
                .try_for_each(|value| self.check(verb, target(key, value)))?;
        }
        Ok(())
    }

    fn check(&self, verb: &str, target: Target<'_>) -> Result<(), Status> {
        let decision = self.cluster.authorize(self.requestor, verb, target);
        if decision.allowed {
            Ok(())
        } else {
            Err(self.refuse(verb, target, &decision.reason))
        }
    }

    fn refuse(&self, verb: &str, target: Target<'_>, why: &str) -> Status {
        call::refusal(self.requestor, verb, target, why)
    }
}

/// Users, groups and service accounts are in the core group to the classic verb only.
fn group_of(mode: Mode) -> &'static str {
    if mode == Mode::Legacy {
        ""
    } else {
        AUTHENTICATION
    }
}

fn resource<'a>(
    group: &'a str,
    resource: &'a str,
    subresource: &'a str,
    namespace: &'a str,
    name: &'a str,
) -> Target<'a> {
    Target::Resource {
        group,
        resource,
        subresource,
        namespace,
        name,
    }
}

fn node_name(username: &str) -> Option<&str> {
    let name = username.strip_prefix("system:node:")?;
    validation::dns_subdomain(name).is_empty().then_some(name)
}

/// Namespace and name of a well-formed service-account user name.
fn account_name(username: &str) -> Option<(&str, &str)> {
    let (namespace, name) = username
        .strip_prefix("system:serviceaccount:")?
        .split_once(':')?;
    let valid =
        validation::dns_label(namespace).is_empty() && validation::dns_subdomain(name).is_empty();
    valid.then_some((namespace, name))
}

fn check_extra(extra: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
    for (key, values) in extra {
        if key.is_empty() {
            return Err("impersonating the empty string key in extra is not allowed".to_owned());
        }
        if !key.split_once('/').is_some_and(|(domain, path)| {
            validation::dns_subdomain(domain).is_empty() && !path.is_empty()
        }) {
            let key = quote(key);
            return Err(format!(
                "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: {key}: must be a domain-prefixed path (such as \"acme.io/foo\")"
            ));
        }
        if *key != key.to_lowercase() {
            let key = quote(key);
            return Err(format!(
                "impersonating a non-lowercase key in extra is not allowed: {key}"
            ));
        }
        if values.iter().any(String::is_empty) {
            return Err("impersonating the empty string value in extra is not allowed".to_owned());
        }
    }
    Ok(())
}
