//! What must not be seen, taken out of texts of whatever origin.
//!
//! Two nets, one behind the other: the secrets that the lab is known to have, in every form in which
//! a program may write them; and what has the shape of a secret, or stands where secrets stand.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Match, MatchKind};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{
    GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD, URL_SAFE_NO_PAD,
};
use base64::{Engine as _, alphabet};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::bytes::{Captures, Regex};

/// What stands in a secret's place.
pub const REDACTED: &str = "[redacted]";

/// A secret that is shorter is taken out as a word of its own only, so that a client `kube` with the
/// secret `kube` leaves `kubectl` readable.
const LONG: usize = 8;
/// A secret that is shorter, or is one of these, is taken out only where secrets stand: it is found
/// in every text and tells nothing.
const SHORT: usize = 4;
const WORDS: [&str; 9] = [
    "admin", "changeme", "false", "none", "null", "password", "secret", "token", "true",
];
/// A key that does not end within so many lines was cut off.
const LONGEST_KEY: usize = 200;
/// A longer line is left out: nothing that people read has such.
const LONGEST_LINE: u64 = 32 << 20;

/// Names of members, keys and parameters whose values are secrets.
const NAMES: &str = "[a-z0-9_.-]*(?:password|passwd|passphrase|secret|private_?key|secretdata|\
    client-key-data|(?:id|access|refresh|device|subject|actor|bearer|registration_?access)_?-?token)\
    |token|assertion|client_assertion|code_verifier|device_code|user_code|hash|bindpw";

/// What takes secrets out of texts.
#[derive(Debug)]
pub struct Scrubber {
    /// Known ones that are taken out wherever they stand.
    anywhere: AhoCorasick,
    /// Known ones that are taken out as words of their own.
    words: AhoCorasick,
}

