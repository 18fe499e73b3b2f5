//! Log lines as kube-apiserver 1.36.3 writes them.

use super::*;

const STARTED: &str = "I1122 08:20:38.756729   22546 options.go:263] external host was not specified, using 192.0.2.2\n";

#[test]
fn a_refusal_at_start_is_the_servers_own_words() {
    let both = format!(
        "{STARTED}E1122 08:20:38.757656   22546 run.go:72] \"command failed\" err=\"authentication-config file and oidc-* flags are mutually exclusive\"\n"
    );
    insta::assert_snapshot!(refusal(&both).unwrap(), @"authentication-config file and oidc-* flags are mutually exclusive");
    let flag = "Error: invalid argument \"a\" for \"--oidc-required-claim\" flag: malformed pair, expect string=string\n";
    insta::assert_snapshot!(refusal(flag).unwrap(), @r#"invalid argument "a" for "--oidc-required-claim" flag: malformed pair, expect string=string"#);
    assert_eq!(refusal(STARTED), None);
}

#[test]
fn a_refused_file_reads_as_it_does_on_a_reload() {
    let start = r#"E1122 08:20:39.209985   22572 run.go:72] "command failed" err="invalid authentication configuration: [jwt[0].issuer.url: Invalid value: \"http://x\": URL scheme must be https, jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required]""#;
    let reload = r#"E1122 08:22:08.401304   23614 authentication.go:801] "failed to validate authentication config" err="[jwt[0].issuer.url: Invalid value: \"http://x\": URL scheme must be https, jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required]""#;
    insta::assert_snapshot!(refusal(start).unwrap(), @r#"[jwt[0].issuer.url: Invalid value: "http://x": URL scheme must be https, jwt[0].issuer.audiences: Required value: at least one jwt[0].issuer.audiences is required]"#);
    assert_eq!(reloads(reload), [Reload::Refused(refusal(start).unwrap())]);

    let load = r#"E1122 08:20:39.457306   22586 run.go:72] "command failed" err="failed to load authentication configuration from file \"/lab/authentication/config.yaml\": strict decoding error: unknown field \"jwtt\", unknown field \"x\"""#;
    insta::assert_snapshot!(refusal(load).unwrap(), @r#"strict decoding error: unknown field "jwtt", unknown field "x""#);
}

#[test]
fn a_message_of_several_lines_keeps_them() {
    let log = "E1122 08:21:30.347706   23303 run.go:72] \"command failed\" err=<\n\tinvalid authentication configuration: jwt[0].claimMappings.groups.expression: Invalid value: \"foo\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n\t | foo\n\t | ^\n >\nI1122 08:21:31.000000   23303 other.go:1] later\n";
    insta::assert_snapshot!(refusal(log).unwrap(), @r#"
    jwt[0].claimMappings.groups.expression: Invalid value: "foo": compilation failed: ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')
     | foo
     | ^
    "#);
}

#[test]
fn reloads_are_told_in_their_order() {
    let log = concat!(
        "I1122 08:22:08.253145   23614 authentication.go:818] \"reloaded authentication config\"\n",
        "E1122 08:22:08.564965   23614 authentication.go:789] \"failed to load authentication config\" err=\"empty config data\"\n",
        "E1122 08:22:09.219803   23614 oidc.go:433] oidc authenticator: initializing plugin: 404 Not Found: 404 page not found\n",
        "E1122 08:23:09.215776   23614 authentication.go:811] \"failed to update authentication config\" err=<\n",
        "\t[oidc: authenticator for issuer \"https://127.0.0.1:2/no\" is not healthy: 404 Not Found: 404 page not found\n",
        "\t, context deadline exceeded]\n >\n",
    );
    insta::assert_debug_snapshot!(reloads(log), @r#"
    [
        Done,
        Refused(
            "empty config data",
        ),
        Unreachable(
            "[oidc: authenticator for issuer \"https://127.0.0.1:2/no\" is not healthy: 404 Not Found: 404 page not found\n, context deadline exceeded]",
        ),
    ]
    "#);
    assert_eq!(failed_discoveries(log), 1);
}

#[test]
fn an_outcome_that_is_still_being_written_is_none_yet() {
    let whole = "E1122 19:40:01.000001   1 authentication.go:789] \"failed to load authentication config\" err=<\n\tjwt[0]: Invalid value: \"a\": compilation failed\n\t | a\n\t | ^\n >\n";
    for end in 1..whole.len() {
        assert_eq!(reloads(&whole[..end]), [], "{:?}", &whole[..end]);
    }
    assert_eq!(reloads(whole).len(), 1);
    let line = "E1122 19:40:01.000001   1 authentication.go:789] \"failed to load authentication config\" err=\"empty";
    assert_eq!(reloads(line), []);
}

#[test]
fn an_entry_that_is_still_being_written_is_no_message_yet() {
    let half = "E1122 run.go:72] \"command failed\" err=\"half a mess";
    assert_eq!(refusal(half), None);
}

#[test]
fn an_etcd_that_does_not_answer_is_no_fault_of_a_file() {
    let log = "E1123 05:23:01.000001   1 run.go:72] \"command failed\" err=\"error creating storage factory: context deadline exceeded\"\n";
    assert_eq!(refusal(log), None);
}

proptest::proptest! {
    #[test]
    fn any_log_is_read_without_a_panic(log in ".{0,200}") {
        let _ = (refusal(&log), reloads(&log));
    }

    #[test]
    fn a_quoted_text_comes_back(text in "[ -~\n\t\u{e9}\u{1f600}]{0,40}") {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t");
        let log = format!("E1 run.go:72] \"command failed\" err=\"{quoted}\" other=1");
        proptest::prop_assert_eq!(refusal(&log), Some(text));
    }
}
