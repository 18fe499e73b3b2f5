//! The driver of authlab: parses flags, then calls the harness. `cargo xtask --help`.

mod cli;
mod commands;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    // A component of a lab: this process is about to become it.
    if let Some(code) = authlab_lab::exec::helper_main(std::env::args_os()) {
        return code;
    }
    let cli = Cli::parse();
    terminal::init(cli.verbose);
    let ended = match cli.command {
        Command::E2e(args) => commands::e2e::run(&args),
        Command::Diff(args) => commands::e2e::diff(&args),
        Command::Up(args) => commands::labs::up(&args),
        Command::Down(args) => commands::labs::down(&args),
        Command::Status(args) => commands::labs::status(&args),
        Command::Env(args) => commands::labs::env(&args),
        Command::Render(args) => commands::labs::render(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Lint(args) => commands::lint::run(&args),
        Command::Convert(args) => commands::convert::run(&args),
        Command::Tools(args) => commands::tooling::run(&args),
        Command::Schema(args) => commands::schema::run(&args),
        Command::Images(args) => commands::images::run(&args),
        Command::Doctor(args) => commands::doctor::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Test(args) => commands::test::run(&args),
        Command::Tidy => commands::tidy::run(),
        Command::Completions { shell } => commands::completions(shell),
        Command::Host { id, backend } => commands::labs::host(&id, backend.into()),
    };
    ended.unwrap_or_else(|report| {
        terminal::report(&report);
        ExitCode::from(2)
    })
}
