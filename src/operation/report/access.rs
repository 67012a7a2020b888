//! Who is in which group: the five columns.

use super::grants::Grants;
use super::{Account, ReportKind, Reporting, Table, moment};
use crate::model::EntryId;

pub(super) fn table(reporting: &Reporting<'_>) -> Table {
    let Reporting { directory, at, group, person, .. } = reporting;
    let grants = Grants::of(directory, *at);
    let mut rows = Vec::new();
    for account in Account::all(directory).filter(|account| person.is_none_or(|person| person == account.node.id)) {
        let last_login = moment(account.facts.last_login);
        let end = account.end().map(|(end, _)| end);
        for (id, reached) in grants.groups_of(directory, account.node.id) {
            if group.is_some_and(|group| group != id) {
                continue;
            }
            let through = |id: Option<EntryId>| id.map_or_else(|| "-".to_owned(), |id| directory.dn_text(id));
            rows.push(vec![
                account.dn.clone(),
                directory.dn_text(id),
                through(reached.through),
                reached.way.since.to_rfc3339(),
                dash(&reached.way.by),
                last_login.clone(),
                moment([reached.way.until, end].into_iter().flatten().min()),
            ]);
        }
    }
    Table::new(ReportKind::Access, rows)
}

/// Nobody has no name.
pub(super) fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}
