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
    users[0] "x": `enabled` is not said, so the user is disabled
    users[0] "x": an import takes no notice of `temporary`, the password is good for logins
    "#);
}

#[test]
fn other_files_of_an_export_are_told_from_a_realm() {
    let error = |text: &str| read(text).map(drop).unwrap_err().to_string();
    let list = error(r#"[{"realm": "master"}]"#);
    assert!(list.contains("jq '.[0]'"), "{list}");
    // A group of the realm's own file: what follows from the mistake is not told.
    let users = error(r#"{"realm": "r", "users": [{"username": "u", "groups": ["/dev"]}]}"#);
    assert!(
        users.contains("line 1, column 1: a file of users"),
        "{users}"
    );
    assert!(users.contains("give the file `NAME-realm.json`"), "{users}");
    assert_eq!(users.lines().count(), 1, "{users}");
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

/// Each of these stops the embedded Keycloak; whoever mends the file reads of all at once.
#[test]
fn a_realm_is_told_all_that_is_wrong_with_it() {
    let members = r#""browserFlow": "acme browser",
"directGrantFlow": "acme grant",
"organizations": [{"name": "partner"}],
"acessTokenLifespan": 1,
"clients": [{"clientId": "a", "clientAuthenticatorType": "client-jwt",
             "authenticationFlowBindingOverrides": {"browser": "x"},
             "protocolMappers": [{"protocolMapper": "acme-mapper"}]},
            {"clientId": "b", "enabled": "perhaps", "redirectUris": "http://localhost"}],
"roles": {"client": {"a": [{"name": "r"}], "c": []}},
"users": [{"username": "u", "groups": ["/x"], "clientRoles": {"a": ["r"]}}, {"username": "U", "enabled": true}]"#;
    insta::assert_snapshot!(said(members));
}

#[test]
fn roles_of_clients_for_other_protocols_are_taken() {
    let members = r#""clients": [{"clientId": "s", "protocol": "saml"}],
        "roles": {"client": {"s": [{"name": "r"}]}},
        "users": [{"username": "u", "enabled": true, "clientRoles": {"s": ["r"]}}]"#;
    let said = said(members);
    assert_eq!(
        said,
        r#"clients[0]: client "s" is not for OpenID Connect, left out"#
    );
}

#[test]
fn of_many_users_some_are_named() {
    let user = |n: usize| {
        format!(
            r#"{{"username": "u{n}", "enabled": true, "credentials": [{{"type": "password", "secretData": "x"}}]}}"#
        )
    };
    let users: Vec<_> = (0..12).map(user).collect();
    let said = said(&format!(r#""users": [{}]"#, users.join(", ")));
    assert!(
        said.starts_with(r#"users[0] "u0", users[1] "u1","#),
        "{said}"
    );
    assert!(
        said.contains(r#"users[9] "u9" and 2 more: the password is a hash"#),
        "{said}"
    );
}

/// What Keycloak 26.4 says of such files, as its answer or its log has it.
#[test]
fn a_refusal_of_keycloak_is_led_to_what_it_means() {
    let path = |members: &str, words: &str| {
        let text = format!("{{\"realm\": \"r\", \"organizations\": [{{}}], {members}}}");
        let errors = read(&text).map(drop).unwrap_err();
        errors.meant_by(words).map(|error| error.path.clone())
    };
    let unreadable = "unable to read contents from stream";
    let group = "Unable to find group specified by path: /y";
    let unique = "Unique index or primary key violation: \"PUBLIC.X ON PUBLIC.USER_ENTITY(USERNAME) VALUES ( 'u')\"";
    let users =
        r#""users": [{"username": "u", "groups": ["/x"]}, {"username": "U", "groups": ["/y"]}]"#;
    let client = r#""clients": [{"clientId": "a", "nope": 1}]"#;
    for (members, words, wanted) in [
        (client, unreadable, Some("clients[0].nope")),
        (r#""enabled": "soon""#, unreadable, Some("enabled")),
        (users, group, Some("users[1].groups")),
        (users, unique, Some("users[1].username")),
        // What only the embedded one refuses is never the cause.
        (r#""enabled": true"#, unreadable, None),
        (users, unreadable, None),
        (client, "No resource server", None),
    ] {
        assert_eq!(
            path(members, words).as_deref(),
            wanted,
            "{members}: {words}"
        );
    }
}
