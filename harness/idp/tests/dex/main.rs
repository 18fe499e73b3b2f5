//! The embedded Dex over real TLS, and what it answers side by side with the real one.
//!
//! The snapshots are recorded from Dex itself. With `AUTHLAB_REAL_DEX` set to its binary, the tests named `real_*`
//! hold it to them again; without, they say that they are skipped. Refreshing needs `AUTHLAB_REAL_ETCD` too.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod bench;
mod browser;
mod connectors;
mod flows;
mod lifetimes;
mod probes;
mod refresh;
mod refusals;
mod startup;
mod transcript;
