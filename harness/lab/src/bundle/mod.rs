//! Everything that tells what happened to labs, in one archive that may be shown to anybody: logs,
//! configurations, events, audit logs, versions; without secrets.

mod archive;
mod export;
mod gather;
mod machine;
mod scrub;
mod secrets;

pub use archive::Bundle;
pub use export::kind_export;
pub use gather::{Subject, lab};
pub use machine::machine;
pub use scrub::{REDACTED, Scrubber, is_common_word};
pub use secrets::Secrets;
