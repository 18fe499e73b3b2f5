//! What decides about an image's tag.

use super::*;

#[test]
fn every_file_of_a_recipe_counts() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("files")).unwrap();
    write("Dockerfile", "FROM scratch\n");
    write("files/config", "a");
    let texts = || {
        let mut texts = Vec::new();
        read(folder.path(), &mut texts).unwrap();
        texts
    };
    let first = texts();
    assert_eq!(first, ["Dockerfile", "FROM scratch\n", "config", "a"]);
    write("files/config", "b");
    assert_ne!(texts(), first);
}

#[test]
fn a_program_is_put_beside_others_of_the_same_disk_without_a_copy() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("dex");
    std::fs::write(&program, "").unwrap();
    let context = folder.path().join("context");
    put(&program, &context).unwrap();
    let there = std::fs::metadata(context.join("dex")).unwrap();
    assert_eq!(there.ino(), std::fs::metadata(&program).unwrap().ino());
}
