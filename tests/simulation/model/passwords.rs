//! Logins and passwords in the plain model.

use super::*;

impl Model {
    pub(super) fn new_password(&mut self, text: &str) -> Password {
        self.passwords += 1;
        Password { text: text.to_owned(), version: self.passwords }
    }

    pub(super) fn bind(&mut self, asked: &Asked, now: i64) -> Outcome {
        let Found::Account(refusal, account, version) = &asked.found else { panic!("a bind is looked at before") };
        if let Some(code) = refusal {
            return Err(*code);
        }
        let Some(number) = account else { return Ok(()) };
        let entry = self.entries.values_mut().find(|entry| entry.number == *number);
        let entry = entry.ok_or(ResultCode::InvalidCredentials)?;
        if entry.password.as_ref().map(|password| password.version) != *version {
            return Err(ResultCode::InvalidCredentials);
        }
        entry.last_login = Some(now);
        if entry.changed.is_some_and(|(_, by_other)| by_other) {
            self.restricted.insert((asked.session, asked.message));
        }
        self.stands_from_now_on(asked, *number);
        Ok(())
    }

    pub(super) fn set_password(&mut self, asked: &Asked, new: &str, now: i64) -> Outcome {
        let Found::Account(refusal, target, old) = &asked.found else { panic!("a password is looked at before") };
        if let Some(code) = refusal {
            return Err(*code);
        }
        let number = target.filter(|number| self.exists(*number)).ok_or(ResultCode::NoSuchObject)?;
        if asked.who != Who::Entry(number) || !self.exists(number) {
            self.check_administrator(asked.who)?;
        }
        let name = self.name_of(number).unwrap().clone();
        let Operation::SetPassword { old: old_text, .. } = &asked.operation else { return Ok(()) };
        let present = self.entries[&name].password.as_ref().map(|password| password.version);
        if old_text.is_some() && (old.is_none() || *old != present) {
            return Err(ResultCode::UnwillingToPerform);
        }
        self.check_reuse(asked, number, new)?;
        let password = self.new_password(new);
        let by = self.actor(asked.who);
        let entry = self.entries.get_mut(&name).unwrap();
        entry.password = Some(password);
        entry.changed = Some((now, asked.who != Who::Entry(number)));
        entry.modified = (now, by);
        Ok(())
    }

    /// Owners may not give themselves the password they have; 51 where it changed since it was looked at.
    pub(super) fn check_reuse(&self, asked: &Asked, number: Number, new: &str) -> Outcome {
        let present = self.entries.values().find(|entry| entry.number == number).and_then(|entry| entry.password.as_ref());
        match present.filter(|_| asked.who == Who::Entry(number)) {
            Some(present) if Some(present.version) != asked.own => Err(ResultCode::Busy),
            Some(present) if present.text == new => Err(ResultCode::ConstraintViolation),
            _ => Ok(()),
        }
    }
}
