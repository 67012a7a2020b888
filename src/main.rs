//! The `bindery` program: parses the command line and hands over to `bindery::command`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bindery::command::run()
}
