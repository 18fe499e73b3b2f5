//! The fields that Keycloak 26.4 knows in a realm file, by the classes that it reads them into
//! (`org.keycloak.representations.idm`). It refuses every other field.

/// A kind of object in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Class {
    /// The class in Keycloak's words.
    pub name: &'static str,
    /// The fields that this module reads, or whose effect shows nowhere here.
    pub fields: &'static str,
    /// Fields that Keycloak knows and that would change what it answers, were they not empty; and what to write instead.
    pub lacking: &'static [(&'static str, &'static str)],
}

const NOW: &str = "write `\"notBefore\": 0`: tokens of a lab are new";
const PEOPLE: &str =
    "take it out, and put those who log in among `users`, with a `value` among their `credentials`";
const PASSWORD: &str = "take it out, and give the credential a `value` to log in with";

pub(super) const REALM: Class = Class {
    name: "RealmRepresentation",
    fields: "id realm displayName displayNameHtml defaultSignatureAlgorithm revokeRefreshToken refreshTokenMaxReuse \
        accessTokenLifespan accessTokenLifespanForImplicitFlow ssoSessionIdleTimeout ssoSessionMaxLifespan \
        ssoSessionIdleTimeoutRememberMe ssoSessionMaxLifespanRememberMe offlineSessionIdleTimeout \
        offlineSessionMaxLifespanEnabled offlineSessionMaxLifespan clientSessionIdleTimeout clientSessionMaxLifespan \
        clientOfflineSessionIdleTimeout clientOfflineSessionMaxLifespan accessCodeLifespan accessCodeLifespanUserAction \
        accessCodeLifespanLogin actionTokenGeneratedByAdminLifespan actionTokenGeneratedByUserLifespan \
        oauth2DeviceCodeLifespan oauth2DevicePollingInterval enabled sslRequired passwordCredentialGrantAllowed \
        registrationAllowed registrationEmailAsUsername rememberMe loginWithEmailAllowed duplicateEmailsAllowed \
        resetPasswordAllowed editUsernameAllowed userCacheEnabled realmCacheEnabled bruteForceProtected \
        permanentLockout maxTemporaryLockouts bruteForceStrategy maxFailureWaitSeconds minimumQuickLoginWaitSeconds \
        waitIncrementSeconds quickLoginCheckMilliSeconds maxDeltaTimeSeconds failureFactor privateKey publicKey \
        certificate codeSecret roles groups defaultRole requiredCredentials passwordPolicy otpPolicyType \
        otpPolicyAlgorithm otpPolicyInitialCounter otpPolicyDigits otpPolicyLookAheadWindow otpPolicyPeriod \
        otpPolicyCodeReusable otpSupportedApplications localizationTexts webAuthnPolicyRpEntityName \
        webAuthnPolicySignatureAlgorithms webAuthnPolicyRpId webAuthnPolicyAttestationConveyancePreference \
        webAuthnPolicyAuthenticatorAttachment webAuthnPolicyRequireResidentKey \
        webAuthnPolicyUserVerificationRequirement webAuthnPolicyCreateTimeout \
        webAuthnPolicyAvoidSameAuthenticatorRegister webAuthnPolicyAcceptableAaguids webAuthnPolicyExtraOrigins \
        webAuthnPolicyPasswordlessRpEntityName webAuthnPolicyPasswordlessSignatureAlgorithms \
        webAuthnPolicyPasswordlessRpId webAuthnPolicyPasswordlessAttestationConveyancePreference \
        webAuthnPolicyPasswordlessAuthenticatorAttachment webAuthnPolicyPasswordlessRequireResidentKey \
        webAuthnPolicyPasswordlessUserVerificationRequirement webAuthnPolicyPasswordlessCreateTimeout \
        webAuthnPolicyPasswordlessAvoidSameAuthenticatorRegister webAuthnPolicyPasswordlessAcceptableAaguids \
        webAuthnPolicyPasswordlessExtraOrigins webAuthnPolicyPasswordlessPasskeysEnabled clientProfiles clientPolicies \
        users scopeMappings clientScopeMappings clients clientScopes defaultDefaultClientScopes \
        defaultOptionalClientScopes browserSecurityHeaders smtpServer loginTheme accountTheme adminTheme emailTheme \
        eventsEnabled eventsExpiration eventsListeners enabledEventTypes adminEventsEnabled adminEventsDetailsEnabled \
        components internationalizationEnabled supportedLocales defaultLocale authenticationFlows authenticatorConfig \
        requiredActions browserFlow registrationFlow directGrantFlow resetCredentialsFlow clientAuthenticationFlow \
        dockerAuthenticationFlow firstBrokerLoginFlow attributes keycloakVersion userManagedAccessAllowed \
        organizationsEnabled verifiableCredentialsEnabled adminPermissionsEnabled social \
        updateProfileOnInitialSocialLogin socialProviders verifyEmail identityProviders identityProviderMappers \
        defaultGroups",
    lacking: &[
        ("notBefore", NOW),
        (
            "defaultRoles",
            "make them composites of `defaultRole`, as Keycloak does since version 13",
        ),
        ("adminPermissionsClient", "take it out"),
        ("federatedUsers", PEOPLE),
        ("userFederationProviders", PEOPLE),
        ("userFederationMappers", "take it out"),
        (
            "protocolMappers",
            "put them into `protocolMappers` of the clients",
        ),
        ("organizations", "take it out: `jq 'del(.organizations)'`"),
        ("applicationScopeMappings", "write `clientScopeMappings`"),
        (
            "applications",
            "write `clients`, with `clientId` for `name`",
        ),
        (
            "oauthClients",
            "write `clients`, with `clientId` for `name`",
        ),
        ("clientTemplates", "write `clientScopes`"),
    ],
};

