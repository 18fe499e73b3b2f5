//! Realm files, good and bad.

use super::{Role, read};

/// What the reader says of a realm with these members besides its name.
fn said(members: &str) -> String {
    match read(&format!(
        "{{\"realm\": \"r\", \"enabled\": true,\n{members}}}"
    )) {
        Ok(realm) => realm.warnings.join("\n"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn refusals_say_where_and_what() {
    let mut out = String::new();
    for members in [
        r#""acessTokenLifespan": 1"#,
        r#""accessTokenLifespan": "soon""#,
        r#""clients": [{"clientId": "a", "redirectUri": []}]"#,
        r#""clients": [{"clientId": "a", "authenticationFlowBindingOverrides": {"browser": "x"}}]"#,
        r#""clients": [{"clientId": "a", "clientAuthenticatorType": "client-jwt"}]"#,
        r#""clients": [{"clientId": "a"}, {"clientId": "a"}]"#,
        r#""clients": [{"clientId": "a", "protocolMappers": [{"protocolMapper": "oidc-hardcoded-role-mapper"}]}]"#,
        r#""clients": {"clientId": "a"}"#,
        r#""users": [{"username": "a", "groups": ["/x"]}]"#,
        r#""groups": [{"name": "y", "subGroups": [{"name": "x"}]}], "users": [{"username": "a", "groups": ["/x"]}]"#,
        r#""defaultGroups": ["/x"]"#,
        r#""defaultRoles": ["x"]"#,
        r#""users": [{"username": "a", "clientRoles": {"x": ["y"]}}]"#,
        r#""users": [{"username": "a", "enabled": true, "credentials": [{"type": "password", "secretData": "{}"}]}]"#,
        r#""users": [{"username": "a", "enabled": true, "credentials": [{"type": "otp"}]}]"#,
        r#""users": [{"username": "a"}, {"username": "A"}]"#,
        r#""identityProviders": [{"alias": "x"}]"#,
        r#""browserFlow": "my browser""#,
        r#""bruteForceProtected": true"#,
        r#""defaultSignatureAlgorithm": "HS256""#,
        r#""roles": {"client": {"x": [{"name": "y"}]}}"#,
        r#""clients": [{"clientId": "a", "defaultClientScopes": ["email", "emial"]}]"#,
        r#""clients": ["#,
    ] {
        out.push_str(&format!("{members}\n    {}\n", said(members)));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn what_an_export_writes_besides_is_taken() {
    let members = r#""identityProviders": [], "notBefore": 0, "verifyEmail": false, "components": {"a": [{"b": 1}]},
        "browserFlow": "browser", "clients": [{"clientId": "a", "authenticationFlowBindingOverrides": {}, "notBefore": 0,
        "consentRequired": false, "secret": "**********"}],
        "users": [{"username": "x", "credentials": [{"type": "password", "value": "y", "temporary": true}]}]"#;
    insta::assert_snapshot!(said(members), @r#"
    clients: masked by the export, so the stars are the secret now, of "a"
    users[0].enabled: not said, so the user is disabled
    users[0].credentials[0].temporary: an import takes no notice of it, the password is good for logins
    "#);
}

#[test]
fn a_list_of_realms_is_told_from_a_realm() {
    let error = read("[{\"realm\": \"master\"}]").map(drop).unwrap_err();
    assert!(error.to_string().contains("jq '.[0]'"), "{error}");
    assert!(read("\u{feff}{\"realm\": \"r\"}").is_ok());
}

#[test]
fn an_import_adds_only_accounts_of_clients_to_the_default_groups() {
    let realm = read(
        r#"{"realm": "r", "groups": [{"name": "all"}], "defaultGroups": ["/all"],
            "clients": [{"clientId": "robot", "serviceAccountsEnabled": true}],
            "users": [{"username": "u", "attributes": {"one": "x", "more": ["y", "z"]}}]}"#,
    )
    .unwrap();
    let user = |name: &str| &realm.users[realm.user(name).unwrap()];
    let robot = realm
        .users
        .iter()
        .find(|user| user.service_account.is_some());
    assert_eq!(robot.unwrap().groups, [0]);
    assert_eq!(user("u").groups, [0; 0]);
    // A text stands for a list of one.
    assert_eq!(user("u").attributes["one"], ["x"]);
    assert_eq!(user("u").attributes["more"], ["y", "z"]);
}

#[test]
fn roles_hold_what_they_are_composed_of() {
    let realm = read(
        r#"{"realm": "R", "clients": [{"clientId": "c", "fullScopeAllowed": false}],
            "roles": {"realm": [{"name": "a", "composites": {"realm": ["b"], "client": {"c": ["d"]}}}, {"name": "b"}],
                      "client": {"c": [{"name": "d"}]}},
            "groups": [{"name": "g", "realmRoles": ["a"], "subGroups": [{"name": "h"}]}],
            "users": [{"username": "U", "groups": ["g/h"], "realmRoles": ["default-roles-r"]}]}"#,
    )
    .unwrap();
    let user = &realm.users[realm.user("u").unwrap()];
    let client = &realm.clients["c"];
    let scopes = realm.scopes_of(client, "");
    // Without the full scope, only the client's own roles come through.
    assert_eq!(
        realm.roles_for(user, client, &scopes),
        [Role::of_client("c", "d")].into()
    );
    let all = realm.roles_for(user, &realm.clients["admin-cli"], &scopes);
    assert!(all.contains(&Role::of_realm("b")));
    assert!(all.contains(&Role::of_client("account", "manage-account-links")));
}
