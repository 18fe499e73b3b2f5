//! The rules.

use std::fmt::{self, Write as _};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; it does not count as broken.
    Note,
    /// Accepted, and very likely not meant.
    Warning,
    /// Refused, or useless as it stands.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that is looked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name, in small letters with dashes.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is looked for, in one line.
    pub what: &'static str,
    /// What comes of it.
    pub why: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

/// The rule of that name.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// The rules as a page of the documentation.
#[must_use]
pub fn book() -> String {
    let mut out = String::from(
        "# What `cargo xtask lint` looks for\n\n\
         `cargo xtask lint` looks at every lab and scenario of the checkout; with arguments at files, folders, labs and\n\
         Markdown with samples. Files that are named together are held against each other. Errors and warnings make it\n\
         end with 1, notes do not. A file that means what it says carries a comment with the reason:\n\n\
         ```yaml\n# authlab: allow(system-names): the scenario shows what comes of it\n```\n\n\
         JSON has no comments: there a client's `description` says it, in the same words with the `#`.\n\n\
         This page is written from the rules themselves (`harness/lint/src/rules.rs`); a test holds it to them.\n",
    );
    for rule in RULES {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "\n## {} ({})\n\nLooks for {}.\n{}\nMend: {}.\n",
            rule.id, rule.severity, rule.what, rule.why, rule.mend
        );
    }
    out
}

const fn error(
    id: &'static str,
    what: &'static str,
    why: &'static str,
    mend: &'static str,
) -> Rule {
    Rule {
        id,
        severity: Severity::Error,
        what,
        why,
        mend,
    }
}

const fn warning(
    id: &'static str,
    what: &'static str,
    why: &'static str,
    mend: &'static str,
) -> Rule {
    Rule {
        id,
        severity: Severity::Warning,
        what,
        why,
        mend,
    }
}

const fn note(id: &'static str, what: &'static str, why: &'static str, mend: &'static str) -> Rule {
    Rule {
        id,
        severity: Severity::Note,
        what,
        why,
        mend,
    }
}