pub(super) const CLIENT: Class = Class {
    name: "ClientRepresentation",
    fields: "id clientId name description type rootUrl adminUrl baseUrl surrogateAuthRequired enabled \
        alwaysDisplayInConsole clientAuthenticatorType secret registrationAccessToken redirectUris webOrigins bearerOnly \
        standardFlowEnabled implicitFlowEnabled directAccessGrantsEnabled serviceAccountsEnabled publicClient \
        frontchannelLogout protocol attributes fullScopeAllowed nodeReRegistrationTimeout registeredNodes \
        protocolMappers defaultClientScopes optionalClientScopes access origin authorizationServicesEnabled \
        authorizationSettings consentRequired",
    lacking: &[
        ("notBefore", NOW),
        (
            "directGrantsOnly",
            "write `\"standardFlowEnabled\": false, \"directAccessGrantsEnabled\": true`",
        ),
        (
            "authenticationFlowBindingOverrides",
            "write `\"authenticationFlowBindingOverrides\": {}`, which is the flows of the realm",
        ),
        ("clientTemplate", "write `defaultClientScopes`"),
        ("useTemplateConfig", "take it out"),
        ("useTemplateScope", "take it out"),
        ("useTemplateMappers", "take it out"),
        (
            "defaultRoles",
            "make them composites of the realm's `defaultRole`, as Keycloak does since version 13",
        ),
    ],
};

pub(super) const USER: Class = Class {
    name: "UserRepresentation",
    fields: "id username firstName lastName email emailVerified attributes userProfileMetadata enabled self origin \
        createdTimestamp totp serviceAccountClientId credentials disableableCredentialTypes requiredActions realmRoles \
        clientRoles clientConsents groups access federationLink federatedIdentities",
    lacking: &[
        ("notBefore", NOW),
        ("applicationRoles", "write `clientRoles`"),
        ("socialLinks", "write `federatedIdentities`"),
    ],
};

pub(super) const GROUP: Class = Class {
    name: "GroupRepresentation",
    fields: "id name description path parentId subGroupCount subGroups attributes realmRoles clientRoles access",
    lacking: &[],
};

pub(super) const ROLES: Class = Class {
    name: "RolesRepresentation",
    fields: "realm client",
    lacking: &[("application", "write `client`")],
};

pub(super) const ROLE: Class = Class {
    name: "RoleRepresentation",
    fields: "id name description scopeParamRequired composite composites clientRole containerId attributes",
    lacking: &[],
};

pub(super) const COMPOSITES: Class = Class {
    name: "RoleRepresentation$Composites",
    fields: "realm client",
    lacking: &[("application", "write `client`")],
};

pub(super) const MAPPER: Class = Class {
    name: "ProtocolMapperRepresentation",
    fields: "id name protocol protocolMapper consentRequired consentText config",
    lacking: &[],
};

pub(super) const CREDENTIAL: Class = Class {
    name: "CredentialRepresentation",
    fields: "id type userLabel createdDate priority value temporary federationLink device secretData credentialData",
    lacking: &[
        ("hashedSaltedValue", PASSWORD),
        ("salt", PASSWORD),
        ("hashIterations", PASSWORD),
        ("counter", PASSWORD),
        ("algorithm", PASSWORD),
        ("digits", PASSWORD),
        ("period", PASSWORD),
        ("config", PASSWORD),
    ],
};

pub(super) const SCOPE_MAPPING: Class = Class {
    name: "ScopeMappingRepresentation",
    fields: "self client clientScope roles",
    lacking: &[("clientTemplate", "write `clientScope`")],
};

/// Keycloak overlooks unknown fields in this class alone.
pub(super) const SCOPE: Class = Class {
    name: "ClientScopeRepresentation",
    fields: "*",
    lacking: &[],
};
