//! The driver of authlab: parses flags, then calls the harness.

fn main() {}
