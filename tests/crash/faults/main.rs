//! Injects faults into installations and prints which were survived and which were found: kill −9, power cuts, full disks, changed, cut
//! and missing files. `tests/crash/run.sh` runs it.
//!
//! `faults [--rounds N] [--seed S] [--folder DIR] [--only kill,backup,import,power,full,flip,cut,missing]`; as root, with /dev/fuse and loop devices. Where
//! that is not to be had it says so and fails.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr
)]

#[path = "../../common/mod.rs"]
mod common;
mod damage;
mod device;
mod full;
mod kill;
mod load;
mod machine;
mod power;
mod site;
mod table;
mod trial;
mod verify;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use common::random::Random;
use damage::Fault;
use kill::Work;
use table::Table;

const ALL: [&str; 8] = ["kill", "backup", "import", "power", "full", "flip", "cut", "missing"];

struct Arguments {
    rounds: usize,
    seed: u64,
    folder: PathBuf,
    only: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("faults: {problem}");
            return ExitCode::from(2);
        }
    };
    let mut table = Table::default();
    let outcome = run(&arguments, &mut table);
    println!("{}", table.to_markdown(arguments.seed));
    if let Err(problem) = &outcome {
        eprintln!("faults: {problem}");
        return ExitCode::FAILURE;
    }
    if table.problems.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("faults: {} rounds ended as none may:", table.problems.len());
    table.problems.iter().for_each(|problem| eprintln!("  {problem}"));
    ExitCode::FAILURE
}

fn run(arguments: &Arguments, table: &mut Table) -> Result<(), String> {
    let wants = |name: &str| arguments.only.iter().any(|it| it == name);
    if let Some(lack) = machine::lacks().filter(|_| wants("power") || wants("full")) {
        return Err(lack);
    }
    // Each fault draws its own numbers, so that one alone does the same as among all.
    let each = |name: &str, run: &mut dyn FnMut(&Path, &mut Random, &mut Table) -> Result<(), String>, table: &mut Table| {
        if !wants(name) {
            return Ok(());
        }
        let folder = arguments.folder.join(name);
        let place = ALL.iter().position(|it| *it == name).unwrap() as u64;
        let began = Instant::now();
        let outcome = run(&folder, &mut Random::new(arguments.seed.wrapping_add(place << 48)), table);
        eprintln!("{name}: {:.0?}", began.elapsed());
        // What is kept for a look lies beside it.
        let _ = std::fs::remove_dir_all(&folder);
        outcome.map_err(|problem| format!("{name}: {problem}"))
    };
    let rounds = arguments.rounds;
    for (name, work) in [("kill", Work::Load), ("backup", Work::Backups)] {
        each(name, &mut |folder, random, table| kill::serving(folder, work, rounds, random, table), table)?;
    }
    each("import", &mut |folder, random, table| kill::importing(folder, rounds, random, table), table)?;
    each("power", &mut |folder, random, table| power::cuts(folder, rounds, random, table), table)?;
    each("full", &mut |folder, random, table| full::disks(folder, rounds, random, table), table)?;
    for (name, fault) in [("flip", Fault::Flip), ("cut", Fault::Cut), ("missing", Fault::Missing)] {
        each(name, &mut |folder, random, table| damage::files(folder, rounds, &[fault], random, table), table)?;
    }
    Ok(())
}

fn arguments() -> Result<Arguments, String> {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_millis() as u64;
    let only = ALL.iter().map(|&name| name.to_owned()).collect();
    let mut arguments = Arguments { rounds: 200, seed, folder: std::env::temp_dir().join("bindery-faults"), only };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{word}: {value:?} is no number"));
        match word.as_str() {
            "--rounds" => arguments.rounds = usize::try_from(number()?).map_err(|error| error.to_string())?,
            "--seed" => arguments.seed = number()?,
            "--folder" => arguments.folder = PathBuf::from(&value),
            "--only" => arguments.only = value.split(',').map(str::to_owned).collect(),
            _ => return Err(format!("unknown argument {word}")),
        }
    }
    match arguments.only.iter().find(|name| !ALL.contains(&name.as_str())) {
        Some(name) => Err(format!("there is no fault {name:?}; there are {}", ALL.join(", "))),
        None => Ok(arguments),
    }
}
