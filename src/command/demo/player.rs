//! Plays the story against the running server, as clients of it: over LDAPS, with passwords and codes, from the addresses that it names.

use std::collections::HashMap;
use std::path::PathBuf;

use super::login::{Login, NewToken, new_password};
use super::story::{Session, Story, filled};
use super::{SUFFIX, uid_of};
use crate::config::PeerSettings;
use crate::model::ldif::{LdifBody, LdifReader, LdifRecord};
use crate::model::{Attribute, Modification, ModificationOperation, Secret, Timestamp, Value};
use crate::server::caller;
use crate::server::world::SystemClock;
use crate::wire::client::{ClientError, LocalClient};
use crate::world::Clock as _;

/// Who plays everybody.
pub(super) struct Player<'m> {
    settings: PeerSettings,
    logins: &'m [Login],
    /// By name.
    tokens: &'m HashMap<String, NewToken>,
}

impl<'m> Player<'m> {
    /// One who reaches the server at this port of loopback, and has everybody's passwords and tokens.
    pub(super) fn new(port: u16, certificate: PathBuf, logins: &'m [Login], tokens: &'m HashMap<String, NewToken>) -> Player<'m> {
        let host = "localhost".to_owned();
        let settings = PeerSettings { server_name: host.clone(), host, port, authorities: certificate, identity: None };
        Player { settings, logins, tokens }
    }

    /// Plays all of it; what does not end as the story says ends it.
    pub(super) fn play(&self, story: &Story) -> Result<(), String> {
        story.sessions.iter().try_for_each(|session| self.session(session).map_err(|error| format!("{}: {error}", session.what)))
    }

    fn session(&self, session: &Session) -> Result<(), String> {
        if session.wrong > 0 {
            let mut tries = (0..session.wrong).map(|_| self.log_in(session, &Secret::new(new_password().into_bytes())));
            return tries.try_for_each(|tried| expect(tried.map(drop), session.refused.as_deref()));
        }
        let mut client = self.log_in(session, &self.password(&session.who)?).map_err(|error| error.to_string())?;
        let text = filled(&session.ldif, SUFFIX, SystemClock::new().now(), Timestamp::to_generalized_time);
        let records = LdifReader::new(text.as_bytes()).collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        let count = records.len();
        for (number, record) in (1..).zip(records) {
            let name = String::from_utf8_lossy(&record.dn).into_owned();
            let refused = session.refused.as_deref().filter(|_| number == count);
            expect(change(&mut client, record), refused).map_err(|error| format!("{name}: {error}"))?;
        }
        if let Some(base) = &session.read {
            read(&mut client, &with_suffix(base), session.finds)?;
        }
        review(&mut client, session)
    }

    fn log_in(&self, session: &Session, password: &Secret) -> Result<LocalClient, ClientError> {
        let mut client = LocalClient::over(caller::call(&self.settings, session.from)?);
        client.bind(&self.name(&session.who), password)?;
        Ok(client)
    }

    /// The whole name of a uid.
    fn name(&self, who: &str) -> String {
        let login = self.logins.iter().find(|login| uid_of(&login.dn) == Some(who));
        login.map_or_else(|| with_suffix(who), |login| login.dn.clone())
    }

    fn password(&self, who: &str) -> Result<Secret, String> {
        let name = self.name(who);
        let login = self.logins.iter().find(|login| login.dn == name).ok_or_else(|| format!("{name} has no password"))?;
        let password = login.password.as_str();
        match self.tokens.get(&name) {
            Some(token) => token.behind(password, SystemClock::new().now()).ok_or_else(|| format!("{name}: no code can be made")),
            None => Ok(Secret::from(password.as_bytes())),
        }
    }
}

fn with_suffix(text: &str) -> String {
    text.replace("{suffix}", SUFFIX)
}

/// An answer is what the story says: success, or this refusal.
fn expect(answer: Result<(), ClientError>, refused: Option<&str>) -> Result<(), String> {
    match (answer, refused) {
        (Ok(()), None) => Ok(()),
        (Err(ClientError::Refused { code, .. }), Some(wanted)) if code == wanted => Ok(()),
        (Ok(()), Some(wanted)) => Err(format!("should be refused with {wanted}")),
        (Err(error), _) => Err(error.to_string()),
    }
}

fn change(client: &mut LocalClient, record: LdifRecord) -> Result<(), ClientError> {
    let name = String::from_utf8_lossy(&record.dn).into_owned();
    match record.body {
        LdifBody::Add(attributes) => client.add(&name, attributes, None),
        LdifBody::Modify(changes) => client.modify(&name, changes),
        LdifBody::Delete | LdifBody::Rename { .. } => Err(std::io::Error::other("the story neither deletes nor renames").into()),
    }
}

fn read(client: &mut LocalClient, base: &str, wanted: usize) -> Result<(), String> {
    let mut found = 0_usize;
    let read = client.read_subtree(base, &["*"], &mut |_| {
        found = found.saturating_add(1);
        Ok(())
    });
    read.map_err(|error| error.to_string())?;
    if found == wanted { Ok(()) } else { Err(format!("{found} entries, not {wanted}")) }
}

/// Decides about people's items of a campaign.
fn review(client: &mut LocalClient, session: &Session) -> Result<(), String> {
    if session.campaign.is_empty() {
        return Ok(());
    }
    let mut items = Vec::new();
    let read = client.read_subtree(&with_suffix(&session.campaign), &["reviewMember"], &mut |entry| {
        items.push(entry);
        Ok(())
    });
    read.map_err(|error| error.to_string())?;
    for (uids, decision) in [(&session.confirm, "confirm"), (&session.revoke, "revoke")] {
        for uid in uids {
            let name = format!("uid={uid},");
            let is_theirs = |value: &Value| value.starts_with(name.as_bytes());
            let item = items.iter().find(|item| item.attributes.iter().flat_map(|it| &it.values).any(is_theirs));
            let item = item.ok_or_else(|| format!("{uid} has nothing to be reviewed"))?;
            let attribute = Attribute { description: "reviewDecision".to_owned(), values: vec![Value::from(decision)] };
            let decided = Modification { operation: ModificationOperation::Add, attribute };
            client.modify(&item.dn, vec![decided]).map_err(|error| format!("{}: {error}", item.dn))?;
        }
    }
    Ok(())
}
