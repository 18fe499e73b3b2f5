//! What ran when: a chart of the programs of a lab, and of how busy each was.
//!
//! Read from /proc, so that it needs nothing of what it looks at: programs in containers are there
//! as well.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it looks.
const PACE: Duration = Duration::from_millis(100);
/// Columns of a chart.
const WIDTH: usize = 60;
/// Clock ticks a second (`USER_HZ`, proc_pid_stat(5)): 100 wherever Rust runs on Linux.
const TICKS: f64 = 100.0;
/// The programs worth a row, in the order in which a lab starts them.
const PROGRAMS: [&str; 11] = [
    "kind",
    "docker",
    "containerd",
    "kubeadm",
    "kubelet",
    "etcd",
    "kube-apiserver",
    "kube-controller",
    "dex",
    "java",
    "xtask",
];

/// One look: the ticks that each program has used so far, all its processes together.
type Look = BTreeMap<&'static str, u64>;

/// Watches until it is told to stop.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looks: JoinHandle<Vec<(f64, Look)>>,
    busy: u64,
    begun: Instant,
}

/// What was seen.
pub struct Chart {
    looks: Vec<(f64, Look)>,
    /// How long was watched, in seconds.
    pub seconds: f64,
    /// The time of all processors together that was used by whatever ran, in seconds.
    pub cpu: f64,
}

impl Watch {
    /// Begins to watch.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let begun = Instant::now();
        let looks = std::thread::spawn(move || {
            let mut looks = Vec::new();
            while !told.load(Ordering::Relaxed) {
                looks.push((begun.elapsed().as_secs_f64(), look()));
                std::thread::park_timeout(PACE);
            }
            looks
        });
        Self {
            stop,
            looks,
            busy: busy(),
            begun,
        }
    }

    /// Ends watching.
    pub fn stop(self) -> Chart {
        let seconds = self.begun.elapsed().as_secs_f64();
        let used = busy().saturating_sub(self.busy);
        self.stop.store(true, Ordering::Relaxed);
        self.looks.thread().unpark();
        Chart {
            looks: self.looks.join().unwrap_or_default(),
            seconds,
            cpu: in_seconds(used),
        }
    }
}

impl Chart {
    /// A row for each program that ran: blank where it did not, `.` where it waited, `-` up to half
    /// a processor, `#` above.
    pub fn text(&self) -> String {
        let mut out = String::from("```text\n");
        let scale = format!("0 s{:>1$.1} s", self.seconds, WIDTH - 5);
        let _ = writeln!(out, "{:<16}{scale}", "");
        for program in PROGRAMS {
            let row: String = (0..WIDTH)
                .map(|column| self.cell(program, column))
                .collect();
            if row.contains(['#', '-']) {
                let _ = writeln!(out, "{program:<16}{}", row.trim_end());
            }
        }
        out.push_str("```\n");
        out
    }

    #[expect(clippy::cast_precision_loss, reason = "columns of a chart")]
    fn cell(&self, program: &str, column: usize) -> char {
        let at = |column: usize| self.seconds * column as f64 / WIDTH as f64;
        let (from, to) = (at(column), at(column + 1));
        // The last look before the column, and the last one in it.
        let last = |until: f64| self.looks.iter().rev().find(|(time, _)| *time < until);
        let Some((end, there)) = last(to) else {
            return ' ';
        };
        let Some(used) = there.get(program) else {
            return ' ';
        };
        // What ran before anybody looked had used some.
        let start = last(from).or(self.looks.first());
        let (start, before) = start.map_or((0.0, 0), |(time, look)| {
            (*time, look.get(program).copied().unwrap_or(0))
        });
        let share = in_seconds(used.saturating_sub(before)) / (end - start).max(0.1);
        match share {
            share if share >= 0.5 => '#',
            share if share >= 0.05 => '-',
            _ => '.',
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration")]
fn in_seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS
}

fn look() -> Look {
    let mut look = Look::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let numeric = entry.file_name().to_string_lossy().parse::<u32>().is_ok();
        if let Some((program, ticks)) = numeric.then(|| used(&entry.path())).flatten() {
            *look.entry(program).or_default() += ticks;
        }
    }
    look
}

/// The program of a process and the ticks that it has used, its ended children included
/// (proc_pid_stat(5), fields 2 and 14 to 17).
fn used(process: &Path) -> Option<(&'static str, u64)> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    let (head, rest) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    let program = PROGRAMS.into_iter().find(|program| *program == name)?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields
        .get(11..15)?
        .iter()
        .filter_map(|field| field.parse::<u64>().ok());
    Some((program, ticks.sum()))
}

/// The ticks that all processors have worked (proc_stat(5): all but idle and iowait).
fn busy() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = stat.lines().next().unwrap_or_default().split_whitespace();
    let ticks: Vec<u64> = fields
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // Guests (the last two) are counted among `user` and `nice` already.
    let counted = ticks.iter().take(8).enumerate();
    counted
        .filter(|(field, _)| ![3, 4].contains(field))
        .map(|(_, ticks)| ticks)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{Chart, Look};

    #[test]
    fn a_chart_shows_who_was_busy_when() {
        let look = |kind: Option<u64>, java: Option<u64>| -> Look {
            let all = [("kind", kind), ("java", java)];
            all.into_iter()
                .filter_map(|(name, ticks)| Some((name, ticks?)))
                .collect()
        };
        let chart = Chart {
            looks: vec![
                (0.0, look(Some(0), None)),
                (14.9, look(Some(1490), None)),
                (29.9, look(Some(1490), Some(0))),
                (44.9, look(None, Some(300))),
                (59.9, look(None, Some(1800))),
            ],
            seconds: 60.0,
            cpu: 32.9,
        };
        insta::assert_snapshot!(chart.text());
    }
}
