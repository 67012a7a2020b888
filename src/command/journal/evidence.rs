//! `bindery journal evidence`: a bundle for somebody who has nothing but the public key.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::proofs::{Proofs, unfit};
use super::reading::{self, Recorded};
use super::verify::own_key;
use crate::command::installation::{create_private, server_socket};
use crate::command::{CommandError, Installation, output};
use crate::directory::Lookup;
use crate::journal::Leaf;
use crate::journal::evidence::{Evidence, EvidenceRecord};
use crate::model::ldif::write_line;
use crate::model::{Dn, Section, Timestamp};
use crate::server::journal_key;
use crate::store;
use crate::wire::client::LocalClient;

/// Records that a bundle takes: it is made in memory.
const MOST: u64 = 1_000_000;
/// Shown records that the cover lists.
const LISTED: usize = 1000;

/// Arguments of `bindery journal evidence`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
    /// The first record: a sequence, or a time (2026-11-22T10:15:00Z)
    #[arg(long, value_name = "SEQUENCE|TIME")]
    from: String,
    /// The last record, or the time that records are before
    #[arg(long, value_name = "SEQUENCE|TIME")]
    to: String,
    /// Whom the bundle is for, and why: it stands on the cover
    #[arg(long = "for", value_name = "WHO")]
    recipient: String,
    /// Show only records whose actor or target is this entry or below it; of the others only the hash is in the bundle
    #[arg(long, value_name = "DN")]
    about: Option<String>,
    /// Where the bundle goes (made with mode 0600)
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes the bundle.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let installation = arguments.installation.load()?;
    let about = arguments
        .about
        .as_deref()
        .map(|text| Dn::parse(text.as_bytes()).map_err(|error| CommandError::Usage(format!("--about {text}: {error}"))));
    let about = about.transpose()?;
    let mut proofs = Proofs::of(&installation)?;
    let first = bound(&proofs, "--from", &arguments.from, false)?;
    let last = bound(&proofs, "--to", &arguments.to, true)?.min(proofs.head.head.size);
    if first == 0 || last < first || last - first >= MOST {
        let text = format!("records {first} to {last}: a bundle takes from one to {MOST} that somebody signed for");
        return Err(CommandError::Usage(text));
    }
    let time_stamps = proofs.prefer_anchored(last, &own_key(&installation)?)?;
    let mut records = Vec::new();
    let mut summary = Summary::default();
    let each = &mut |_, line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_default();
        let is_shown = about.as_ref().is_none_or(|about| concerns(&value, about));
        records.push(if is_shown { EvidenceRecord::Shown(line.to_owned()) } else { EvidenceRecord::Leaf(Leaf::of_line(line)) });
        if is_shown {
            summary.add(&value);
        }
        Ok(())
    };
    store::read_lines(&proofs.options, &(first..=last), each).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let proof = proofs.range(first, last)?;
    let node = store::node(&proofs.options).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let file = &installation.configuration.journal_key;
    let key = journal_key::load(file, &node).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let key = key.ok_or_else(|| CommandError::Cannot(format!("{}: there is no key to sign with", file.display())))?;
    let shown = records.iter().filter(|record| matches!(record, EvidenceRecord::Shown(_))).count();
    let question = format!("evidence {first} to {last} for {}", arguments.recipient);
    let rules = rules(arguments, reading::record(&arguments.installation, &question)?)?;
    let mut cover = vec![
        format!("Evidence from the audit journal {}", proof.head.head.origin),
        format!("for: {}", arguments.recipient),
        format!("made: {}", installation.now().to_rfc3339()),
        format!(
            "records: {first} to {last}, complete; {shown} are shown, of the {} others there is the hash",
            records.len() - shown
        ),
        format!("about: {}", arguments.about.as_deref().unwrap_or("everything")),
        format!("policies and rules in force when this was made: {}", rules.len()),
        format!("to verify: bindery journal verify FILE --key journal.pub, or any verifier of {}", "schema/JOURNAL.md"),
        String::new(),
    ];
    cover.extend(summary.lines());
    let evidence = Evidence::new(cover, rules, records, proof).with_time_stamps(time_stamps);
    if !evidence.proof.holds(&evidence.leaves()) {
        return Err(unfit());
    }
    let written = create_private(&arguments.out).and_then(|mut file| {
        file.write_all(evidence.sign(&key).as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| CommandError::Cannot(format!("{}: {error}", arguments.out.display())))?;
    output::line(format_args!("{}: records {first} to {last}, {shown} of them shown", arguments.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A sequence as it stands; of a time the first record that is not before it, or the last one that is.
fn bound(proofs: &Proofs, option: &str, text: &str, is_end: bool) -> Result<u64, CommandError> {
    // So many digits are a time.
    if text.len() < 12
        && let Ok(sequence) = text.parse()
    {
        return Ok(sequence);
    }
    let time = Timestamp::from_generalized_time(text.as_bytes()).ok().or_else(|| Timestamp::from_rfc3339(text));
    let time = time.ok_or_else(|| {
        CommandError::Usage(format!("{option} {text}: neither a sequence nor a time; write 4711 or 2026-11-22T10:15:00Z"))
    })?;
    let found = store::sequence_at(&proofs.options, time).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let behind = proofs.head.head.size.saturating_add(1);
    Ok(if is_end { found.unwrap_or(behind).saturating_sub(1) } else { found.unwrap_or(behind) })
}

fn concerns(record: &Value, about: &Dn) -> bool {
    let named = ["actor", "target", "assumed"].into_iter().filter_map(|member| record.get(member)?.get("dn")?.as_str());
    let effects = record.get("effects").and_then(Value::as_array).into_iter().flatten();
    let others = effects.filter_map(|effect| effect.get("dn")?.as_str());
    named.chain(others).any(|dn| {
        let folded = |text: &str| text.to_lowercase();
        Dn::parse(dn.as_bytes()).is_ok_and(|dn| {
            let (dn, about) = (folded(&dn.to_string()), folded(&about.to_string()));
            dn == about || dn.ends_with(&format!(",{about}"))
        })
    })
}

/// What the cover says of the records.
#[derive(Default)]
struct Summary {
    counts: BTreeMap<(String, i64), u64>,
    listed: Vec<String>,
    left_out: usize,
}

impl Summary {
    fn add(&mut self, record: &Value) {
        let text = |member: &str| record.get(member).and_then(Value::as_str).unwrap_or_default();
        let dn = |member: &str| record.get(member).and_then(|named| named.get("dn")?.as_str()).unwrap_or("-");
        let number = |member: &str| record.get(member).and_then(Value::as_i64).unwrap_or_default();
        *self.counts.entry((text("type").to_owned(), number("result"))).or_default() += 1;
        if self.listed.len() >= LISTED {
            self.left_out += 1;
            return;
        }
        let (sequence, time) = (number("seq"), Timestamp(number("time")).to_rfc3339());
        let (kind, peer, result) = (text("type"), text("peer"), number("result"));
        self.listed.push(format!("{sequence} {time} {kind} by {} on {} from {peer}: result {result}", dn("actor"), dn("target")));
    }

    fn lines(self) -> Vec<String> {
        let counts = self.counts.into_iter().map(|((kind, result), count)| format!("{count} x {kind} with result {result}"));
        let mut lines: Vec<String> = counts.collect();
        lines.push(String::new());
        lines.extend(self.listed);
        if self.left_out > 0 {
            lines.push(format!("and {} more", self.left_out));
        }
        lines
    }
}

/// What decides about people now, as LDIF, without secrets: asked for, or read where no server runs.
fn rules(arguments: &Arguments, recorded: Recorded) -> Result<Vec<(String, String)>, CommandError> {
    let mut rules = Vec::new();
    let offline = match recorded {
        Recorded::ByServer => None,
        Recorded::Here(opened) => Some(opened),
        Recorded::Not(problem) => return Err(CommandError::Cannot(problem)),
    };
    let Some(mut offline) = offline else {
        let socket = server_socket(&arguments.installation)?;
        let (socket, suffix) = socket.ok_or_else(|| CommandError::Cannot("the server ended meanwhile; try again".to_owned()))?;
        let mut client = LocalClient::connect(&socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
        let base = format!("ou=policies,{suffix}");
        let read = client.read_subtree(&base, &["*", "createTimestamp", "modifyTimestamp", "entryUUID"], &mut |entry| {
            let mut ldif = Vec::new();
            for attribute in &entry.attributes {
                attribute.values.iter().try_for_each(|value| write_line(&mut ldif, &attribute.description, value))?;
            }
            rules.push((entry.dn, String::from_utf8_lossy(&ldif).into_owned()));
            Ok(())
        });
        return read.map(|()| rules).map_err(|error| CommandError::Cannot(format!("{base}: {error}")));
    };
    let directory = offline.committer().head().clone();
    let base = Dn::parse(format!("ou=policies,{}", directory.suffix()).as_bytes()).ok();
    let mut waiting = match base.map(|base| directory.find(&base)) {
        Some(Lookup::Found(id)) => vec![id],
        _ => Vec::new(),
    };
    while let Some(id) = waiting.pop() {
        let Some(node) = directory.node(id) else { continue };
        let mut ldif = Vec::new();
        for attribute in node.entry.attributes().filter(|attribute| attribute.section != Section::Secret) {
            // Writing to a Vec does not fail.
            let _ = attribute.values().try_for_each(|value| write_line(&mut ldif, attribute.description, value));
        }
        rules.push((directory.dn_text(id), String::from_utf8_lossy(&ldif).into_owned()));
        waiting.extend(directory.children(id));
    }
    offline.close();
    Ok(rules)
}
