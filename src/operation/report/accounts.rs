//! Accounts that somebody should look at: unused, without anybody who answers for them, of applications.

use super::super::account;
use super::super::managed_account::AccountKind;
use super::{Account, DAY, ReportKind, Reporting, Table, moment, references, text, texts, time};
use crate::directory::Directory;
use crate::model::Timestamp;

pub(super) fn dormant(reporting: &Reporting<'_>) -> Table {
    let Reporting { directory, at, dormant_days, .. } = reporting;
    let limit = Timestamp(at.0.saturating_sub(i64::from(*dormant_days).saturating_mul(DAY)));
    let rows = Account::all(directory).filter(|account| !account.is_over(*at)).filter_map(|account| {
        let last = account.facts.last_login.filter(|last| *last <= limit)?;
        let source = directory.account_state(account.node.id).last_login_source;
        Some(vec![
            account.dn.clone(),
            account.kind_name().to_owned(),
            last.to_rfc3339(),
            source.unwrap_or_else(|| "-".to_owned()),
            (at.0.saturating_sub(last.0) / DAY).to_string(),
            account.state(*at).to_owned(),
        ])
    });
    Table::new(ReportKind::Dormant, rows.collect())
}

pub(super) fn never(reporting: &Reporting<'_>) -> Table {
    let Reporting { directory, at, .. } = reporting;
    let unused = Account::all(directory).filter(|account| !account.is_over(*at) && account.facts.last_login.is_none());
    let rows = unused.map(|account| {
        let stored = !account::stored_passwords(directory, Some(account.node.id)).is_empty();
        vec![
            account.dn.clone(),
            account.kind_name().to_owned(),
            moment(time(directory, account.node, "createTimestamp")),
            if stored { "stored" } else { "none" }.to_owned(),
            account.state(*at).to_owned(),
        ]
    });
    Table::new(ReportKind::Never, rows.collect())
}

/// People whose manager is missing, gone or left, and people whom the personnel department does not know.
pub(super) fn orphaned(reporting: &Reporting<'_>) -> Table {
    let Reporting { directory, at, hr, .. } = reporting;
    let mut rows = Vec::new();
    let people = Account::all(directory).filter(|account| account.kind == AccountKind::Person && !account.is_over(*at));
    for account in people {
        let managers = references(directory, account.node, "manager");
        let mut row = |reason: String, manager: String| {
            rows.push(vec![account.dn.clone(), reason, manager, moment(account.facts.last_login)]);
        };
        if managers.is_empty() {
            row("no manager".to_owned(), "-".to_owned());
        }
        for manager in managers {
            match manager {
                Err(gone) => row("the manager is not there".to_owned(), gone),
                Ok(id) => match Account::of(directory, id) {
                    Some(manager) if manager.is_over(*at) => row(format!("the manager is {}", manager.state(*at)), manager.dn),
                    _ => {}
                },
            }
        }
        if let Some(hr) = hr {
            let names = texts(directory, account.node, &hr.attribute);
            if names.is_empty() {
                row(format!("no {}, so nobody can tell whether personnel knows them", hr.attribute), "-".to_owned());
            } else if !names.iter().any(|name| hr.known.contains(&name.to_lowercase())) {
                row("not in the personnel file".to_owned(), "-".to_owned());
            }
        }
    }
    Table::new(ReportKind::Orphaned, rows)
}

pub(super) fn service(reporting: &Reporting<'_>) -> Table {
    let Reporting { directory, at, .. } = reporting;
    let mut found = false;
    let accounts = Account::all(directory).filter(|account| account.kind != AccountKind::Person);
    let rows = accounts.map(|account| {
        let (owner, owner_state) = owner(directory, &account, *at);
        found |= (owner_state != "open" || account.is_used()) && !account.is_over(*at);
        let networks = texts(directory, account.node, "accountNetwork");
        vec![
            account.dn.clone(),
            account.kind_name().to_owned(),
            owner,
            owner_state.to_owned(),
            if networks.is_empty() { "-".to_owned() } else { networks.join(" ") },
            moment(account.facts.last_login),
            account.state(*at).to_owned(),
        ]
    });
    let rows = rows.collect();
    Table { found, ..Table::new(ReportKind::Service, rows) }
}

/// Who answers for an account, and whether that somebody is there still.
fn owner(directory: &Directory, account: &Account<'_>, at: Timestamp) -> (String, &'static str) {
    match references(directory, account.node, "accountOwner").into_iter().next() {
        None => (text(directory, account.node, "accountOwner").unwrap_or_else(|| "-".to_owned()), "missing"),
        Some(Err(gone)) => (gone, "gone"),
        Some(Ok(id)) => {
            let state = Account::of(directory, id).map_or("open", |owner| owner.state(at));
            (directory.dn_text(id), state)
        }
    }
}