/// Every rule, in the order of the documentation.
pub static RULES: &[Rule] = &[
    error(
        "yaml",
        "a file that is no YAML, tabs above all",
        "Nobody can read it; a sample that people copy fails at once.",
        "indent with blanks, and close what was opened",
    ),
    error(
        "duplicate-key",
        "a key that stands twice in one mapping",
        "The API server refuses it; other programs take the last one and forget the first without a word.",
        "keep one of the two",
    ),
    error(
        "unknown-key",
        "a key that an authentication configuration does not have",
        "The API server does not start with the file, or keeps the old one in force when the file is reloaded.",
        "take it out, or write the key that was meant",
    ),
    error(
        "extra-expression",
        "`expression` in `claimMappings.extra`",
        "Everywhere else the key is `expression`, here it is `valueExpression`; many examples have it wrong.",
        "write `valueExpression`",
    ),
    error(
        "not-a-list",
        "a mapping or a text where a list belongs, such as `claimValidationRules`",
        "The API server refuses the file; the error names a Go type and no line.",
        "put `- ` before the first key of each item",
    ),
    error(
        "refused",
        "a file that the API server, Dex or Keycloak does not start with",
        "It is the answer that the product itself would give.",
        "do as the message says",
    ),
    error(
        "bare-split",
        "`claims.x.split(\",\")` as the whole of a groups or extra expression",
        "It compiles, and then every login fails: expression must return a string or a list of strings.",
        "write `claims.x.split(\",\").map(item, item)`",
    ),
    warning(
        "nbf-may-be-absent",
        "a rule that reads `claims.nbf` without asking whether it is there",
        "Neither Dex nor Keycloak send `nbf`: the rule then refuses every token with `no such key: nbf`.",
        "write `claims.iat` instead, or `!has(claims.nbf) || ...`",
    ),
    error(
        "number-arithmetic",
        "a whole number added to or taken from a claim, as in `claims.exp - 60`",
        "Numbers in tokens are doubles since Kubernetes 1.34: the expression fails with `no such overload`.",
        "write the number with a fraction, `60.0`",
    ),
    warning(
        "audience-nobody-issues",
        "an audience that no client of the provider has",
        "No token for it is ever issued: every login is refused with `expected audience`.",
        "write the id of a client of the provider, or add the client there",
    ),
    warning(
        "account-audience",
        "the audience `account` of a Keycloak realm",
        "Access tokens of every client of the realm have it: whoever gets any of them is let in.",
        "give the client an audience mapper and name that audience",
    ),
    error(
        "issuer-mismatch",
        "an issuer that differs from the provider's own in form only: a slash, http, capital letters",
        "Issuers are compared letter by letter: discovery fails, or no authenticator takes the tokens.",
        "write it as the provider's configuration has it",
    ),
    warning(
        "discovery-url",
        "a `discoveryURL` that is not the address of a discovery document, or says nothing new",
        "It is fetched as it stands, nothing is added to it; and it must not be the issuer itself.",
        "write the whole address with /.well-known/openid-configuration, or leave the key out",
    ),
    error(
        "wrong-ca",
        "a certificateAuthority that did not sign the issuer's certificate",
        "Discovery fails, and every token of the issuer is refused with `authenticator not initialized`.",
        "put the PEM of the authority there that signed the provider's certificate",
    ),
    warning(
        "claim-not-sent",
        "a claim that the provider does not put into its tokens",
        "A missing groups claim means no groups, without a word; a missing user name refuses every login.",
        "name a claim that is sent, or have the provider send it",
    ),
    warning(
        "prefix-collision",
        "two issuers whose users or groups can get the same names, or those of service accounts, nodes, anonymous",
        "Who controls the one issuer can be any user of the other; with `system:serviceaccount:`, any service account.",
        "give each issuer a prefix of its own, none the beginning of another",
    ),
    warning(
        "system-names",
        "names of the system (`system:masters`) that a token can claim: no prefix, or one that begins with `system:`",
        "The API server takes them from any issuer: without a rule the provider decides who is an administrator.",
        "add a prefix of the issuer's own, or a userValidationRule: !user.username.startsWith('system:')",
    ),
    warning(
        "unverified-email",
        "a user name made of the e-mail address where nothing looks at email_verified",
        "Who may type any address into their profile is whoever they like.",
        "add the claimValidationRule `claims.email_verified == true`",
    ),
    note(
        "email-may-be-unverified",
        "`claim: email` of a provider that may leave email_verified out",
        "A token without email_verified counts as verified.",
        "add the claimValidationRule `claims.email_verified == true`",
    ),
    warning(
        "ignored-key",
        "a key of a Dex configuration that Dex ignores",
        "It has no effect: `expiry.idToken` leaves tokens good for 24 hours.",
        "write the key that was meant",
    ),
    warning(
        "redirect-without-port",
        "a redirect URI of a Dex client on the loopback without a port",
        "Dex compares letter by letter, and programs listen on a port: it fits none of them.",
        "write the port, or leave `redirectURIs` out of a public client: then any loopback port is taken",
    ),
    error(
        "redirect-not-registered",
        "a lab's client with a redirect URI that the provider does not know",
        "The login ends at the provider with an error page.",
        "add it to the client's redirect URIs at the provider",
    ),
    note(
        "redirect-unused",
        "a redirect URI that no client of the lab uses",
        "Every address that is allowed without need is a way out for codes. Of Keycloak's, only those that fit one address.",
        "take it out",
    ),
    error(
        "unknown-client",
        "a lab's client that the provider does not have",
        "Every login fails with an error about the client.",
        "write the id of a client of the provider",
    ),
    error(
        "unknown-user",
        "a lab's user whom the provider does not have",
        "Every login of theirs is refused, in the same words as a wrong password.",
        "write the `login` of a user of the provider, or add the user there",
    ),
    warning(
        "jumpstarter-internal-prefix",
        "another prefix than `internal:` for Jumpstarter's own tokens",
        "Its controller looks for `internal:` whatever the file says, and refuses its own tokens.",
        "leave `internal.prefix` out",
    ),
    warning(
        "jumpstarter-internal-names",
        "an issuer whose users can be called `internal:...` in Jumpstarter",
        "Such a user passes for a client or an exporter of Jumpstarter's own.",
        "give the issuer a prefix of its own",
    ),
    warning(
        "jumpstarter-two-configurations",
        "a ConfigMap with both `config` and `authentication`",
        "The old key wins, and provisioning is off, whatever `config` says.",
        "take out the key `authentication`",
    ),
    warning(
        "allow-without-reason",
        "a comment `authlab: allow(RULE)` without a reason, or for a rule that is none",
        "The next reader has to know why it is so.",
        "write `# authlab: allow(RULE): why`",
    ),
];
