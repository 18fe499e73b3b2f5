//! `access`: many questions at once, as the table that people would draw.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use serde_saphyr::Spanned;

use super::question::{Answered, Question, Target};
use super::{Stance, Task, Verb};
use crate::context::Context;
use crate::fault::Fault;
use crate::report::{Matrix, MatrixCell, MatrixRow};
use crate::reproduce;
use crate::seen::Seen;

/// Asks for each subject whether each row is allowed. The first line of the table is the word `can`
/// and the subjects, credentials all. Each other line is a question and `yes` or `no` for each subject; a
/// question is a verb and a path (`get /metrics`) or a resource, as RBAC rules write it (`pods`,
/// `pods/log`, `deployments.apps`), then maybe an object's name, `-n NAMESPACE`, or `-A` for the
/// whole cluster. Lines that begin with `#` are comments.
///
/// ```yaml
/// - access:
///     namespace: dev
///     expect: |
///       can                     jane  bob  admin
///       get pods                yes   yes  yes
///       create deployments.apps yes   no   yes
///       list nodes -A           no    no   yes
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Access {
    /// The namespace of rows that name none; left out, the whole cluster.
    #[serde(default)]
    namespace: Option<String>,
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// The table.
    #[schemars(with = "String")]
    expect: Spanned<Table>,
}

/// What stands in the corner of a table: YAML takes the indentation of a text from its first line.
const CORNER: &str = "can";

/// A parsed table.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Table {
    subjects: Vec<Spanned<String>>,
    rows: Vec<TableRow>,
}

#[derive(Debug)]
struct TableRow {
    words: String,
    question: Question,
    cells: Vec<bool>,
}

impl TryFrom<String> for Table {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut lines = text
            .lines()
            .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
        let mut head = lines.next().unwrap_or_default().split_whitespace();
        if head.next() != Some(CORNER) {
            return Err(format!(
                "the table begins with the word `{CORNER}` and the subjects, for example `can jane admin`"
            ));
        }
        let subjects: Vec<Spanned<String>> = head
            .map(|name| {
                let nowhere = serde_saphyr::Location::UNKNOWN;
                Spanned::new(name.to_owned(), nowhere, nowhere)
            })
            .collect();
        let rows: Vec<TableRow> = lines
            .map(|line| row(line, subjects.len()))
            .collect::<Result<_, _>>()?;
        if rows.is_empty() || subjects.is_empty() {
            return Err("the table needs at least one subject and one row".to_owned());
        }
        Ok(Self { subjects, rows })
    }
}

fn row(line: &str, subjects: usize) -> Result<TableRow, String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let broken = |why: String| format!("in the row `{}`: {why}", words.join(" "));
    let cells = |from: usize| -> Option<Vec<bool>> {
        words[from..]
            .iter()
            .map(|cell| match *cell {
                "yes" => Some(true),
                "no" => Some(false),
                _ => None,
            })
            .collect()
    };
    let Some(from) = words.len().checked_sub(subjects).filter(|from| *from >= 2) else {
        return Err(broken(format!(
            "a verb, a resource and {subjects} times `yes` or `no` belong here"
        )));
    };
    let cells = cells(from).ok_or_else(|| {
        broken(format!(
            "the last {subjects} words must each be `yes` or `no`"
        ))
    })?;
    let question = question(&words[..from]).map_err(&broken)?;
    Ok(TableRow {
        words: words[..from].join(" "),
        question,
        cells,
    })
}

/// A verb, a target, and what narrows it.
fn question(words: &[&str]) -> Result<Question, String> {
    let (verb, target) = (words[0].to_owned(), words[1]);
    if target.starts_with('/') {
        return match words.get(2) {
            None => Ok(Question {
                verb,
                target: Target::Path(target.to_owned()),
            }),
            Some(extra) => Err(format!("nothing follows a path, and here is `{extra}`")),
        };
    }
    let (resource, subresource) = match target.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (target, None),
    };
    let (mut name, mut namespace) = (None, None);
    let mut rest = words[2..].iter();
    while let Some(word) = rest.next() {
        match *word {
            "-A" => namespace = Some(String::new()),
            "-n" => {
                let value = rest.next().ok_or("a namespace must follow `-n`")?;
                namespace = Some((*value).to_owned());
            }
            flag if flag.starts_with('-') => {
                return Err(format!(
                    "`{flag}` is not known here; `-n NAMESPACE` and `-A` are"
                ));
            }
            word if name.is_none() => name = Some(word.to_owned()),
            word => return Err(format!("`{word}` is a second name")),
        }
    }
    Ok(Question {
        verb,
        target: Target::Resource {
            resource: resource.to_owned(),
            subresource,
            name,
            namespace,
        },
    })
}

impl TableRow {
    /// The row's question, in the table's namespace where the row has none.
    fn question(&self, table: Option<&String>) -> Question {
        let mut question = self.question.clone();
        if let Target::Resource { namespace, .. } = &mut question.target {
            let given = namespace.take().or_else(|| table.cloned());
            *namespace = given.filter(|name| !name.is_empty());
        }
        question
    }
}

impl Verb for Access {
    fn summary(&self) -> String {
        let names: Vec<&str> = self
            .expect
            .value
            .subjects
            .iter()
            .map(|name| name.value.as_str())
            .collect();
        format!(
            "{} x {} rows",
            names.join(", "),
            self.expect.value.rows.len()
        )
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        self.expect.value.subjects.iter().collect()
    }

    fn stance(&self) -> Stance {
        let cells = || self.expect.value.rows.iter().flat_map(|row| &row.cells);
        match (cells().any(|cell| *cell), cells().any(|cell| !cell)) {
            (true, true) => Stance::Both,
            (true, false) => Stance::Success,
            _ => Stance::Denial,
        }
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let table = &self.expect.value;
            let mut seen = Seen::default();
            let mut data = Map::new();
            let mut matrix = Matrix {
                subjects: table
                    .subjects
                    .iter()
                    .map(|name| name.value.clone())
                    .collect(),
                rows: Vec::new(),
            };
            for row in &table.rows {
                let question = row.question(self.namespace.as_ref());
                let mut answers = Vec::new();
                let mut cells = Map::new();
                for (subject, expected) in table.subjects.iter().zip(&row.cells) {
                    let credential = context.credential(&subject.value)?;
                    let (word, words) = match question.ask_self(context, credential).await? {
                        Answered::Allowed(words) => ("yes", words),
                        Answered::Denied(words) => ("no", words),
                        Answered::Refused(word, words) => (word, words),
                    };
                    let wanted = if *expected { "yes" } else { "no" };
                    let holds = wanted == word;
                    let what = format!("{}: {}", subject.value, row.words);
                    seen.row(what, wanted, word, holds);
                    if !holds && seen.reproduce.is_none() {
                        seen.because(words);
                        let kubectl = reproduce::kubectl(context, credential);
                        seen.reproduce = Some(format!("{kubectl} auth can-i {}", question.can_i()));
                        if word == "no" {
                            seen.nearest = question.nearest_to(&context.api, credential).await;
                        }
                    }
                    answers.push(MatrixCell {
                        expected: wanted.to_owned(),
                        seen: word.to_owned(),
                    });
                    cells.insert(subject.value.clone(), json!(word));
                }
                data.insert(row.words.clone(), Value::Object(cells));
                matrix.rows.push(MatrixRow {
                    question: row.words.clone(),
                    answers,
                });
            }
            seen.data = Value::Object(data);
            seen.matrix = Some(matrix);
            Ok(seen)
        })
    }
}
