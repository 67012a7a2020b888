//! `bindery explain`: whether somebody has a right, and which access rules say so.

use std::process::ExitCode;

use clap::Args;

use super::format::{Format, csv_line};
use super::installation::{OfflineInstallation, server_socket};
use super::{CommandError, FOUND_SOMETHING, Installation, output};
use crate::operation::explain::{self, Explanation, Question};
use crate::protocol::oid;
use crate::wire::client::{ClientError, LocalClient};

/// Arguments of `bindery explain`.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Who asks: a name, a uid, or anonymous
    #[arg(long, value_name = "WHO")]
    who: String,
    /// What for: search, compare, read, add-value, delete-value, replace, create, delete, rename, move-in, move-out, set-password, proxy or
    /// read-audit
    #[arg(long, value_name = "RIGHT")]
    right: String,
    /// On which entry
    #[arg(long, value_name = "DN")]
    target: String,
    /// On which of its attributes; without, on the entry itself
    #[arg(long, value_name = "NAME")]
    attribute: Option<String>,
    /// The address that who asks comes from [default: loopback]
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// What was proven: password, otp, certificate or ldapi; more than once for several [default: password]
    #[arg(long, value_name = "FACTOR")]
    factor: Vec<String>,
    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Which installation.
    #[command(flatten)]
    installation: Installation,
}

/// Runs it: 0 for yes, 1 for no.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let question = Question {
        who: arguments.who.clone(),
        right: arguments.right.clone(),
        target: arguments.target.clone(),
        attribute: arguments.attribute.clone(),
        from: arguments.from.clone(),
        factors: arguments.factor.clone(),
    };
    let explanation = ask(&arguments.installation, &question)?;
    print(&question, &explanation, arguments.format)?;
    Ok(if explanation.allowed { ExitCode::SUCCESS } else { ExitCode::from(FOUND_SOMETHING) })
}

fn print(question: &Question, explanation: &Explanation, format: Format) -> Result<(), CommandError> {
    let answer = if explanation.allowed { "yes" } else { "no" };
    match format {
        Format::Table => {
            let what = question.attribute.as_ref().map(|name| format!(" {name} of")).unwrap_or_default();
            output::line(format_args!("{answer}: {}: {}{what} {}", explanation.who, question.right, explanation.target))?;
            let said = if explanation.allowed { "allowed" } else { "denied" };
            for rule in &explanation.rules {
                output::line(format_args!("  {said} by {rule}"))?;
            }
            explanation.because.iter().try_for_each(|because| output::line(format_args!("  {because}")))
        }
        Format::Csv => {
            let attribute = question.attribute.as_deref().unwrap_or_default();
            let (rules, because) = (explanation.rules.join(";"), explanation.because.as_deref().unwrap_or_default());
            output::octets(csv_line(["answer", "who", "right", "attribute", "target", "rules", "because"]).as_bytes())?;
            let fields = [answer, &explanation.who, &question.right, attribute, &explanation.target, &rules, because];
            output::octets(csv_line(fields).as_bytes())
        }
        Format::Jsonl => {
            let line = serde_json::to_string(explanation).map_err(|error| CommandError::Cannot(error.to_string()))?;
            output::line(line)
        }
    }
}

fn ask(installation: &Installation, question: &Question) -> Result<Explanation, CommandError> {
    let Some((socket, _)) = server_socket(installation)? else {
        let mut offline = OfflineInstallation::open_without_indexes(installation)?;
        let context = offline.context_now();
        let explained = explain::explain(offline.committer().head(), &context, question);
        offline.close();
        return explained.map_err(|error| CommandError::Cannot(error.0));
    };
    let mut client = LocalClient::connect(&socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let value = serde_json::to_vec(question).map_err(|error| CommandError::Cannot(error.to_string()))?;
    let answer = client.extended_with(oid::EXPLAIN, Some(value)).map_err(|error| match error {
        ClientError::Refused { code, text } if code == "UnwillingToPerform" => CommandError::Cannot(text),
        ClientError::Refused { code, .. } if code == "InsufficentAccessRights" => {
            CommandError::Cannot("only who may read the access rules may ask what they come to".to_owned())
        }
        error => CommandError::Cannot(error.to_string()),
    })?;
    serde_json::from_slice(&answer)
        .map_err(|error| CommandError::Cannot(format!("the server's answer cannot be read: {error}; is it of another version?")))
}
