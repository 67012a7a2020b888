//! Entries that come, change, move and go in the plain model.

use super::*;

impl Model {
    pub(super) fn add(
        &mut self,
        asked: &Asked,
        name: &str,
        attributes: &[(&'static str, Vec<String>)],
        password: Option<&str>,
        flaw: Option<Flaw>,
        now: i64,
    ) -> Outcome {
        self.check_writer(asked)?;
        let key = normalized(name);
        if self.entries.contains_key(&key) {
            return Err(ResultCode::EntryAlreadyExists);
        }
        if key != SUFFIX && !self.entries.contains_key(parent(&key)) {
            return Err(ResultCode::NoSuchObject);
        }
        self.check_administrator(asked.who)?;
        match flaw {
            Some(Flaw::UndefinedAttribute) => return Err(ResultCode::UndefinedAttributeType),
            Some(Flaw::BadSyntax) => return Err(ResultCode::InvalidAttributeSyntax),
            _ => {}
        }
        if password.is_some() && asked.found != Found::Hashed(true) {
            return Err(ResultCode::AdminLimitExceeded);
        }
        if flaw == Some(Flaw::MissingAttribute) {
            return Err(ResultCode::ObjectClassViolation);
        }
        self.last_number += 1;
        let by = self.actor(asked.who);
        let rdn = if key == SUFFIX { SUFFIX } else { name.split(',').next().unwrap() };
        let mut entry = Entry {
            number: self.last_number,
            rdn: rdn.to_owned(),
            attributes: BTreeMap::new(),
            references: BTreeMap::new(),
            password: password.map(|text| self.new_password(text)),
            changed: password.filter(|_| asked.who != Who::Installation).map(|_| (now, true)),
            last_login: None,
            uuid: asked.uuid.clone(),
            class: structural(attributes),
            created: (now, by.clone()),
            modified: (now, by.clone()),
        };
        for (attribute, values) in attributes {
            if is_reference(attribute) {
                for value in values {
                    let reference = Reference { since: now, by: by.clone(), spelled: value.clone() };
                    entry.references.insert(((*attribute).to_owned(), self.resolve(value)), reference);
                }
            } else {
                entry.put_values(attribute, values);
            }
        }
        entry.put_rdn_value(rdn.split(',').next().unwrap());
        self.entries.insert(key.clone(), entry);
        self.settle(asked, Some(&key), now);
        Ok(())
    }

    pub(super) fn modify(&mut self, asked: &Asked, name: &str, edits: &[Edit], now: i64) -> Outcome {
        let only_password = edits.iter().all(|edit| edit.attribute == "userPassword");
        if only_password {
            self.check_known(asked.who)?
        } else {
            self.check_writer(asked)?
        }
        let key = normalized(name);
        let number = self.entries.get(&key).ok_or(ResultCode::NoSuchObject)?.number;
        if !only_password || asked.who != Who::Entry(number) {
            self.check_administrator(asked.who)?;
        }
        for edit in edits {
            self.check_edit(asked, edit)?;
        }
        for new in edits.iter().filter(|edit| edit.attribute == "userPassword").filter_map(|edit| edit.values.first()) {
            self.check_reuse(asked, number, new)?;
        }
        let before = self.entries[&key].references.clone();
        for edit in edits {
            self.edit(&key, edit, asked.who, now)?;
        }
        // What is taken out and put back by one request was never gone.
        for (key, reference) in &mut self.entries.get_mut(&key).unwrap().references {
            if let Some(before) = before.get(key) {
                *reference = before.clone();
            }
        }
        let by = self.actor(asked.who);
        let entry = self.entries.get_mut(&key).unwrap();
        entry.check()?;
        entry.modified = (now, by);
        Ok(())
    }

    pub(super) fn check_edit(&self, asked: &Asked, edit: &Edit) -> Outcome {
        match edit.attribute {
            "zork" => Err(ResultCode::UndefinedAttributeType),
            "createTimestamp" => Err(ResultCode::ConstraintViolation),
            "userPassword" if !edit.values.is_empty() && asked.found != Found::Hashed(true) => {
                Err(ResultCode::AdminLimitExceeded)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn edit(&mut self, key: &str, edit: &Edit, who: Who, now: i64) -> Outcome {
        if edit.attribute == "userPassword" {
            let password = edit.values.first().map(|text| self.new_password(text));
            let entry = self.entries.get_mut(key).unwrap();
            if edit.how == ModificationOperation::Delete && entry.password.is_none() {
                return Err(ResultCode::NoSuchAttribute);
            }
            let by_other = who != Who::Entry(entry.number);
            entry.changed = password.as_ref().map(|_| (now, by_other));
            entry.password = password;
            return Ok(());
        }
        if is_reference(edit.attribute) {
            return self.edit_references(key, edit, who, now);
        }
        let entry = self.entries.get_mut(key).unwrap();
        let values = entry.attributes.entry(edit.attribute.to_owned()).or_default();
        match edit.how {
            ModificationOperation::Replace => *values = lower(&edit.values),
            ModificationOperation::Add => {
                for value in &edit.values {
                    if values.insert(value.to_lowercase(), value.clone()).is_some() {
                        return Err(ResultCode::AttributeOrValueExists);
                    }
                }
            }
            _ if values.is_empty() => return Err(ResultCode::NoSuchAttribute),
            _ if edit.values.is_empty() => values.clear(),
            _ => {
                for value in &edit.values {
                    values.remove(&value.to_lowercase()).ok_or(ResultCode::NoSuchAttribute)?;
                }
            }
        }
        entry.attributes.retain(|_, values| !values.is_empty());
        Ok(())
    }

    pub(super) fn edit_references(&mut self, key: &str, edit: &Edit, who: Who, now: i64) -> Outcome {
        let by = self.actor(who);
        let targets: Vec<(Target, String)> = edit.values.iter().map(|value| (self.resolve(value), value.clone())).collect();
        if targets.iter().map(|(target, _)| target).collect::<BTreeSet<_>>().len() < targets.len() {
            return Err(ResultCode::AttributeOrValueExists);
        }
        let all = &mut self.entries.get_mut(key).unwrap().references;
        let named = |target: Target| (edit.attribute.to_owned(), target);
        let new = |spelled: String| Reference { since: now, by: by.clone(), spelled };
        match edit.how {
            ModificationOperation::Add => {
                for (target, spelled) in targets {
                    if all.insert(named(target), new(spelled)).is_some() {
                        return Err(ResultCode::AttributeOrValueExists);
                    }
                }
            }
            ModificationOperation::Replace => {
                let wanted: BTreeSet<Target> = targets.iter().map(|(target, _)| target.clone()).collect();
                all.retain(|(attribute, target), _| attribute != edit.attribute || wanted.contains(target));
                for (target, spelled) in targets {
                    all.entry(named(target)).or_insert_with(|| new(spelled));
                }
            }
            _ if !all.keys().any(|(attribute, _)| attribute == edit.attribute) => return Err(ResultCode::NoSuchAttribute),
            _ if targets.is_empty() => all.retain(|(attribute, _), _| attribute != edit.attribute),
            _ => {
                for (target, _) in targets {
                    all.remove(&named(target)).ok_or(ResultCode::NoSuchAttribute)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn delete(&mut self, asked: &Asked, name: &str, tree: bool, now: i64) -> Outcome {
        self.check_writer(asked)?;
        let key = normalized(name);
        if !self.entries.contains_key(&key) {
            return Err(ResultCode::NoSuchObject);
        }
        self.check_administrator(asked.who)?;
        let by = self.actor(asked.who);
        let gone: Vec<String> = self.entries.keys().filter(|name| is_within(name, &key)).cloned().collect();
        if gone.len() > 1 && !tree {
            return Err(ResultCode::NotAllowedOnNonLeaf);
        }
        let gone: Vec<Number> = gone.iter().filter_map(|name| self.entries.remove(name)).map(|entry| entry.number).collect();
        for entry in self.entries.values_mut() {
            let before = entry.references.len();
            entry.references.retain(|(_, target), _| !matches!(target, Target::Entry(number) if gone.contains(number)));
            if entry.references.len() < before {
                entry.modified = (now, by.clone());
            }
        }
        Ok(())
    }

    pub(super) fn rename(
        &mut self,
        asked: &Asked,
        name: &str,
        rdn: &str,
        delete_old: bool,
        superior: Option<&str>,
        now: i64,
    ) -> Outcome {
        self.check_writer(asked)?;
        let old = normalized(name);
        if !self.entries.contains_key(&old) {
            return Err(ResultCode::NoSuchObject);
        }
        self.check_administrator(asked.who)?;
        let above = match superior {
            Some(superior) if !self.entries.contains_key(&normalized(superior)) => return Err(ResultCode::NoSuchObject),
            Some(superior) if is_within(&normalized(superior), &old) => return Err(ResultCode::UnwillingToPerform),
            Some(superior) => normalized(superior),
            None => parent(&old).to_owned(),
        };
        let new = format!("{},{above}", rdn.to_lowercase());
        if new != old && self.entries.contains_key(&new) {
            return Err(ResultCode::EntryAlreadyExists);
        }
        let by = self.actor(asked.who);
        let moved: Vec<String> = self.entries.keys().filter(|name| is_within(name, &old)).cloned().collect();
        let numbers: BTreeSet<Number> = moved.iter().map(|name| self.entries[name].number).collect();
        for entry in self.entries.values_mut() {
            if entry.references.keys().any(|(_, target)| matches!(target, Target::Entry(number) if numbers.contains(number))) {
                entry.modified = (now, by.clone());
            }
        }
        let taken: Vec<(String, Entry)> = moved.into_iter().filter_map(|name| self.entries.remove_entry(&name)).collect();
        for (name, mut entry) in taken {
            if name == old {
                if delete_old {
                    entry.drop_rdn_value();
                }
                entry.rdn = rdn.to_owned();
                entry.put_rdn_value(rdn);
                entry.modified = (now, by.clone());
            }
            let front = name.strip_suffix(&old).unwrap().to_owned();
            self.entries.insert(format!("{front}{new}"), entry);
        }
        self.settle(asked, Some(&new), now);
        Ok(())
    }
}
