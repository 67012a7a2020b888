//! Questions over HTTP to witnesses and authorities of time stamps: one at a time, with limits, redirected nowhere.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::server::tls;

/// How long a question may take, with everything.
const WHOLE: Duration = Duration::from_secs(30);
/// Octets of an answer that are taken.
const LARGEST: u64 = 256 * 1024;

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Sends octets and takes the answer.
pub(super) fn post(url: &str, authorities: Option<&Path>, kind: &str, octets: &[u8]) -> Result<Answer, String> {
    let mut trusted = Vec::new();
    if let Some(file) = authorities {
        let read = tls::authorities(file).map_err(|error| error.to_string())?;
        trusted.extend(read.iter().map(|certificate| Certificate::from_der(certificate).to_owned()));
    }
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(trusted)))
        .unversioned_rustls_crypto_provider(Arc::new(tls::provider()))
        .build();
    let agent: Agent = Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(WHOLE))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .user_agent(concat!("bindery/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent();
    let mut answer = agent.post(url).header("Content-Type", kind).send(octets).map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(|error| error.to_string())?;
    Ok(Answer { status, body })
}
