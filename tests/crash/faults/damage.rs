//! One octet changed, the end cut off, or the file gone: for every file of the data folder, of a server that stopped in order and of one
//! that was killed.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::common::random::Random;
use crate::kill::keep;
use crate::load::Book;
use crate::site::{Ended, Site, copy_folder};
use crate::table::{Table, Verdict};
use crate::trial::{Trial, empty};
use crate::verify;

/// Data folders the damage is done to, one after the other.
const TEMPLATES: usize = 8;
/// Operations of each life of the server, about.
const OPERATIONS: u64 = 150;
/// Lives of the server in each: every one begins a segment.
const LIVES: usize = 4;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Flip,
    Cut,
    Missing,
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Fault::Flip => "an octet changed",
            Fault::Cut => "the end cut off",
            Fault::Missing => "the file missing",
        }
    }
}

/// A data folder, and what is in it.
struct Template {
    folder: PathBuf,
    books: Vec<Book>,
    lines: String,
    /// The last sequence that its mark says was durable.
    marked: u64,
    is_killed: bool,
}

pub(crate) fn files(
    folder: &Path,
    rounds: usize,
    faults: &[Fault],
    random: &mut Random,
    table: &mut Table,
) -> Result<(), String> {
    let data = folder.join("data");
    let mut trial = Trial::new(folder, &data)?;
    let (mut last_groups, mut contained) = (0, 0);
    for number in 0..TEMPLATES {
        // So many rounds of each kind on this one, that all together are `rounds`.
        let share = rounds * (number + 1) / TEMPLATES - rounds * number / TEMPLATES;
        if share == 0 {
            continue;
        }
        let template = template(&mut trial, &folder.join("template"), number % 2 == 1, random)?;
        for (kind, files) in kinds(&template.folder)? {
            for fault in faults {
                for round in 0..share {
                    let file = random.choose(&files).clone();
                    empty(&data)?;
                    copy_folder(&template.folder, &data)?;
                    let what = damage(&data.join(&file), *fault, random)?;
                    let examined = examine(&trial.site, &template, &file, random);
                    last_groups += usize::from(examined.lost_last_group);
                    contained += usize::from(trial.site.log().contains("sled panicked"));
                    let explain = |problem: String| {
                        let state = if template.is_killed { "killed" } else { "stopped" };
                        empty(&data).and_then(|()| copy_folder(&template.folder, &data)).unwrap();
                        let kept = keep(folder, &data, number * 1000 + round);
                        format!("{} ({what}) of a {state} server: {problem}; undamaged: {kept}", file.display())
                    };
                    let verdict = match examined.verdict {
                        Verdict::Lost(problem) => Verdict::Lost(explain(problem)),
                        Verdict::BrokeDown(problem) => Verdict::BrokeDown(explain(problem)),
                        fine => fine,
                    };
                    table.add(fault.name(), &kind, verdict);
                }
            }
        }
    }
    table.count(&trial);
    table.remarks.push(format!(
        "Of what was found, {last_groups} were the last group of a killed server that nobody was told about: nothing tells it from one \
         that was being written, so it is cut off and reported. sled panicked in {contained} rounds, which ended in a rebuild."
    ));
    Ok(())
}

/// A server lives several lives; what it leaves is kept, and what is in it is read from a copy.
fn template(trial: &mut Trial, folder: &Path, is_killed: bool, random: &mut Random) -> Result<Template, String> {
    trial.reset()?;
    for life in 0..LIVES {
        let server = trial.site.start()?;
        trial.compare(&server)?;
        let load = trial.start_load(&server, random, 0);
        load.wait_for(OPERATIONS / 2 + random.below(OPERATIONS));
        let is_last = life + 1 == LIVES;
        if if is_last { is_killed } else { random.one_in(2) } {
            server.kill();
            trial.finish_load(load)?;
        } else {
            trial.finish_load(load)?;
            server.stop()?;
        }
        trial.read_journal()?;
    }
    if folder.exists() {
        empty(folder)?;
    }
    copy_folder(&trial.site.data, folder)?;
    // Without the records of this look.
    let mut lines = trial.site.succeed(&["journal", "export"])?;
    let own = lines.trim_end().rfind('\n').map_or(0, |before| before + 1);
    if lines.get(own..).is_some_and(|line| line.contains("\"type\":\"journalRead\"")) {
        lines.truncate(own);
    }
    let server = trial.site.start()?;
    trial.compare(&server)?;
    server.stop()?;
    trial.read_journal()?;
    let marked = marked(folder)?;
    Ok(Template { folder: folder.to_owned(), books: trial.books.clone(), lines, marked, is_killed })
}

/// What the mark of a data folder that nothing happened to says.
fn marked(folder: &Path) -> Result<u64, String> {
    let octets = fs::read(folder.join("mark")).map_err(|error| format!("mark: {error}"))?;
    let sequences = [24, 512 + 24].into_iter().filter_map(|at| octets.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes));
    sequences.max().filter(|sequence| *sequence > 0).ok_or_else(|| "the mark says nothing".to_owned())
}

/// The files of a data folder, by what they are.
fn kinds(folder: &Path) -> Result<Vec<(String, Vec<PathBuf>)>, String> {
    let mut files = Vec::new();
    list(folder, Path::new(""), &mut files)?;
    files.sort();
    let newest = files.iter().rfind(|file| file.extension().is_some_and(|it| it == "segment")).cloned();
    let mut kinds: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for file in files {
        let name = kind(&file, newest.as_deref());
        match kinds.iter_mut().find(|(known, _)| *known == name) {
            Some((_, files)) => files.push(file),
            None => kinds.push((name, vec![file])),
        }
    }
    Ok(kinds)
}

