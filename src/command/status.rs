//! `bindery status`: how the running server is.

use std::process::ExitCode;

use clap::Args;

use super::installation::server_socket;
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::operation::monitor::{HealthLevel, MONITOR};
use crate::wire::client::LocalClient;

/// Arguments of `bindery status`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which installation.
    #[command(flatten)]
    pub installation: Installation,
}

/// Prints `cn=monitor`: one line each, the health first. It asks without binding, because on a full disk nobody can bind.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let Some((socket, _)) = server_socket(&arguments.installation)? else {
        return Err(CommandError::Cannot("the server does not run; start it with: bindery serve".to_owned()));
    };
    let cannot = |error: &dyn std::fmt::Display| CommandError::Cannot(format!("{MONITOR}: {error}"));
    let mut lines = Vec::new();
    let mut client = LocalClient::connect_unbound(&socket).map_err(|error| cannot(&error))?;
    let read = client.read_subtree(MONITOR, &["+"], &mut |entry| {
        for attribute in entry.attributes {
            let Some(name) = attribute.description.strip_prefix("monitor").filter(|name| !name.is_empty()) else { continue };
            let values = attribute.values.iter().map(|value| String::from_utf8_lossy(value).into_owned());
            lines.extend(values.map(|value| (words(name), value)));
        }
        Ok(())
    });
    read.map_err(|error| match error {
        crate::wire::client::ClientError::Refused { code, .. } if code == "NoSuchObject" => {
            cannot(&"only root, the server's own user and local users who are administrators may read it")
        }
        other => cannot(&other),
    })?;
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in &lines {
        output::line(format_args!("{name:width$}  {value}"))?;
    }
    Ok(if is_well(&lines) { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

/// A server that does not say how it is is not well.
fn is_well(lines: &[(String, String)]) -> bool {
    lines.iter().any(|(name, value)| name == "health" && value == HealthLevel::Green.name())
}

/// `CheckpointLag` → `checkpoint lag`
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_green_is_well() {
        let said =
            |level: HealthLevel| vec![(words("DurableSequence"), "7".to_owned()), (words("Health"), level.name().to_owned())];
        assert!(is_well(&said(HealthLevel::Green)));
        assert!(!is_well(&said(HealthLevel::Yellow)));
        assert!(!is_well(&said(HealthLevel::Red)));
        assert!(!is_well(&[("durable sequence".to_owned(), "7".to_owned())]));
    }
}
