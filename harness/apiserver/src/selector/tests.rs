//! Selectors: what they select, and what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::Selector;

fn selects(labels: &str) -> bool {
    let object = json!({"metadata": {"labels": {"app": "web", "tier": "2"}}});
    Selector::parse(Some(labels), None, &[])
        .unwrap()
        .matches(&object)
}

#[test]
fn every_operator_selects_what_it_should() {
    for yes in [
        "",
        "app",
        "app=web",
        "app==web",
        "app!=db",
        "app in (db, web)",
        "x notin (a)",
        "!x",
        "tier>1",
        "tier lt 3",
        "app=web,!x",
    ] {
        assert!(selects(yes), "{yes}");
    }
    for no in [
        "x",
        "app=db",
        "app!=web",
        "app notin (web)",
        "!app",
        "tier>2",
        "app=web,x",
    ] {
        assert!(!selects(no), "{no}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_in_the_servers_words() {
    let refused = |labels| {
        Selector::parse(Some(labels), None, &[])
            .unwrap_err()
            .message()
            .to_owned()
    };
    assert_eq!(
        refused("a b c"),
        "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"
    );
    let field = Selector::parse(None, Some("data.x=y"), &[]).unwrap_err();
    assert_eq!(
        field.message(),
        "\"data.x\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z=!,()<> /.]{0,24}") {
        let object = json!({"metadata": {"labels": {"a": "b"}}});
        if let Ok(selector) = Selector::parse(Some(&text), None, &[]) {
            selector.matches(&object);
        }
    }

    #[test]
    fn a_requirement_and_its_opposite_split_all_objects(
        key in "[a-c]", value in "[a-c]", other in "[a-c]",
    ) {
        let object = json!({"metadata": {"labels": {"b": other}}});
        let selects = |text: String| Selector::parse(Some(&text), None, &[]).unwrap().matches(&object);
        prop_assert_ne!(selects(format!("{key}={value}")), selects(format!("{key}!={value}")));
        prop_assert_ne!(selects(key.clone()), selects(format!("!{key}")));
    }
}
