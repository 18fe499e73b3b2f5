//! Links the driver at a fixed address on Linux: the 8 MB of relocations of an unoptimised build, and
//! the pages that they make private, would else be a fifth of a lab host's memory.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