/// A shape, and what is left of it.
struct Shape {
    what: Regex,
    /// `$1` is what comes before the secret, for example its name.
    left: &'static str,
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let redacted = "$1[redacted]";
    let shapes = [
        // Headers.
        (
            r#"(?i)(authorization\\?["']?\s*[:=]\s*[\[\\"']*[a-z]+\s+)[^\s"'\\\]]+"#.to_owned(),
            redacted,
        ),
        (
            r"(?i)(\b(?:bearer|basic|negotiate)\s+)[A-Za-z0-9._~+/=-]{16,}".to_owned(),
            redacted,
        ),
        (
            // To the end of the line, but not of the string that the line is in.
            r#"(?i)(\b(?:set-)?cookie\\?["']?\s*[:=]\s*)(?:"[^"\\\r\n]*"|\\"[^"\\\r\n]*\\"|[^"\\\r\n])+"#.to_owned(),
            redacted,
        ),
        // A key on one line, as JSON has it; RFC 7468.
        (
            r"()-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----".to_owned(),
            redacted,
        ),
        // A JWS or JWE in its compact form: its first part is JSON, whose first letters are these.
        (
            r"()eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}".to_owned(),
            redacted,
        ),
        // bcrypt.
        (
            r"()\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}".to_owned(),
            redacted,
        ),
        // JSON, and JSON in a text in JSON.
        (
            format!(r#"(?i)("(?:{NAMES})"\s*:\s*)"(?:[^"\\]|\\.)*""#),
            "$1\"[redacted]\"",
        ),
        (
            format!(r#"(?i)(\\"(?:{NAMES})\\"\s*:\s*)\\"[^"\\]*\\""#),
            "$1\\\"[redacted]\\\"",
        ),
        // YAML: a line of its own, or among others in braces. Blocks, references and what has been
        // taken out already stay.
        (
            format!(r#"(?i)(^\s*(?:-\s+)?["']?(?:{NAMES})["']?\s*:\s+)[^\s|>{{\["&*][^\r\n]*"#),
            redacted,
        ),
        (
            format!(r#"(?i)(^\s*(?:-\s+)?["']?(?:{NAMES})["']?\s*:\s+)"(?:[^"\\]|\\.)+""#),
            redacted,
        ),
        (
            format!(r#"(?i)([{{,]\s*(?:{NAMES})\s*:\s+)(?:"[^"]*"|'[^']*'|[^,}}\s"'\[]+)"#),
            redacted,
        ),
        // Forms, queries, flags, and logs of `name=value`; in JSON a backslash before the quote stays.
        (
            format!(r#"(?i)((?:^|[?&\s"';,(-])(?:{NAMES})=)(?:"[^"]+"|[^&\s"',;)]*[^&\s"',;)\\])"#),
            redacted,
        ),
        (
            r#"(?i)([?&]code=)[^&\s"',;)]*[^&\s"',;)\\]"#.to_owned(),
            redacted,
        ),
    ];
    let compiled = shapes.map(|(what, left)| Shape {
        what: compile(&what),
        left,
    });
    compiled.into()
});

/// What may be base64 of something that is longer than a word.
static LONG_RUN: LazyLock<Regex> = LazyLock::new(|| compile(r"[A-Za-z0-9+/_-]{24,}={0,2}"));
/// What is a secret wherever it stands, in base64 too.
static BARE: LazyLock<Regex> = LazyLock::new(|| {
    compile(r"eyJ[A-Za-z0-9_-]{8,}\.|\$2[abxy]?\$[0-9]{2}\$|PRIVATE KEY-----|(?i)bearer [a-z0-9]")
});
/// How often something is put into base64 again.
const LAYERS: usize = 3;
/// Both alphabets, the second put into the first.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

static KEY_BEGINS: LazyLock<Regex> =
    LazyLock::new(|| compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"));
static KEY_ENDS: LazyLock<Regex> = LazyLock::new(|| compile(r"-----END [A-Z ]*PRIVATE KEY-----"));

fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of this file")
}

/// Whether a secret is a word that stands in every text, as `password` is in many a guide: to take it
/// out of sentences hides nothing and makes them unreadable.
#[must_use]
pub fn is_common_word(secret: &str) -> bool {
    WORDS.contains(&secret)
}

impl Scrubber {
    /// Takes these out, and what has the shape of a secret.
    #[must_use]
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut anywhere, mut words) = (BTreeSet::new(), BTreeSet::new());
        for secret in secrets {
            let secret = secret.trim();
            if secret.len() < SHORT || is_common_word(secret) {
                continue;
            }
            let into = match secret.len() < LONG {
                true => &mut words,
                false => &mut anywhere,
            };
            into.insert(secret.to_owned());
            anywhere.extend(encoded(secret));
        }
        Self {
            anywhere: any_of(&anywhere),
            words: any_of(&words),
        }
    }

    /// Copies a text without what must not be seen, line by line; answers with the length of what
    /// was written.
    ///
    /// # Errors
    /// As reading and writing do.
    pub fn copy(&self, mut from: impl BufRead, to: &mut impl Write) -> io::Result<u64> {
        let (mut line, mut written, mut in_key) = (Vec::new(), 0, 0);
        loop {
            line.clear();
            let mut bounded = io::Read::take(&mut from, LONGEST_LINE);
            if bounded.read_until(b'\n', &mut line)? == 0 {
                return Ok(written);
            }
            let kept = self.line(&line, &mut in_key);
            to.write_all(&kept)?;
            written += kept.len() as u64;
        }
    }

    /// A text without what must not be seen.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut out = Vec::new();
        // Memory takes everything.
        let _ = self.copy(text.as_bytes(), &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// `in_key` counts the lines of a private key so far.
    fn line<'a>(&self, line: &'a [u8], in_key: &mut usize) -> Cow<'a, [u8]> {
        if *in_key > 0 {
            let over = KEY_ENDS.is_match(line) || *in_key > LONGEST_KEY;
            *in_key = if over { 0 } else { *in_key + 1 };
            return Cow::Borrowed(b"");
        }
        let mut kept = Cow::Borrowed(line);
        let hidden = |found: &Captures<'_>| match self.is_hidden_in(&found[0], LAYERS) {
            true => REDACTED.into(),
            false => found[0].to_owned(),
        };
        // First: what is taken out of the middle of it would leave the rest unread.
        if let Cow::Owned(new) = LONG_RUN.replace_all(&kept, hidden) {
            kept = Cow::Owned(new);
        }
        take_out(&mut kept, &self.anywhere, |_, _| true);
        take_out(&mut kept, &self.words, is_word);
        for shape in SHAPES.iter() {
            replace(&mut kept, &shape.what, shape.left);
        }
        // Whole keys on one line are gone already.
        if let Some(begin) = KEY_BEGINS.find(&kept) {
            let start = begin.start();
            let mut cut = kept.into_owned();
            cut.truncate(start);
            cut.extend_from_slice(REDACTED.as_bytes());
            cut.push(b'\n');
            *in_key = 1;
            return Cow::Owned(cut);
        }
        kept
    }
}

impl Scrubber {
    /// Whether base64 has a secret in it, in whatever place.
    fn is_hidden_in(&self, run: &[u8], layers: usize) -> bool {
        let has = |class: fn(&u8) -> bool| run.iter().any(class);
        // Numbers in hexadecimal, and paths, are most of what is that long.
        if layers == 0 || !has(u8::is_ascii_uppercase) || !has(u8::is_ascii_lowercase) {
            return false;
        }
        let run: Vec<u8> = run
            .iter()
            .filter(|byte| **byte != b'=')
            .map(|byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                other => *other,
            })
            .collect();
        (0..4).any(|skip| {
            let part = run.get(skip..).unwrap_or_default();
            let whole = part.len() / 4 * 4;
            let Ok(bytes) = LENIENT.decode(&part[..whole]) else {
                return false;
            };
            BARE.is_match(&bytes)
                || self.anywhere.is_match(&bytes)
                || LONG_RUN
                    .find_iter(&bytes)
                    .any(|inner| self.is_hidden_in(inner.as_bytes(), layers - 1))
        })
    }
}

