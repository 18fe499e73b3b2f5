//! The embedded Keycloak over real TLS, and what it answers side by side with the real one.
//!
//! The snapshots are recorded from Keycloak 26.4.5 with the realms of this folder imported, and
//! `fixtures/keycloak/realm.json` as the realm `fixture`. With `AUTHLAB_REAL_KEYCLOAK` set to the address of such a
//! server and `AUTHLAB_REAL_KEYCLOAK_CA` to the file of its authority, the tests named `real_*` hold it to them again;
//! without, they say that they are skipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod bench;
mod browser;
mod device;
mod exchange;
mod fixture;
mod realms;
mod rest;
mod tokens;
mod transcript;
