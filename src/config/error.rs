//! What is wrong with a configuration: file, line, key, and what to write instead.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Why a configuration is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationError {
    /// The configuration file, or another that it names.
    pub file: PathBuf,
    /// Line, from 1; none where the file as a whole is meant.
    pub line: Option<usize>,
    /// The key, with its tables: `limits.size`.
    pub key: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to write or do instead.
    pub remedy: String,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for ConfigurationError {}

/// The file being read, to say where something stands.
pub(super) struct Source<'a> {
    pub(super) file: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// An error at a place of the file.
    pub(super) fn error(
        &self,
        span: Range<usize>,
        key: impl Into<String>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> ConfigurationError {
        ConfigurationError {
            file: self.file.to_path_buf(),
            line: Some(self.line(span.start)),
            key: Some(key.into()),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// An error about something that is not in the file.
    pub(super) fn missing(&self, key: &str, remedy: impl Into<String>) -> ConfigurationError {
        ConfigurationError {
            file: self.file.to_path_buf(),
            line: None,
            key: Some(key.to_owned()),
            problem: "is missing".to_owned(),
            remedy: remedy.into(),
        }
    }

    /// What the TOML reader says.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigurationError {
        let start = error.span().map(|span| span.start);
        let message = error.message().trim().replace('\n', ", ").replace("i64", "a whole number");
        let remedy = match &message {
            unknown if unknown.starts_with("unknown field") => "correct its spelling or remove it",
            kind if kind.starts_with("invalid type") => "write a value of that kind",
            _ => "correct the line; https://toml.io describes how values are written",
        };
        ConfigurationError {
            file: self.file.to_path_buf(),
            line: start.map(|start| self.line(start)),
            key: start.and_then(|start| self.key_at(start)),
            problem: message,
            remedy: remedy.to_owned(),
        }
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1
    }

    /// The key whose line holds an offset, after the table that it stands in.
    fn key_at(&self, offset: usize) -> Option<String> {
        let line = self.line(offset);
        let before = || self.text.lines().take(line);
        let table = before().filter_map(|line| line.trim().strip_prefix('[')).last().and_then(|header| {
            let name = header.trim_start_matches('[').split(']').next()?.trim();
            (!name.is_empty()).then(|| name.to_owned())
        });
        let current = before().last()?.trim();
        let key = match current.split_once('=') {
            Some((key, _)) if !current.starts_with(['[', '#']) => Some(key.trim().to_owned()),
            _ => None,
        };
        match (table, key) {
            (Some(table), Some(key)) => Some(format!("{table}.{key}")),
            (table, key) => key.or(table),
        }
    }
}
