//! The archive itself: one `.tar.gz`, its table of contents first.

use std::fmt::Write as _;
use std::fs::DirBuilder;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use tempfile::SpooledTempFile;

use super::scrub::Scrubber;

/// What all files of an archive lie in.
const TOP: &str = "authlab";
/// How much of a file is held in memory; the rest lies in a file without a name.
const IN_MEMORY: usize = 1 << 20;
/// No more than this, in bytes before compression, is gathered in all.
const MOST: u64 = 256 << 20;

/// Files, scrubbed, on their way into an archive. They have no names on this machine's disks: a
/// process that is killed leaves none.
#[derive(Debug)]
pub struct Bundle {
    /// Where what does not fit into memory lies.
    spool: PathBuf,
    files: Vec<File>,
    /// What is not there, and why.
    missing: Vec<String>,
    size: u64,
}

#[derive(Debug)]
struct File {
    path: String,
    about: String,
    content: SpooledTempFile,
    size: u64,
}

impl Bundle {
    /// An empty one; what does not fit into memory lies in the folder `spool`.
    #[must_use]
    pub fn new(spool: impl Into<PathBuf>) -> Self {
        Self {
            spool: spool.into(),
            files: Vec::new(),
            missing: Vec::new(),
            size: 0,
        }
    }

    /// Adds a file without its secrets; nothing, for an empty one. What cannot be read, or does not
    /// fit, is told in the table of contents instead.
    pub fn add(&mut self, path: &str, about: &str, content: impl io::BufRead, scrub: &Scrubber) {
        if self.size > MOST {
            self.miss(&format!("{path}: the archive is large enough without it"));
            return;
        }
        let mut kept = tempfile::spooled_tempfile_in(IN_MEMORY, &self.spool);
        match scrub.copy(content, &mut kept) {
            Ok(0) => {}
            Ok(size) => {
                self.size += size;
                self.files.push(File {
                    path: path.to_owned(),
                    about: about.to_owned(),
                    content: kept,
                    size,
                });
            }
            Err(error) => self.miss(&format!("{path}: {error}")),
        }
    }

    /// The same of a text.
    pub fn text(&mut self, path: &str, about: &str, text: &str, scrub: &Scrubber) {
        self.add(path, about, text.as_bytes(), scrub);
    }

    /// Tells in the table of contents that something is not there.
    pub fn miss(&mut self, what: &str) {
        self.missing.push(what.to_owned());
    }

    /// Takes over what another one has.
    pub fn append(&mut self, other: Self) {
        self.size += other.size;
        self.files.extend(other.files);
        self.missing.extend(other.missing);
    }

    /// Whether it has a file of that name.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }

    /// Whether it has no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes the archive whole or not at all, mode 0600. `title` is the first line of its table of
    /// contents.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write(mut self, file: &Path, title: &str) -> io::Result<()> {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        let folder = folder.unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let out = tempfile::NamedTempFile::new_in(folder)?;
        let mut tar = Builder::new(GzEncoder::new(&out, Compression::fast()));
        let contents = self.contents(title);
        append(
            &mut tar,
            "README.txt",
            contents.len() as u64,
            contents.as_bytes(),
        )?;
        for one in &mut self.files {
            one.content.seek(SeekFrom::Start(0))?;
            append(&mut tar, &one.path, one.size, &mut one.content)?;
        }
        tar.into_inner()?.finish()?.flush()?;
        out.persist(file)?;
        Ok(())
    }

    /// Writes the files into a folder of their own, mode 0700, to be [taken in](Self::folder) later.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn write_to(mut self, folder: &Path) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        for one in &mut self.files {
            let path = folder.join(&one.path);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            one.content.seek(SeekFrom::Start(0))?;
            io::copy(&mut one.content, &mut std::fs::File::create(path)?)?;
        }
        Ok(())
    }

    /// Takes in every file of a folder, at the same path below `top`.
    pub fn folder(&mut self, folder: &Path, top: &str, about: &str, scrub: &Scrubber) {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries {
            let path = format!("{top}{}", entry.file_name().to_string_lossy());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    self.folder(&entry.path(), &format!("{path}/"), about, scrub);
                }
                Ok(kind) if kind.is_file() => match std::fs::File::open(entry.path()) {
                    Ok(file) => self.add(&path, about, io::BufReader::new(file), scrub),
                    Err(error) => self.miss(&format!("{path}: {error}")),
                },
                _ => {}
            }
        }
    }

    /// What is where.
    fn contents(&self, title: &str) -> String {
        let mut out = format!(
            "{title}\n\nPasswords, tokens, keys and client secrets are taken out: [redacted] stands \
             in their place.\nFor a look without unpacking: tar xzOf THIS.tar.gz {TOP}/README.txt | less\n\n"
        );
        let width = self.files.iter().map(|file| file.path.len()).max();
        let width = width.unwrap_or_default().min(60);
        for File { path, about, .. } in &self.files {
            let _ = writeln!(out, "{path:<width$}  {about}");
        }
        if !self.missing.is_empty() {
            out.push_str("\nNot here:\n");
            for what in &self.missing {
                let _ = writeln!(out, "  {what}");
            }
        }
        out
    }
}

fn append(
    tar: &mut Builder<impl Write>,
    path: &str,
    size: u64,
    content: impl io::Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    header.set_mtime(now.as_secs());
    tar.append_data(&mut header, format!("{TOP}/{path}"), content)
}
