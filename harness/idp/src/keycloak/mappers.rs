//! Protocol mappers: what of a user, a client and a session becomes a claim (`org.keycloak.protocol.oidc.mappers`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    claims::{Claims, Source, split},
    realm::{Client, Mapper, Realm, Role, Scope, User, origin},
};

/// What claims are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Access,
    Id,
    UserInfo,
    Introspection,
}

/// Who and what the claims are about.
pub(super) struct Subject<'r> {
    pub realm: &'r Realm,
    pub client: &'r Client,
    pub user: &'r User,
    pub scopes: Vec<&'r Scope>,
    /// The session's id; service accounts have none.
    pub session: Option<&'r str>,
    pub acr: &'r str,
    pub auth_time: Option<i64>,
    /// The address that a service account's token was asked for from.
    pub peer: Option<&'r str>,
}

impl Subject<'_> {
    /// Adds what the mappers of the granted scopes give for this target.
    pub(super) fn map(&self, claims: &mut Claims, target: Target) {
        let roles = self.realm.roles_for(self.user, self.client, &self.scopes);
        for mapper in self.scopes.iter().flat_map(|scope| &scope.mappers) {
            if includes(mapper, target) {
                self.apply(mapper, claims, &roles, target);
            }
        }
    }

    fn apply(&self, mapper: &Mapper, claims: &mut Claims, roles: &BTreeSet<Role>, target: Target) {
        let in_token = target != Target::UserInfo;
        match mapper.kind.as_str() {
            "oidc-usermodel-attribute-mapper" => {
                if let Some(values) =
                    self.attribute(mapper.get("user.attribute"), mapper.is("aggregate.attrs"))
                {
                    claims.map(mapper, Source::Many(values));
                }
            }
            "oidc-usermodel-property-mapper" => {
                if let Some(value) = self.property(mapper.get("user.attribute")) {
                    claims.map(mapper, Source::One(value));
                }
            }
            "oidc-full-name-mapper" => {
                let names = [&self.user.first_name, &self.user.last_name];
                let names: Vec<_> = names
                    .into_iter()
                    .flatten()
                    .filter(|name| !name.is_empty())
                    .cloned()
                    .collect();
                if !names.is_empty() {
                    claims.set("name", names.join(" "));
                }
            }
            "oidc-address-mapper" => claims.set("address", self.address(mapper)),
            "oidc-audience-mapper" if in_token => {
                let custom = mapper.get("included.custom.audience");
                match mapper
                    .config
                    .get("included.client.audience")
                    .map_or(custom, String::as_str)
                {
                    "" => {}
                    audience => claims.add_audience(audience),
                }
            }
            "oidc-audience-resolve-mapper" if in_token => {
                let clients = roles.iter().filter_map(|role| role.client.as_deref());
                for client in clients
                    .filter(|client| *client != self.client.id)
                    .collect::<BTreeSet<_>>()
                {
                    claims.add_audience(client);
                }
            }
            "oidc-usermodel-realm-role-mapper" => {
                let names = roles
                    .iter()
                    .filter(|role| role.client.is_none())
                    .map(|role| role.name.as_str());
                let prefix = mapper.get("usermodel.realmRoleMapping.rolePrefix");
                put_roles(mapper, claims, "", prefix, names.collect());
            }
            "oidc-usermodel-client-role-mapper" => {
                let only = mapper.get("usermodel.clientRoleMapping.clientId");
                let mut of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
                for (client, role) in roles
                    .iter()
                    .filter_map(|role| Some((role.client.as_deref()?, &role.name)))
                {
                    if only.is_empty() || only == client {
                        of.entry(client).or_default().push(role);
                    }
                }
                let prefix = mapper.get("usermodel.clientRoleMapping.rolePrefix");
                for (client, names) in of {
                    put_roles(mapper, claims, client, prefix, names);
                }
            }
            "oidc-group-membership-mapper" => {
                let full = mapper.is("full.path");
                let groups = self
                    .user
                    .groups
                    .iter()
                    .filter_map(|group| self.realm.groups.get(*group));
                let names: Vec<Value> = groups
                    .map(|group| {
                        if full {
                            group.path.as_str()
                        } else {
                            group.name.as_str()
                        }
                        .into()
                    })
                    .collect();
                if !names.is_empty() {
                    claims.put(&split(mapper.get("claim.name")), names.into(), true);
                }
            }
            "oidc-hardcoded-claim-mapper" => {
                if let Some(value) = mapper.config.get("claim.value") {
                    claims.map(mapper, Source::One(value.clone()));
                }
            }
            "oidc-usersessionmodel-note-mapper" => {
                if let Some(note) = self.note(mapper.get("user.session.note")) {
                    claims.map(mapper, Source::One(note));
                }
            }
            "oidc-sub-mapper" => claims.set("sub", self.user.id.as_str()),
            "oidc-acr-mapper" if in_token => claims.set("acr", self.acr),
            // Steps of a login have names in flows of a realm's own only.
            "oidc-amr-mapper" if matches!(target, Target::Access | Target::Id) => {
                claims.set("amr", json!([]));
            }
            "oidc-session-state-mapper" => {
                if let Some(session) = self.session {
                    claims.set("session_state", session);
                }
            }
            "oidc-allowed-origins-mapper" if in_token => {
                let origins = web_origins(self.client);
                if !origins.is_empty() {
                    claims.set("allowed-origins", origins);
                }
            }
            _ => {}
        }
    }

    /// A user's attribute, or else the first group's that has it, or everybody's together.
    fn attribute(&self, name: &str, together: bool) -> Option<Vec<String>> {
        let own = match name {
            "username" => Some(vec![self.user.username.clone()]),
            "email" => self.user.email.clone().map(|email| vec![email]),
            "firstName" => self.user.first_name.clone().map(|name| vec![name]),
            "lastName" => self.user.last_name.clone().map(|name| vec![name]),
            other => self.user.attributes.get(other).cloned(),
        };
        let mut found = own.filter(|values| !values.is_empty()).unwrap_or_default();
        if !found.is_empty() && !together {
            return Some(found);
        }
        for group in self
            .user
            .groups
            .iter()
            .flat_map(|group| self.realm.lineage(*group))
        {
            let values = group.attributes.get(name).into_iter().flatten();
            found.extend(
                values
                    .filter(|value| !found.contains(value))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            if !found.is_empty() && !together {
                break;
            }
        }
        Some(found).filter(|found| !found.is_empty())
    }

    fn property(&self, name: &str) -> Option<String> {
        match name {
            "id" => Some(self.user.id.clone()),
            "username" => Some(self.user.username.clone()),
            "email" => self.user.email.clone(),
            "firstName" => self.user.first_name.clone(),
            "lastName" => self.user.last_name.clone(),
            "emailVerified" => Some(self.user.email_verified.to_string()),
            "enabled" => Some(self.user.enabled.to_string()),
            _ => None,
        }
    }

    fn note(&self, name: &str) -> Option<String> {
        match name {
            "AUTH_TIME" => self.auth_time.map(|time| time.to_string()),
            "client_id" => self.peer.map(|_| self.client.id.clone()),
            "clientHost" | "clientAddress" => self.peer.map(str::to_owned),
            _ => None,
        }
    }

    fn address(&self, mapper: &Mapper) -> Value {
        let parts = [
            ("street", "street_address"),
            ("locality", "locality"),
            ("region", "region"),
            ("postal_code", "postal_code"),
            ("country", "country"),
            ("formatted", "formatted"),
        ];
        let found = parts.into_iter().filter_map(|(setting, claim)| {
            let attribute = match mapper.get(&format!("user.attribute.{setting}")) {
                "" => setting,
                other => other,
            };
            let value = self.user.attributes.get(attribute)?.first()?;
            Some((claim.to_owned(), json!(value)))
        });
        Value::Object(found.collect::<Map<_, _>>())
    }
}