fn kind(file: &Path, newest: Option<&Path>) -> String {
    let folder = file.parent().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let begins = |with: &str| name.starts_with(with);
    match folder.as_str() {
        "journal" if Some(file) == newest => "`journal`: the last segment".to_owned(),
        "journal" => "`journal`: segments before".to_owned(),
        "sled" if begins("snap.") => "`sled/snap.*`".to_owned(),
        "sled/blobs" => "`sled/blobs/*`".to_owned(),
        "snapshots" => "`snapshots/*`".to_owned(),
        "index" => "`index/*`".to_owned(),
        other if other.starts_with("sled.aside") => "`sled.aside-*`".to_owned(),
        "" => format!("`{name}`"),
        _ => format!("`{folder}/{name}`"),
    }
}

fn list(folder: &Path, below: &Path, files: &mut Vec<PathBuf>) -> Result<(), String> {
    let path = folder.join(below);
    let problem = |error: std::io::Error| format!("{}: {error}", path.display());
    for item in fs::read_dir(&path).map_err(problem)? {
        let item = item.map_err(problem)?;
        let name = below.join(item.file_name());
        if item.path().is_dir() {
            list(folder, &name, files)?;
        } else {
            files.push(name);
        }
    }
    Ok(())
}

/// Damages a file; says how.
fn damage(path: &Path, fault: Fault, random: &mut Random) -> Result<String, String> {
    let problem = |error: std::io::Error| format!("{}: {error}", path.display());
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(problem)?;
    let length = file.metadata().map_err(problem)?.len();
    let octets = fs::read(path).map_err(problem)?;
    // Behind it there is only what was reserved.
    let used = octets.iter().rposition(|octet| *octet != 0).map_or(0, |last| last as u64 + 1);
    match fault {
        Fault::Flip => {
            let at = match random.below(8) {
                0 | 1 => random.below(used.min(4096)),
                2 | 3 => used.saturating_sub(1 + random.below(used.min(4096))),
                4 => random.below(length),
                _ => random.below(used),
            };
            let old = octets.get(usize::try_from(at).unwrap()).copied().unwrap_or_default();
            let new = old ^ u8::try_from(1 + random.below(255)).unwrap();
            file.write_all_at(&[new], at).map_err(problem)?;
            Ok(format!("octet {at} of {used} used was {old:#04x}, is {new:#04x}"))
        }
        Fault::Cut => {
            let limit = if random.one_in(8) { length } else { used };
            let at = if random.one_in(8) { 0 } else { random.below(limit) };
            file.set_len(at).map_err(problem)?;
            Ok(format!("{at} of {used} used octets are left"))
        }
        Fault::Missing => fs::remove_file(path).map(|()| "it is gone".to_owned()).map_err(problem),
    }
}

struct Examined {
    verdict: Verdict,
    lost_last_group: bool,
}

/// Starts a server on what is left, compares, and asks `check` and `journal export` too.
fn examine(site: &Site, template: &Template, file: &Path, random: &mut Random) -> Examined {
    let plain = |verdict| Examined { verdict, lost_last_group: false };
    let server = match site.try_start() {
        Ok(server) => server,
        Err(ended) => return plain(judge_refusal(&ended, file)),
    };
    // Some passwords are tried, too.
    let mut books = template.books.clone();
    books.iter_mut().flat_map(|book| book.values_mut()).for_each(|known| known.is_touched = random.one_in(16));
    let content = verify::content(&server, &mut books).map(drop);
    let stopped = server.stop();
    let log = site.log();
    if let Err(problem) = stopped {
        return plain(Verdict::BrokeDown(format!("{problem}; the log says: {}", log.trim())));
    }
    let (check, export) = (site.run(&["check"]), site.run(&["journal", "export"]));
    if let Some(broken) = [&check, &export].into_iter().find(|ended| ended.broke_down()) {
        return plain(Verdict::BrokeDown(broken.to_string()));
    }
    let is_whole = export.status.success() && export.output.starts_with(&template.lines);
    if content.is_ok() && is_whole {
        return plain(match check.status.code() {
            Some(0) => Verdict::Survived,
            // Nothing is missing, and the damage is told.
            Some(1) if is_named(file, &check.output) => Verdict::Survived,
            _ => Verdict::Lost(format!("everything is there, and check says: {check}")),
        });
    }
    let told = format!("{log}{}{}", check.text(), export.errors);
    if is_named(file, &told) {
        let lost_last_group = log.contains("an incomplete last group") && check.status.success();
        let left = export.output.lines().take_while(|line| template.lines.contains(*line)).count() as u64;
        if lost_last_group && left < template.marked {
            let marked = template.marked;
            return plain(Verdict::Lost(format!(
                "of {marked} records that were durable {left} are left, and the server goes on"
            )));
        }
        return Examined { verdict: Verdict::Found, lost_last_group };
    }
    let journal = if is_whole { "whole".to_owned() } else { format!("not whole ({})", export.errors.trim()) };
    plain(Verdict::Lost(format!("content: {content:?}, journal: {journal}; nothing names the file: {}", told.trim())))
}

/// A server that refuses says which file is damaged, and where that is a segment, the sequence.
fn judge_refusal(ended: &Ended, file: &Path) -> Verdict {
    if ended.broke_down() {
        return Verdict::BrokeDown(ended.to_string());
    }
    let is_journal = file.starts_with("journal");
    let text = ended.text();
    // A segment that is not there is missed by the one behind it.
    if is_named(file, &text) || (is_journal && text.contains(".segment: damaged at sequence")) {
        Verdict::Found
    } else {
        Verdict::Lost(format!("the server refuses to start and does not say which file is damaged: {ended}"))
    }
}

fn is_named(file: &Path, text: &str) -> bool {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    text.contains(&name) && (!file.starts_with("journal") || text.contains("sequence") || text.contains("last group"))
}
