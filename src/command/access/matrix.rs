//! Role by attribute: each cell is what the rules answer to as many questions.

use super::roles::{Column, Rules};
use crate::command::CommandError;
use crate::command::policy::Asked;
use crate::operation::explain::Question;
use crate::operation::policy_test::{AccessTest, MOST_LOGINS, PolicyTest};
use crate::policy::access::Right;

/// What can be done with an attribute, and with an entry.
const OF_ATTRIBUTES: [Right; 6] =
    [Right::Search, Right::Compare, Right::Read, Right::AddValue, Right::DeleteValue, Right::Replace];
const OF_ENTRIES: [Right; 7] =
    [Right::Create, Right::Delete, Right::Rename, Right::MoveIn, Right::MoveOut, Right::SetPassword, Right::Proxy];

/// What the roles may do.
pub(super) struct Matrix {
    roles: Vec<String>,
    columns: Vec<Column>,
    /// Of each role, of each column.
    rights: Vec<Vec<Vec<Right>>>,
}

impl Matrix {
    /// Asks all questions.
    pub(super) fn ask(
        asked: &mut Asked,
        rules: &Rules,
        columns: Vec<Column>,
        from: Option<&str>,
        factors: &[String],
    ) -> Result<Matrix, CommandError> {
        let mut questions = Vec::new();
        for role in &rules.roles {
            for column in &columns {
                questions.extend(rights_of(column).iter().map(|right| Question {
                    who: role.who.clone(),
                    right: right.name().to_owned(),
                    target: rules.target.clone(),
                    attribute: column.attribute.clone(),
                    from: from.map(str::to_owned),
                    factors: factors.to_vec(),
                }));
            }
        }
        let mut answers = Vec::with_capacity(questions.len());
        for some in questions.chunks(MOST_LOGINS) {
            let access = some.iter().map(|question| AccessTest { question: question.clone(), at: None }).collect();
            let test = PolicyTest { entries: rules.entries.clone(), at: None, logins: Vec::new(), access };
            answers.extend(asked.ask(&test)?.access.into_iter().map(|explanation| explanation.allowed));
        }
        let mut answers = answers.into_iter();
        let mut cell = |column: &Column| rights_of(column).iter().copied().filter(|_| answers.next() == Some(true)).collect();
        let rights = rules.roles.iter().map(|_| columns.iter().map(&mut cell).collect()).collect();
        Ok(Matrix { roles: rules.roles.iter().map(|role| role.label.clone()).collect(), columns, rights })
    }

    /// A line of names, and one for each attribute.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let head = std::iter::once("attribute".to_owned()).chain(self.roles.iter().cloned()).collect();
        let row = |(place, column): (usize, &Column)| {
            let cells = self.rights.iter().map(|of_role| of_role.get(place).map(|rights| letters(rights)).unwrap_or_default());
            std::iter::once(column.label.clone()).chain(cells).collect()
        };
        std::iter::once(head).chain(self.columns.iter().enumerate().map(row)).collect()
    }

    /// Role, attribute, rights.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&str, &str, Vec<&'static str>)> {
        self.roles.iter().zip(&self.rights).flat_map(|(role, of_role)| {
            self.columns.iter().zip(of_role).map(move |(column, rights)| {
                (role.as_str(), column.label.as_str(), rights.iter().map(|right| right.name()).collect())
            })
        })
    }

    /// What the letters mean, and what stands for what.
    pub(super) fn legend(&self) -> Vec<String> {
        let of = |rights: &[Right]| -> String {
            rights.iter().map(|right| format!("{} {}", letter(*right), right.name())).collect::<Vec<_>>().join(", ")
        };
        let mut legend = vec![format!("{}; of the entry: {}.", of(&OF_ATTRIBUTES), of(&OF_ENTRIES))];
        let stands = |column: &Column| {
            let name = column.attribute.as_ref().filter(|name| **name != column.label)?;
            Some(format!("{name} stands for {}", column.label.trim_matches(['(', ')'])))
        };
        let standing: Vec<String> = self.columns.iter().filter_map(stands).collect();
        if !standing.is_empty() {
            legend.push(format!("{}.", standing.join(", ")));
        }
        legend
    }
}

fn rights_of(column: &Column) -> &'static [Right] {
    if column.attribute.is_some() { &OF_ATTRIBUTES } else { &OF_ENTRIES }
}

fn letters(rights: &[Right]) -> String {
    if rights.is_empty() { "-".to_owned() } else { rights.iter().map(|right| letter(*right)).collect() }
}

/// Each has its own.
fn letter(right: Right) -> char {
    match right {
        Right::Search => 's',
        Right::Compare => 'c',
        Right::Read => 'r',
        Right::AddValue => 'a',
        Right::DeleteValue => 'd',
        Right::Replace => 'w',
        Right::Create => 'N',
        Right::Delete => 'D',
        Right::Rename => 'R',
        Right::MoveIn => 'I',
        Right::MoveOut => 'O',
        Right::SetPassword => 'P',
        Right::Proxy => 'X',
        Right::ReadAudit => 'A',
    }
}
