//! Ages in tables.

use super::human;

#[test]
fn ages_are_shortened_as_kubectl_users_know_them() {
    let ages = [
        -5,
        -1,
        0,
        119,
        120,
        61 * 9,
        660,
        3600 * 4 + 120,
        3600 * 30,
        86400 * 3 + 7200,
        86400 * 400,
    ];
    let shown: Vec<String> = ages.into_iter().map(human).collect();
    assert_eq!(
        shown,
        [
            "<invalid>",
            "0s",
            "0s",
            "119s",
            "2m",
            "9m9s",
            "11m",
            "4h2m",
            "30h",
            "3d2h",
            "400d"
        ]
    );
}