fn replace(kept: &mut Cow<'_, [u8]>, what: &Regex, left: &str) {
    if let Cow::Owned(new) = what.replace_all(kept, left.as_bytes()) {
        *kept = Cow::Owned(new);
    }
}

fn take_out(kept: &mut Cow<'_, [u8]>, known: &AhoCorasick, wanted: fn(&[u8], &Match) -> bool) {
    let found = known.find_iter(&**kept);
    let places: Vec<Match> = found.filter(|place| wanted(kept, place)).collect();
    if places.is_empty() {
        return;
    }
    let (mut out, mut done) = (Vec::with_capacity(kept.len()), 0);
    for place in places {
        out.extend_from_slice(&kept[done..place.start()]);
        out.extend_from_slice(REDACTED.as_bytes());
        done = place.end();
    }
    out.extend_from_slice(&kept[done..]);
    *kept = Cow::Owned(out);
}

/// Whether it stands between characters that are not of words.
fn is_word(line: &[u8], found: &Match) -> bool {
    let of_word = |at: Option<usize>| {
        at.and_then(|at| line.get(at))
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(byte))
    };
    !of_word(found.start().checked_sub(1)) && !of_word(Some(found.end()))
}

/// Of two that begin alike, the whole is found.
fn any_of(texts: &BTreeSet<String>) -> AhoCorasick {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(texts)
        .expect("a lab has no gigabytes of secrets")
}

/// How programs write a text: in JSON, in a query, in base64 of either alphabet, alone or within
/// something longer.
fn encoded(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let query = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let mut all = vec![json.trim_matches('"').to_owned(), query];
    all.retain(|one| one != secret);
    for offset in 0..3 {
        let mut bytes = vec![0; offset];
        bytes.extend_from_slice(secret.as_bytes());
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes);
            // What depends on what comes before, and after, is left out.
            let (start, end) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
            all.extend(text.get(start..end).map(str::to_owned));
        }
    }
    // A part that is too short is found everywhere.
    all.retain(|one| one.len() >= LONG.min(secret.len()) && one.len() > SHORT);
    all
}

#[cfg(test)]
mod tests;
