//! `bindery init`: makes a new installation.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::CommandError;

/// Arguments of `bindery init`.
#[derive(Args, Clone, Debug, Default)]
pub struct Arguments {
    /// Where the installation goes: absent or empty
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The name everything is below: dc=hospital,dc=example
    #[arg(long, value_name = "DN")]
    pub suffix: String,
    /// File whose first line is the password of cn=admin,SUFFIX
    #[arg(long, value_name = "FILE")]
    pub admin_password_file: PathBuf,
    /// Address for LDAP with StartTLS; port 0 lets the system choose [default: 127.0.0.1:389]
    #[arg(long, value_name = "ADDR")]
    pub ldap: Option<String>,
    /// Address for LDAP over TLS [default: 127.0.0.1:636]
    #[arg(long, value_name = "ADDR")]
    pub ldaps: Option<String>,
    /// Unix socket [default: DIR/ldapi]
    #[arg(long, value_name = "PATH")]
    pub ldapi: Option<PathBuf>,
    /// Folder for the keys [default: DIR/keys]
    #[arg(long, value_name = "PATH")]
    pub keys: Option<PathBuf>,
    /// Certificate chain, leaf first [default: a self-signed one is made]
    #[arg(long, value_name = "PEM", requires = "certificate_key")]
    pub certificate: Option<PathBuf>,
    /// The certificate's private key
    #[arg(long, value_name = "PEM", requires = "certificate")]
    pub certificate_key: Option<PathBuf>,
    /// Allow something unsafe, with a reason, an owner and an end
    #[arg(long = "waive", value_name = "NAME")]
    pub waivers: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub waiver_reason: Option<String>,
    /// Who answers for it [default: the installing user]
    #[arg(long, value_name = "TEXT")]
    pub waiver_owner: Option<String>,
    /// Refused from this day on, YYYY-MM-DD [default: 90 days ahead]
    #[arg(long, value_name = "DATE")]
    pub waiver_until: Option<String>,
    /// Networks it holds for [default: loopback]
    #[arg(long = "waiver-network", value_name = "CIDR")]
    pub waiver_networks: Vec<String>,
}

/// Makes the installation.
pub fn run(arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let _ = arguments;
    Err(CommandError::Cannot("init: not there yet".to_owned()))
}
