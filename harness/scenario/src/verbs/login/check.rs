//! What can be wrong with a login before it is tried.

use authlab_lab::source::{Source, SourceError};
use serde_saphyr::Location;

use super::{Grant, Login};
use crate::credential::TokenKind;
use crate::verbs::Loading;
use crate::verbs::provider::{Endpoint, has, named, unknown};

impl Login {
    /// Each grant has the keys that it needs and no others.
    pub(super) fn keys(&self, source: &Source) -> Result<(), SourceError> {
        use Grant::{AuthorizationCode, DeviceCode, Password, RefreshToken, TokenExchange};
        let grant = self.grant.name();
        let person: &[Grant] = &[Password, AuthorizationCode, DeviceCode];
        let browser: &[Grant] = &[AuthorizationCode, DeviceCode, TokenExchange];
        let place = |name: &serde_saphyr::Spanned<String>| name.referenced;
        let needed: [(_, _, _, Option<Location>); 3] = [
            (
                "user",
                "name a user of the lab file",
                person,
                self.user.as_ref().map(place),
            ),
            (
                "from",
                "name the credential to renew",
                &[RefreshToken],
                self.from.as_ref().map(place),
            ),
            (
                "subject",
                "name the credential whose token is exchanged",
                &[TokenExchange],
                self.subject.as_ref().map(place),
            ),
        ];
        let kind = |kind: &serde_saphyr::Spanned<TokenKind>| kind.referenced;
        let optional: [(_, &[Grant], Option<Location>); 5] = [
            ("connector", browser, self.connector.as_ref().map(place)),
            (
                "consents",
                &[AuthorizationCode, DeviceCode],
                self.consents.as_ref().map(|agrees| agrees.referenced),
            ),
            (
                "subjectToken",
                &[TokenExchange],
                self.subject_token.as_ref().map(kind),
            ),
            (
                "requestedToken",
                &[TokenExchange],
                self.requested_token.as_ref().map(kind),
            ),
            (
                "audience",
                &[TokenExchange],
                self.audience.as_ref().map(|many| many.referenced),
            ),
        ];
        for (key, help, grants, given) in needed {
            if grants.contains(&self.grant) && given.is_none() {
                let message = format!("the grant `{grant}` needs `{key}`");
                let error = source.error(self.idp.referenced, message, "in this login");
                return Err(error.or_help(help));
            }
        }
        let needed = needed.map(|(key, _, grants, given)| (key, grants, given));
        for (key, grants, given) in needed.into_iter().chain(optional) {
            if let Some(place) = given.filter(|_| !grants.contains(&self.grant)) {
                let grants: Vec<&str> = grants.iter().map(|grant| grant.name()).collect();
                let message = format!("the grant `{grant}` has no `{key}`");
                return Err(source
                    .error(place, message, "of no use here")
                    .or_help(format!("`{key}` is for {}", grants.join(", "))));
            }
        }
        match &self.token {
            Some(kind) if kind.value == TokenKind::Refresh => Err(source
                .error(
                    kind.referenced,
                    "a refresh token is no credential",
                    "this token",
                )
                .or_help("`id` and `access` are; the refresh token is kept beside it")),
            _ => Ok(()),
        }
    }

    /// The provider exists in each lab, and knows the user.
    pub(super) fn people(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        has(loading, &self.idp, Endpoint::Token)?;
        let Some(user) = self.user.as_ref().filter(|_| self.password.is_none()) else {
            return Ok(());
        };
        for (plan, provider) in named(loading, &self.idp)? {
            if !provider.users.contains_key(&user.value) {
                let message = format!(
                    "`{}` has no user `{}` in the lab `{}`",
                    self.idp.value, user.value, plan.lab
                );
                let known = provider.users.keys().map(String::as_str).collect();
                return Err(unknown(loading.source, user, message, known));
            }
        }
        Ok(())
    }
}
