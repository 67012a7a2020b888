//! One page of all that was asked for: no script, nothing from elsewhere, for a browser and for A4.

use std::fmt::Write as _;

use super::{ReportKind, Table};
use crate::command::html::{document, escaped};
use crate::model::Timestamp;
use crate::operation::report::Overview;

/// Rows of a table that a page shows.
const MOST_ROWS: usize = 5000;
const BAR_HEIGHT: usize = 22;
const LABEL_WIDTH: usize = 150;
const BARS_WIDTH: usize = 380;

/// Writes the page. `of` says which content it is made of.
pub(super) fn page(suffix: &str, of: &str, at: Timestamp, overview: &Overview, tables: &[Table]) -> String {
    let mut page = String::new();
    let title = match tables {
        [only] => only.kind.title(),
        _ => "Who may do what, and who looked after it",
    };
    tiles(&mut page, overview, tables);
    charts(&mut page, overview, tables);
    let below = format!(",{suffix}");
    tables.iter().for_each(|table| section(&mut page, table, &below));
    let of = format!("{suffix} at {}; {of}. Names are written without {below} at their end.", at.to_rfc3339());
    document(title, &of, suffix, &page)
}

fn tiles(page: &mut String, overview: &Overview, tables: &[Table]) {
    let counts = [
        ("entries", "entries", overview.entries),
        ("people", "people", overview.people),
        ("services", "applications", overview.services),
        ("emergencies", "emergency accounts", overview.emergencies),
        ("over", "disabled or ended", overview.over),
    ];
    page.push_str("<div class=\"tiles\">\n");
    for (id, name, count) in counts {
        let _ = writeln!(page, "<div class=\"tile\"><b id=\"count-{id}\">{count}</b>{name}</div>");
    }
    for table in tables {
        let (name, count) = (table.kind.name(), table.rows.len());
        let class = if table.found { "tile found" } else { "tile" };
        let _ = writeln!(page, "<div class=\"{class}\"><b id=\"count-{name}\">{count}</b><a href=\"#{name}\">{name}</a></div>");
    }
    page.push_str("</div>\n");
}

fn charts(page: &mut String, overview: &Overview, tables: &[Table]) {
    let [week, month, quarter, year, longer, never] = overview.logins;
    let logins = [
        ("up to 7 days".to_owned(), week),
        ("up to 30 days".to_owned(), month),
        ("up to 90 days".to_owned(), quarter),
        ("up to a year".to_owned(), year),
        ("longer".to_owned(), longer),
        ("never".to_owned(), never),
    ];
    page.push_str("<div class=\"charts\">\n");
    chart(page, "logins", "Accounts by time since the last login", &logins);
    let ends: Vec<(String, u64)> =
        overview.ends.iter().enumerate().map(|(week, count)| (format!("week {}", week + 1), *count)).collect();
    chart(page, "ends", "Accounts that end in the coming weeks", &ends);
    if let Some(access) = tables.iter().find(|table| table.kind == ReportKind::Access) {
        chart(page, "groups", "Largest groups, nested members counted", &largest(access));
    }
    page.push_str("</div>\n");
}

/// The groups with most members, by the first value of their names.
fn largest(access: &Table) -> Vec<(String, u64)> {
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    access.rows.iter().filter_map(|row| row.get(1)).for_each(|group| *counts.entry(group).or_default() += 1);
    let mut counts: Vec<(String, u64)> = counts.into_iter().map(|(group, count)| (group.to_owned(), count)).collect();
    counts.sort_by(|(name, count), (other, more)| more.cmp(count).then_with(|| name.cmp(other)));
    counts.truncate(13);
    for (name, _) in &mut counts {
        let rdn = name.split(',').next().and_then(|rdn| rdn.split_once('=')).map(|(_, value)| value.to_owned());
        *name = rdn.unwrap_or_default();
    }
    counts
}

