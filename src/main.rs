//! The `bindery` program: parses the command line and hands over to `bindery::command`.

use std::process::ExitCode;

/// Entries, records and replies are many small pieces of memory: with the system's allocator a bulk load spends a third of its time there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bindery::command::run()
}
