//! Where in its work an authenticator is.

/// What an authenticator looks at, in the order in which it does. Of a list, the index in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The algorithm of the signature.
    Algorithm,
    /// Whether the payload can be read, and the standard claims are of their types.
    Payload,
    /// `aud`.
    Audience,
    /// `exp`.
    Expiry,
    /// `nbf`.
    NotBefore,
    /// Groups that are not in the token but elsewhere.
    DistributedGroups,
    /// `claimMappings.username`.
    Username,
    /// `claimMappings.groups`.
    Groups,
    /// `claimMappings.uid`.
    Uid,
    /// `claimMappings.extra`.
    Extra(usize),
    /// `claimValidationRules` that ask for a value.
    RequiredClaim(usize),
    /// `claimValidationRules` that are expressions.
    ClaimRule(usize),
    /// `userValidationRules`.
    UserRule(usize),
}

/// Why a token is refused, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What refuses it.
    pub(crate) stage: Stage,
    /// The text that a TokenReview shows.
    pub(crate) text: String,
}

impl Stage {
    /// An error of this stage.
    pub(crate) fn refused(self, text: impl Into<String>) -> Refused {
        Refused {
            stage: self,
            text: text.into(),
        }
    }
}