fn includes(mapper: &Mapper, target: Target) -> bool {
    let or = |name: &str, other: &str| match mapper.get(name) {
        "" => mapper.is(other),
        value => value == "true",
    };
    match target {
        Target::Access => mapper.is("access.token.claim"),
        Target::Id => {
            let access_only = [
                "oidc-sub-mapper",
                "oidc-audience-resolve-mapper",
                "oidc-allowed-origins-mapper",
            ];
            mapper.is("id.token.claim") && !access_only.contains(&mapper.kind.as_str())
        }
        Target::UserInfo => or("userinfo.token.claim", "id.token.claim"),
        Target::Introspection => or("introspection.token.claim", "access.token.claim"),
    }
}

fn put_roles(mapper: &Mapper, claims: &mut Claims, client: &str, prefix: &str, names: Vec<&str>) {
    if names.is_empty() {
        return;
    }
    // A client's own dots are no steps.
    let client = client.replace('\\', r"\\").replace('.', r"\.");
    let path = split(&mapper.get("claim.name").replace("${client_id}", &client));
    let names: Vec<_> = names.iter().map(|name| format!("{prefix}{name}")).collect();
    match mapper.is("multivalued") {
        true => claims.put(&path, names.into(), true),
        false => claims.put(
            &path,
            names
                .first()
                .map_or(Value::Null, |name| name.as_str().into()),
            false,
        ),
    }
}

/// Where scripts of a client may come from; `+` stands for where its users are sent back to.
pub(super) fn web_origins(client: &Client) -> Vec<String> {
    let mut origins = BTreeSet::new();
    for entry in &client.web_origins {
        match entry.as_str() {
            "+" => origins.extend(client.redirect_uris.iter().filter_map(|uri| origin(uri))),
            other => {
                origins.insert(other.to_owned());
            }
        }
    }
    origins.into_iter().collect()
}
