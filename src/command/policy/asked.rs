//! The decisions of an installation, its server's where one runs.

use crate::command::installation::{OfflineInstallation, server_socket};
use crate::command::{CommandError, Installation};
use crate::operation::policy_test::{self, Outcomes, PolicyTest};
use crate::protocol::oid;
use crate::wire::client::{ClientError, LocalClient};

/// Whose decisions are asked for.
pub(in crate::command) enum Asked {
    Running(LocalClient),
    Stopped(Box<OfflineInstallation>),
}

impl Asked {
    pub(in crate::command) fn open(installation: &Installation) -> Result<Asked, CommandError> {
        match server_socket(installation)? {
            Some((socket, _)) => {
                let client = LocalClient::connect(&socket).map_err(|error| CommandError::Cannot(error.to_string()))?;
                Ok(Asked::Running(client))
            }
            None => Ok(Asked::Stopped(Box::new(OfflineInstallation::open_without_indexes(installation)?))),
        }
    }

    pub(in crate::command) fn ask(&mut self, test: &PolicyTest) -> Result<Outcomes, CommandError> {
        match self {
            Asked::Running(client) => {
                let value = serde_json::to_vec(test).map_err(|error| CommandError::Cannot(error.to_string()))?;
                let answer = client.extended_with(oid::POLICY_TEST, Some(value)).map_err(|error| match error {
                    ClientError::Refused { code, text } if code == "UnwillingToPerform" => CommandError::Cannot(text),
                    ClientError::Refused { code, .. } if code == "InsufficentAccessRights" => CommandError::Cannot(
                        "only root, the server's own user and local users who are administrators may ask".to_owned(),
                    ),
                    error => CommandError::Cannot(error.to_string()),
                })?;
                serde_json::from_slice(&answer).map_err(|error| {
                    CommandError::Cannot(format!("the server's answer cannot be read: {error}; is it of another version?"))
                })
            }
            Asked::Stopped(offline) => {
                let context = offline.context_now();
                policy_test::run(offline.committer().head(), &context, test).map_err(|error| CommandError::Cannot(error.0))
            }
        }
    }

    pub(in crate::command) fn close(self) {
        if let Asked::Stopped(offline) = self {
            offline.close();
        }
    }
}
