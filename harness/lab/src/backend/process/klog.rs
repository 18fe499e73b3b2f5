//! What the API server says in its log, in the form that klog gives it: `err="text"` with the
//! escapes of Go, or, when the text has several lines, `err=<` and the lines after a tab each.

/// What came of a changed authentication file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reload {
    /// It is in force.
    Done,
    /// It can never be: the file is wrong.
    Refused(String),
    /// Its issuers did not answer within a minute; the API server keeps trying.
    Unreachable(String),
}

/// The outcomes that the log tells of, oldest first; one that is still being written is none yet.
pub(super) fn reloads(log: &str) -> Vec<Reload> {
    let outcome = |(start, line): (usize, &str)| {
        let error = || error_field(&log[start..]);
        if line.contains("\"reloaded authentication config\"") {
            Some(Reload::Done)
        } else if line.contains("\"failed to load authentication config\"")
            || line.contains("\"failed to validate authentication config\"")
        {
            error().map(Reload::Refused)
        } else if line.contains("\"failed to update authentication config\"") {
            error().map(Reload::Unreachable)
        } else {
            None
        }
    };
    lines(log).filter_map(outcome).collect()
}

/// What its end begins with that has nothing to do with what it was told: etcd did not answer.
const NO_STORAGE: &str = "error creating storage factory: ";

/// Why the API server would not start as it was told to, in its own words and nothing around them: as
/// it would refuse the same configuration on a reload.
pub(super) fn refusal(log: &str) -> Option<String> {
    let message = lines(log).find_map(|(start, line)| {
        if line.contains("\"command failed\" err=") {
            error_field(&log[start..])
        } else {
            // Flags that do not parse end it before it has a logger.
            line.strip_prefix("Error: ").map(str::to_owned)
        }
    })?;
    if message.starts_with(NO_STORAGE) {
        return None;
    }
    let bare = message
        .strip_prefix("invalid authentication configuration: ")
        .or_else(|| {
            let rest =
                message.strip_prefix("failed to load authentication configuration from file ")?;
            Some(rest.split_once("\": ")?.1)
        });
    Some(bare.map_or(message.clone(), str::to_owned))
}

/// How many attempts at an issuer's discovery have failed.
pub(super) fn failed_discoveries(log: &str) -> usize {
    const FAILURES: [&str; 3] = [
        "] oidc authenticator: initializing plugin: ",
        "] oidc authenticator: error getting JWKS URL: ",
        "] provider did not return JWKS URL",
    ];
    let failed = |line: &str| FAILURES.iter().any(|failure| line.contains(failure));
    log.lines().filter(|line| failed(line)).count()
}

/// Lines with the place where each starts.
fn lines(log: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    log.split_inclusive('\n').map(move |line| {
        let here = start;
        start += line.len();
        (here, line.trim_end_matches('\n'))
    })
}

/// The value of `err=` in the entry that begins here.
fn error_field(entry: &str) -> Option<String> {
    let (_, value) = entry.split_once(" err=")?;
    if let Some(block) = value.strip_prefix("<\n") {
        // The mark after the last line: without it, more is to come.
        let (block, _) = block.split_once("\n >\n")?;
        let lines = block.lines().map_while(|line| line.strip_prefix('\t'));
        return Some(lines.collect::<Vec<_>>().join("\n"));
    }
    unquote(value.strip_prefix('"')?)
}

/// A Go string literal up to its closing quote (Go specification, "String literals").
fn unquote(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some(out),
            '\\' => out.push(match chars.next()? {
                'a' => '\x07',
                'b' => '\x08',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\x0b',
                'x' => code_point(&mut chars, 2)?,
                'u' => code_point(&mut chars, 4)?,
                'U' => code_point(&mut chars, 8)?,
                other => other,
            }),
            other => out.push(other),
        }
    }
}

fn code_point(chars: &mut std::str::Chars<'_>, digits: usize) -> Option<char> {
    let text: String = chars.take(digits).collect();
    char::from_u32(u32::from_str_radix(&text, 16).ok()?)
}

#[cfg(test)]
mod tests;