fn chart(page: &mut String, id: &str, caption: &str, bars: &[(String, u64)]) {
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let (width, height) = (LABEL_WIDTH + BARS_WIDTH + 70, bars.len() * BAR_HEIGHT + 6);
    let _ = writeln!(
        page,
        "<figure id=\"chart-{id}\"><figcaption>{caption}</figcaption>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">",
    );
    for (place, (label, count)) in bars.iter().enumerate() {
        let (top, text) = (place * BAR_HEIGHT + 3, place * BAR_HEIGHT + 17);
        // Counts are far below what multiplying could overflow.
        let length = usize::try_from(count.saturating_mul(BARS_WIDTH as u64) / most).unwrap_or(BARS_WIDTH);
        let label: String =
            if label.chars().count() > 22 { label.chars().take(21).chain(['…']).collect() } else { label.clone() };
        let _ = writeln!(
            page,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text><rect x=\"{LABEL_WIDTH}\" y=\"{top}\" width=\"{length}\" height=\"{}\" \
             fill=\"#2f6fa7\"/><text x=\"{}\" y=\"{text}\">{count}</text>",
            LABEL_WIDTH - 8,
            escaped(&label),
            BAR_HEIGHT - 5,
            LABEL_WIDTH + length + 6,
        );
    }
    page.push_str("</svg></figure>\n");
}

/// `below`: what nearly all names end with, and is left out.
fn section(page: &mut String, table: &Table, below: &str) {
    let (name, title, count) = (table.kind.name(), table.kind.title(), table.rows.len());
    let _ = writeln!(page, "<section id=\"{name}\">\n<h2>{} ({count})</h2>", escaped(title));
    if table.rows.is_empty() {
        page.push_str("<p>None.</p>\n</section>\n");
        return;
    }
    page.push_str("<table>\n<thead><tr>");
    table.kind.columns().iter().for_each(|column| page.push_str(&format!("<th>{column}</th>")));
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in table.rows.iter().take(MOST_ROWS) {
        page.push_str("<tr>");
        // A name that is too long goes on behind one of its commas.
        let shown = |cell: &String| escaped(&short(cell, below)).replace(',', ",<wbr>");
        row.iter().for_each(|cell| page.push_str(&format!("<td>{}</td>", shown(cell))));
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody>\n</table>\n");
    if count > MOST_ROWS {
        let _ = writeln!(page, "<p>and {} more: ask for bindery report {name} --format csv</p>", count - MOST_ROWS);
    }
    page.push_str("</section>\n");
}

/// Names at whose end `below` stands, without it.
fn short(cell: &str, below: &str) -> String {
    let mut parts = cell.split(below);
    let mut short = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if !(part.is_empty() || part.starts_with([' ', ';'])) {
            short.push_str(below);
        }
        short.push_str(part);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_no_markup() {
        let evil = "<script>alert('1')</script> & \"x\"\n";
        let rows = vec![vec![evil.to_owned(); 7]; 2];
        let table = Table { kind: ReportKind::Access, rows, found: false };
        let page = page(evil, evil, Timestamp(0), &Overview::default(), &[table]);
        assert!(!page.contains("<script") && !page.contains("alert('1')") && page.contains("&lt;script&gt;alert(&#39;1&#39;)"));
        assert!(
            page.contains("<b id=\"count-access\">2</b>") && !page.contains("src=") && !page.contains("http-equiv=\"refresh")
        );
        let elsewhere = page.matches("http").count();
        assert_eq!(elsewhere, page.matches("http://www.w3.org/2000/svg").count() + 1, "names of standards alone, and http-equiv");
    }

    #[test]
    fn names_are_as_short_as_the_suffix_lets_them() {
        let cells = ["uid=a,ou=people,dc=x", "dc=x", "dc=x,ou=y", "uid=b,dc=x in cn=c,dc=x; uid=d,dc=xx,dc=x"];
        let rows = vec![cells.map(str::to_owned).to_vec()];
        let table = Table { kind: ReportKind::Never, rows, found: true };
        let page = page("dc=x", "now", Timestamp(0), &Overview::default(), &[table]);
        assert!(page.contains("<td>uid=a,<wbr>ou=people</td><td>dc=x</td><td>dc=x,<wbr>ou=y</td>"), "{page}");
        assert!(page.contains("<td>uid=b in cn=c; uid=d,<wbr>dc=xx</td>") && page.contains("written without ,dc=x"), "{page}");
    }

    #[test]
    fn long_tables_say_that_they_go_on() {
        let rows = vec![vec!["a".to_owned(); 5]; MOST_ROWS + 3];
        let table = Table { kind: ReportKind::Never, rows, found: true };
        let page = page("dc=x", "now", Timestamp(0), &Overview::default(), &[table]);
        assert!(page.contains("and 3 more") && page.contains(&format!("<b id=\"count-never\">{}</b>", MOST_ROWS + 3)));
        assert!(page.contains("tile found"));
    }
}
