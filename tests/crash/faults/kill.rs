//! kill −9 at random moments: of a server under load, and of an import.

use std::fmt::Write as _;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::common::random::Random;
use crate::common::{SUFFIX, bindery, client::Client};
use crate::load::{Gate, dn};
use crate::table::{Table, Verdict};
use crate::trial::{Trial, empty};

/// Rounds on one data folder: what earlier crashes left stays in the way of later ones, within bounds.
const ROUNDS_ON_A_FOLDER: usize = 25;
/// A server is killed after fewer acknowledged operations than these.
const OPERATIONS: u64 = 300;
/// Entries of an import that is killed.
const IMPORTED: usize = 3000;

/// What the server does when it is killed, beside serving.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Load,
    /// One backup after the other, each of which takes a snapshot.
    Backups,
}

pub(crate) fn serving(folder: &Path, work: Work, rounds: usize, random: &mut Random, table: &mut Table) -> Result<(), String> {
    let data = folder.join("data");
    let mut trial = Trial::new(folder, &data)?;
    for round in 0..rounds {
        if round % ROUNDS_ON_A_FOLDER == 0 {
            trial.reset()?;
        }
        let verdict = match kill_server(&mut trial, work, random) {
            Ok(()) => Verdict::Survived,
            Err(problem) => {
                let kept = keep(folder, &data, round);
                trial.reset()?;
                Verdict::Lost(format!("round {round}: {problem}; {kept}"))
            }
        };
        let place = match work {
            Work::Load => "server under load",
            Work::Backups => "server that takes snapshots for backups",
        };
        table.add("kill −9", place, verdict);
    }
    table.count(&trial);
    Ok(())
}

fn kill_server(trial: &mut Trial, work: Work, random: &mut Random) -> Result<(), String> {
    let server = trial.site.start()?;
    let load = trial.start_load(&server, random, 0);
    let backups = (work == Work::Backups).then(|| Backups::start(trial, load.gate.clone()));
    // The moment of death is the fault.
    load.wait_for(random.below(OPERATIONS));
    std::thread::sleep(Duration::from_micros(random.below(5000)));
    backups.iter().for_each(|backups| backups.killed.close());
    server.kill();
    trial.finish_load(load)?;
    let backup = backups.map_or(Ok(None), Backups::finish)?;
    trial.examine(random)?;
    backup.map_or(Ok(()), |archive| restore(trial, &archive))
}

/// Takes backups until the server is gone.
struct Backups {
    taking: JoinHandle<Result<Option<Vec<u8>>, String>>,
    /// From now on the server may be gone, and a backup may fail.
    killed: Gate,
}

