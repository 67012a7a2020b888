//! What the model says at once of what a client asked: what a look at the present value finds, and what the client will be told.

use bindery::model::ResultCode;

use crate::ask::Operation;
use crate::client::{self, Client, Due, Transaction};
use crate::model::{Asked, Found, Model, Who};

/// What a request is found to be when it comes in, on the published value.
pub(crate) fn found(model: &Model, operation: &Operation, who: Who, in_transaction: bool) -> Found {
    match operation {
        Operation::Add { password: Some(_), .. } => Found::Hashed(model.is_administrator(who)),
        Operation::Modify { name, edits }
            if edits.iter().any(|edit| edit.attribute == "userPassword" && !edit.values.is_empty()) =>
        {
            let administrator = model.is_administrator(who);
            Found::Hashed(match model.find(name) {
                Some(entry) => administrator || (model.is_known(who) && who == Who::Entry(entry.number)),
                None => administrator && in_transaction,
            })
        }
        Operation::SetPassword { name, old, .. } => password_target(model, who, name.as_deref(), old.as_deref()),
        _ => Found::Nothing,
    }
}

fn password_target(model: &Model, who: Who, name: Option<&str>, old: Option<&str>) -> Found {
    let refused = |code| Found::Account(Some(code), None, None);
    let Who::Entry(own) = who else { return refused(ResultCode::StrongerAuthRequired) };
    if !model.exists(own) {
        return refused(ResultCode::StrongerAuthRequired);
    }
    let target = match name {
        None => Some(own),
        Some(name) => model.find(name).map(|entry| entry.number),
    };
    let Some(target) = target else { return refused(ResultCode::NoSuchObject) };
    if target != own && !model.is_administrator(who) {
        return refused(model.refusal_about(target));
    }
    let password = model.entries.values().find(|entry| entry.number == target).and_then(|entry| entry.password.as_ref());
    let right = password.filter(|password| old == Some(password.text.as_str()));
    Found::Account(None, Some(target), right.map(|password| password.version))
}

/// What a bind is found to be when it is begun.
pub(crate) fn looked_at(model: &Model, operation: &Operation) -> Found {
    let refused = |code| Found::Account(Some(code), None, None);
    let Operation::Bind { name, password } = operation else { return Found::Nothing };
    match (name.as_str(), password.as_str()) {
        ("no name", _) => refused(ResultCode::InvalidDnSyntax),
        ("", "") => Found::Account(None, None, None),
        (_, "") => refused(ResultCode::UnwillingToPerform),
        _ => {
            let entry = model.find(name);
            let right = entry.and_then(|entry| entry.password.as_ref()).filter(|stored| stored.text == *password);
            match (entry, right) {
                (Some(entry), Some(stored)) => Found::Account(None, Some(entry.number), Some(stored.version)),
                _ => refused(ResultCode::InvalidCredentials),
            }
        }
    }
}

/// What can be said at once of what the client will be told.
pub(crate) fn due(model: &Model, client: &mut Client, asked: &mut Asked, in_transaction: bool) -> Due {
    let known = model.is_known(client.who);
    let restricted = model.is_restricted(client.who, asked.restricted);
    let code = |code: ResultCode| Due::Code(code.number());
    if in_transaction && asked.operation.is_change() {
        let step = asked.clone();
        if let Some(transaction) = &mut client.transaction {
            transaction.steps.push(step);
        }
        return code(ResultCode::Success);
    }
    match &asked.operation {
        Operation::Malformed(kind) if *kind != bindery::protocol::ResponseKind::Bind => code(ResultCode::ProtocolError),
        Operation::Compare { .. } | Operation::Search { .. } if !known => Due::Any,
        Operation::Compare { .. } | Operation::Search { .. } | Operation::StartTransaction if restricted => {
            code(ResultCode::InsufficientAccessRights)
        }
        // What people may compare of others is the access rules' matter, which has tests of its own.
        Operation::Compare { .. } if !model.is_administrator(client.who) => Due::Any,
        Operation::Compare { name, attribute, value } => code(client::compared(model, name, attribute, value)),
        Operation::Search { base, .. } => {
            let is_seen =
                |found: u32| model.is_administrator(client.who) || model.refusal_about(found) != ResultCode::NoSuchObject;
            let there = model.find(base).is_some_and(|entry| is_seen(entry.number));
            code(if there { ResultCode::Success } else { ResultCode::NoSuchObject })
        }
        Operation::StartTransaction if !known => code(ResultCode::StrongerAuthRequired),
        Operation::StartTransaction => {
            client.transactions += 1;
            client.transaction = Some(Transaction { identifier: client.transactions.to_string(), steps: Vec::new() });
            code(ResultCode::Success)
        }
        Operation::EndTransaction { commit } => {
            let steps = client.transaction.take().map(|transaction| transaction.steps).unwrap_or_default();
            if !commit || steps.is_empty() {
                return code(ResultCode::Success);
            }
            asked.steps = steps;
            Due::Later
        }
        _ => Due::Later,
    }
}
