//! Keys, flags and versions; a real build where Go is there.

use std::sync::Mutex;

use super::*;

const GO_MOD: &str = "module x/tools\n\ngo 1.24\n\ntool example.com/a/v2/cmd/hello\n\nrequire (\n\texample.com/a/v2 v2.3.4 // indirect\n\texample.com/k v1.36.3 // indirect\n)\n";

const HELLO: Tool = Tool {
    name: "hello",
    programs: &[("hello", "greeting")],
    stamp: None,
};

fn go(version: &str) -> Go {
    Go {
        path: "/usr/bin/go".into(),
        version: version.to_owned(),
    }
}

/// A checkout with one tool.
fn checkout(tool: &Tool, go_mod: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("ci/tools").join(tool.name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("go.mod"), go_mod).unwrap();
    std::fs::write(folder.join("go.sum"), "").unwrap();
    root
}

#[test]
fn a_build_is_kept_under_all_that_decides_about_it() {
    let root = checkout(&HELLO, GO_MOD);
    let module = Module::read(root.path(), &HELLO).unwrap();
    let cache = Cache::at(Path::new("/cache"));
    let base = cache.folder(&HELLO, &module, &go("1.26.8"));
    assert_eq!(base, cache.folder(&HELLO, &module, &go("1.26.8")));
    assert!(base.starts_with("/cache/tools/hello"), "{}", base.display());

    let mut other = module.clone();
    other.go_sum.push('x');
    let mut moved = module.clone();
    moved.go_mod.pop();
    moved.go_sum.insert(0, '\n');
    let stamped = Tool {
        stamp: Some(Stamp {
            module: "example.com/k",
            package: "p",
        }),
        ..HELLO
    };
    for changed in [
        cache.folder(&HELLO, &module, &go("1.26.9")),
        cache.folder(&HELLO, &other, &go("1.26.8")),
        cache.folder(&HELLO, &moved, &go("1.26.8")),
        cache.folder(&stamped, &module, &go("1.26.8")),
    ] {
        assert_ne!(changed, base);
    }
}

#[test]
fn the_linker_is_told_the_version_of_the_module() {
    let stamped = Tool {
        stamp: Some(Stamp {
            module: "example.com/k",
            package: "p/version",
        }),
        ..HELLO
    };
    let root = checkout(&stamped, GO_MOD);
    let module = Module::read(root.path(), &stamped).unwrap();
    insta::assert_snapshot!(
        module.linker_flags(&stamped).unwrap(),
        @"-s -w -X p/version.gitVersion=v1.36.3 -X p/version.gitMajor=1 -X p/version.gitMinor=36"
    );
    assert_eq!(module.version(&stamped), "v1.36.3");
    assert_eq!(module.version(&HELLO), "v2.3.4");
}

#[test]
fn the_checkouts_own_modules_say_their_versions() {
    let checkout = crate::checkout::Checkout::here();
    for tool in ALL.into_iter().chain(CLUSTER) {
        let module = Module::read(checkout.root(), &tool).unwrap();
        assert!(module.version(&tool).starts_with('v'), "{}", tool.name);
        module.linker_flags(&tool).unwrap();
    }
}

#[test]
fn an_old_go_is_refused_with_both_versions() {
    let root = checkout(&HELLO, GO_MOD);
    let module = Module::read(root.path(), &HELLO).unwrap();
    for fine in ["1.24", "1.24rc1", "1.26.8", "2.0"] {
        assert!(go(fine).suits(&module).is_ok(), "{fine}");
    }
    let error = go("1.9.7").suits(&module).unwrap_err();
    insta::assert_snapshot!(report(error), @r"
    hello needs Go 1.24, this is Go 1.9.7 (/usr/bin/go)
    help: install Go 1.24 or newer from https://go.dev/dl/
    ");
}

/// Errors and their help, without the frame.
fn report(error: ToolsError) -> String {
    let help = miette::Diagnostic::help(&error).map(|help| format!("\nhelp: {help}"));
    format!("{error}{}", help.unwrap_or_default())
}

/// Remembers the steps.
#[derive(Default)]
struct Steps(Mutex<Vec<String>>);

impl Progress for Steps {
    fn event(&self, event: &Event<'_>) {
        let step = match event {
            Event::Waiting { tool } => format!("waiting for {tool}"),
            Event::Started { tool } => format!("building {tool}"),
            Event::Built { tool, .. } => format!("built {tool}"),
            Event::Step { .. } => return,
        };
        self.0.lock().unwrap().push(step);
    }
}

impl Steps {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A tool whose source lies in its own module: nothing is fetched.
fn hello(source: &str) -> tempfile::TempDir {
    let root = checkout(&HELLO, "module x/tools\n\ngo 1.24\n\ntool x/tools/hello\n");
    let folder = root.path().join("ci/tools/hello/hello");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("main.go"), source).unwrap();
    root
}

const GREETS: &str = "package main\n\nfunc main() { println(\"hello\") }\n";

/// The machine's Go, when it is new enough for `tool` lines.
fn machine_go(root: &Path) -> Option<Go> {
    let module = Module::read(root, &HELLO).unwrap();
    let go = Go::find().ok().filter(|go| go.suits(&module).is_ok());
    if go.is_none() {
        let note = "skipped: no Go 1.24 or newer on PATH\n";
        std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes()).unwrap();
    }
    go
}

