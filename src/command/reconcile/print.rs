//! A plan as people, spreadsheets and programs read it.

use super::plan::{Action, Plan, Problem, Step, ValueChange};
use crate::command::format::{Format, csv_line, printable};
use crate::command::{CommandError, output};

/// Prints all of it.
pub(super) fn plan(plan: &Plan, digest: &str, format: Format) -> Result<(), CommandError> {
    if format == Format::Csv {
        output::octets(csv_line(["action", "line", "key", "dn", "attribute", "before", "after"]).as_bytes())?;
    }
    for step in &plan.steps {
        match format {
            Format::Table => table(step)?,
            Format::Csv => csv(step)?,
            Format::Jsonl => jsonl(step)?,
        }
    }
    for problem in &plan.problems {
        let Problem { line, key, text } = problem;
        match format {
            Format::Table => {
                output::line(printable(&format!("look   {key:<10} {}{text}", at(*line))))?;
            }
            Format::Csv => {
                let line = line.map(|line| line.to_string()).unwrap_or_default();
                output::octets(csv_line(["look", &line, key, "", "", "", text]).as_bytes())?;
            }
            Format::Jsonl => output::line(serde_json::json!({ "action": "look", "line": line, "key": key, "text": text }))?,
        }
    }
    if format == Format::Table {
        output::line(format_args!(
            "{} join, {} move, {} leave, of {} accounts; {} to look at; file sha256:{digest}",
            plan.count(Action::Join),
            plan.count(Action::Move),
            plan.count(Action::Leave),
            plan.accounts,
            plan.problems.len()
        ))?;
    }
    Ok(())
}

fn at(line: Option<u64>) -> String {
    line.map(|line| format!("line {line}: ")).unwrap_or_default()
}

fn table(step: &Step) -> Result<(), CommandError> {
    let place = step.line.map_or_else(|| "absent".to_owned(), |line| format!("line {line}"));
    output::line(printable(&format!("{:<6} {:<10} {} ({place})", step.action.name(), step.key, step.dn)))?;
    for ValueChange { attribute, before, after } in &step.changes {
        let before = if before.is_empty() { String::new() } else { format!("{} -> ", before.join(" | ")) };
        let after = if after.is_empty() { "(none)".to_owned() } else { after.join(" | ") };
        output::line(printable(&format!("         {attribute}: {before}{after}")))?;
    }
    Ok(())
}

fn csv(step: &Step) -> Result<(), CommandError> {
    let line = step.line.map(|line| line.to_string()).unwrap_or_default();
    step.changes.iter().try_for_each(|change| {
        let (before, after) = (change.before.join(" | "), change.after.join(" | "));
        let fields = [step.action.name(), &line, &step.key, &step.dn, &change.attribute, &before, &after];
        output::octets(csv_line(fields).as_bytes())
    })
}

fn jsonl(step: &Step) -> Result<(), CommandError> {
    let change = |it: &ValueChange| serde_json::json!({ "attribute": it.attribute, "before": it.before, "after": it.after });
    let changes: Vec<serde_json::Value> = step.changes.iter().map(change).collect();
    output::line(serde_json::json!({
        "action": step.action.name(), "line": step.line, "key": step.key, "dn": step.dn, "changes": changes,
    }))
}
