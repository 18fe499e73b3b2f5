//! The log of a component: a file that outlives restarts, read from where this start began.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Of a line, so many characters are shown.
const LONGEST: usize = 400;

/// The log of one start of a component.
#[derive(Debug, Clone)]
pub struct Log {
    path: PathBuf,
    start: u64,
}

impl Log {
    /// Opens `<folder>/logs/<name>.log`, mode 0600, for a start that adds to it.
    pub(super) fn append(folder: &Path, name: &str) -> io::Result<(Self, File)> {
        let path = Self::place(folder, name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let file = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        let start = file.metadata()?.len();
        Ok((Self { path, start }, file))
    }

    /// Where the log of a component of the lab in `folder` lies.
    pub(super) fn place(folder: &Path, name: &str) -> PathBuf {
        folder.join("logs").join(format!("{name}.log"))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How much of the file is there now, in bytes: a mark for [`Log::since`].
    #[must_use]
    pub fn mark(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(self.start, |there| there.len())
    }

    /// What was written after `mark`; empty when the file cannot be read.
    #[must_use]
    pub fn since(&self, mark: u64) -> String {
        self.read(mark).unwrap_or_default()
    }

    /// What was written since this start.
    #[must_use]
    pub fn text(&self) -> String {
        self.since(self.start)
    }

    /// The last lines since this start that tell something.
    #[must_use]
    pub fn last_lines(&self, count: usize) -> String {
        last_words(&self.text(), count)
    }

    fn read(&self, from: u64) -> io::Result<String> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// The last lines of a log that tell something: without the stack of a Go program that panicked,
/// which begins after an empty line with `goroutine 1 [running]:`; and no longer than people read.
pub(crate) fn last_words(log: &str, count: usize) -> String {
    let told = log.split("\n\ngoroutine ").next().unwrap_or(log);
    let lines: Vec<&str> = told.lines().collect();
    let cut = |line: &&str| match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} [...]", &line[..end]),
        None => (*line).to_owned(),
    };
    let last = lines[lines.len().saturating_sub(count)..].iter().map(cut);
    last.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_not_what_a_program_had_to_say() {
        let log = "starting\nI say\npanic: no space left on device\n\ngoroutine 1 [running]:\nmain.main()\n\tmain.go:31 +0x28\n";
        assert_eq!(last_words(log, 2), "I say\npanic: no space left on device");
        let long = "x".repeat(LONGEST + 1);
        assert!(last_words(&long, 2).ends_with("x [...]"));
    }
}