#[tokio::test]
async fn a_tool_is_built_once_and_again_when_it_is_gone() {
    let root = hello(GREETS);
    let Some(go) = machine_go(root.path()) else {
        return;
    };
    let cache = Cache::at(&root.path().join("cache"));
    let steps = Steps::default();
    let build = || ensure_in(&cache, &go, root.path(), &[HELLO], &steps);

    let program = build().await.unwrap().path("greeting").unwrap().to_owned();
    assert_eq!(steps.take(), ["building hello", "built hello"]);
    let output = std::process::Command::new(&program).output().unwrap();
    assert_eq!(output.stderr, b"hello\n");

    build().await.unwrap();
    assert_eq!(steps.take(), [""; 0]);

    std::fs::remove_file(&program).unwrap();
    build().await.unwrap();
    assert_eq!(steps.take(), ["building hello", "built hello"]);
    assert!(program.is_file());
}

#[tokio::test]
async fn two_runs_build_once_and_the_second_says_that_it_waits() {
    let root = hello(GREETS);
    let Some(go) = machine_go(root.path()) else {
        return;
    };
    let cache = Cache::at(&root.path().join("cache"));
    let (one, two) = (Steps::default(), Steps::default());
    let (a, b) = tokio::join!(
        ensure_in(&cache, &go, root.path(), &[HELLO], &one),
        ensure_in(&cache, &go, root.path(), &[HELLO], &two),
    );
    assert_eq!(
        a.unwrap().path("greeting").unwrap(),
        b.unwrap().path("greeting").unwrap()
    );
    assert_eq!(one.take(), ["building hello", "built hello"]);
    assert_eq!(two.take(), ["waiting for hello"]);
}

#[tokio::test]
async fn a_build_that_fails_shows_its_last_lines_and_leaves_nothing() {
    let root = hello("package main\n\nfunc main() { undefined() }\n");
    let Some(go) = machine_go(root.path()) else {
        return;
    };
    let cache = Cache::at(&root.path().join("cache"));
    let error = ensure_in(&cache, &go, root.path(), &[HELLO], &Silent)
        .await
        .unwrap_err();
    let text = report(error).replace(&root.path().display().to_string(), "ROOT");
    insta::assert_snapshot!(text, @r"
    building hello failed
    # x/tools/hello
    hello/main.go:3:15: undefined: undefined
    help: try it by hand: cd ROOT/ci/tools/hello && CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local go build -trimpath -ldflags '-s -w' -o /tmp/ tool
    ");
    let module = Module::read(root.path(), &HELLO).unwrap();
    let folder = cache.folder(&HELLO, &module, &go);
    let left: Vec<_> = std::fs::read_dir(folder.parent().unwrap())
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_named() {
    let root = hello(GREETS);
    std::fs::write(root.path().join("file"), "").unwrap();
    let cache = Cache::at(&root.path().join("file"));
    let error = ensure_in(&cache, &go("1.26"), root.path(), &[HELLO], &Silent)
        .await
        .unwrap_err();
    let text = report(error).replace(&root.path().display().to_string(), "ROOT");
    insta::assert_snapshot!(text, @r"
    the tool cache ROOT/file/tools cannot be written: Not a directory (os error 20)
    help: set AUTHLAB_CACHE to a folder of yours that may hold about 1 GB
    ");
}

#[tokio::test]
async fn a_build_ends_with_whoever_wanted_it() {
    let root = hello(GREETS);
    let seen = root.path().join("pid");
    let script = root.path().join("go");
    let text = format!(
        "#!/bin/sh\necho $$ > {0}.new\nmv {0}.new {0}\nexec sleep 600\n",
        seen.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let slow = Go {
        path: script,
        version: "1.26".to_owned(),
    };
    let cache = Cache::at(&root.path().join("cache"));
    let bound = std::time::Duration::from_secs(20);
    let pid = || async {
        match std::fs::read_to_string(&seen) {
            Ok(text) => crate::wait::Look::Ready(text.trim().parse::<u32>().unwrap()),
            Err(error) => crate::wait::Look::NotYet(error.to_string()),
        }
    };
    let pid = tokio::select! {
        built = ensure_in(&cache, &slow, root.path(), &[HELLO], &Silent) => panic!("{built:?}"),
        pid = crate::wait::until("a build", bound, pid) => pid.unwrap(),
    };
    crate::wait::until("the end of the build", bound, || async {
        match crate::process::started(pid) {
            Ok(_) => crate::wait::Look::NotYet("it runs".to_owned()),
            Err(_) => crate::wait::Look::Ready(()),
        }
    })
    .await
    .unwrap();
}