impl Backups {
    fn start(trial: &Trial, gate: Gate) -> Backups {
        let configuration = trial.site.configuration();
        let killed = Gate::default();
        let may_fail = killed.clone();
        let taking = std::thread::spawn(move || {
            let mut newest = None;
            while !gate.is_closed() {
                let output = bindery(&["backup", "--out", "-", "--config", configuration.to_str().unwrap()]);
                let failed = || format!("backup: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
                match output.status.code() {
                    Some(0) => newest = Some(output.stdout),
                    Some(1..=3) if may_fail.is_closed() => {}
                    _ => return Err(failed()),
                }
            }
            Ok(newest)
        });
        Backups { taking, killed }
    }

    /// The last one that was finished.
    fn finish(self) -> Result<Option<Vec<u8>>, String> {
        self.taking.join().map_err(|_| "backups panicked".to_owned())?
    }
}

/// A backup that said it was finished makes a data folder in which `check` finds nothing.
fn restore(trial: &Trial, archive: &[u8]) -> Result<(), String> {
    let configuration = trial.site.configuration();
    let (other, file) = (configuration.with_file_name("other.toml"), configuration.with_file_name("backup.tar"));
    let data = configuration.with_file_name("other-data");
    let text = std::fs::read_to_string(&configuration).map_err(|error| error.to_string())?;
    let present = format!("data = {:?}", trial.site.data.display().to_string());
    let changed = text.replacen(&present, &format!("data = {:?}", data.display().to_string()), 1);
    if changed == text {
        return Err(format!("{}: no line {present}", configuration.display()));
    }
    std::fs::write(&other, changed).and_then(|()| std::fs::write(&file, archive)).map_err(|error| error.to_string())?;
    for arguments in [["restore", file.to_str().unwrap()].as_slice(), &["check"]] {
        let output = bindery(&[arguments, &["--config", other.to_str().unwrap()]].concat());
        if !output.status.success() {
            let told = [output.stdout, output.stderr].concat();
            return Err(format!("of a finished backup, {}: {}: {}", arguments[0], output.status, String::from_utf8_lossy(&told)));
        }
    }
    let removed = std::fs::remove_dir_all(&data).and_then(|()| std::fs::remove_file(&file));
    removed.map_err(|error| error.to_string())
}

/// An import that is killed leaves a part of what it loads, each entry whole, and what was there before.
pub(crate) fn importing(folder: &Path, rounds: usize, random: &mut Random, table: &mut Table) -> Result<(), String> {
    let data = folder.join("data");
    let mut trial = Trial::new(folder, &data)?;
    let mut ldif = String::new();
    for number in 0..IMPORTED {
        let dn = format!("cn=import{number},{SUFFIX}");
        writeln!(ldif, "dn: {dn}\nobjectClass: organizationalRole\ncn: import{number}\ndescription: {number}\n").unwrap();
    }
    let file = folder.join("import.ldif");
    std::fs::write(&file, ldif).unwrap();
    for round in 0..rounds {
        trial.reset()?;
        let verdict = match kill_import(&mut trial, random, file.to_str().unwrap()) {
            Ok(()) => Verdict::Survived,
            Err(problem) => Verdict::Lost(format!("round {round}: {problem}; {}", keep(folder, &data, round))),
        };
        table.add("kill −9", "import", verdict);
    }
    table.count(&trial);
    Ok(())
}

fn kill_import(trial: &mut Trial, random: &mut Random, file: &str) -> Result<(), String> {
    let server = trial.site.start()?;
    let load = trial.start_load(&server, random, 0);
    load.wait_for(20);
    trial.finish_load(load)?;
    trial.compare(&server)?;
    server.stop()?;
    let mut import = trial.site.spawn(&["import", file]);
    std::thread::sleep(Duration::from_millis(random.below(400)));
    import.kill().unwrap();
    import.wait().unwrap();
    trial.examine(random)?;
    let server = trial.site.start()?;
    let imported = imported(&server.address)?;
    // In the order of the file, and each whole.
    match imported.iter().enumerate().find(|(place, number)| place != *number) {
        Some((place, number)) => return Err(format!("of the import {number} is there, where {place} is due")),
        None if imported.len() > IMPORTED => return Err("more than was imported is there".to_owned()),
        None => {}
    }
    trial.compare(&server)?;
    server.stop()
}

fn imported(address: &str) -> Result<Vec<usize>, String> {
    use ldap3_proto::proto::{LdapFilter, LdapResultCode, LdapSearchScope};
    let mut client = Client::connect(address).map_err(|error| error.to_string())?;
    let code = client.bind(crate::common::ADMIN, crate::common::PASSWORD).map_err(|error| error.to_string())?;
    let filter = LdapFilter::Equality("objectClass".to_owned(), "organizationalRole".to_owned());
    let found = client.search(SUFFIX, LdapSearchScope::OneLevel, filter, &["description"]);
    let (entries, _) = found.map_err(|error| error.to_string())?;
    if code != LdapResultCode::Success {
        return Err(format!("the administrator's login is answered with {code:?}"));
    }
    let mut numbers: Vec<usize> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.dn.starts_with("cn=import")) {
        let number: usize = crate::common::client::values(entry, "description").concat().parse().map_err(|_| entry.dn.clone())?;
        if entry.dn != dn(&format!("import{number}")) {
            return Err(format!("{} has the description {number}", entry.dn));
        }
        numbers.push(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Puts a data folder that should not look as it does where it can be looked at.
pub(crate) fn keep(folder: &Path, data: &Path, round: usize) -> String {
    let target = folder.with_file_name(format!("kept-{}-{round}", folder.file_name().unwrap().to_string_lossy()));
    let _ = std::fs::create_dir_all(&target).map(|()| empty(&target));
    match crate::site::copy_folder(data, &target) {
        Ok(()) => {
            let _ = std::fs::copy(folder.join("server.log"), target.join("server.log"));
            // With the key, so that it can be read.
            let _ = crate::site::copy_folder(&folder.join("installation"), &target.join("installation"));
            format!("the data folder is kept in {}", target.display())
        }
        Err(problem) => format!("the data folder cannot be kept: {problem}"),
    }
}
