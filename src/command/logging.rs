//! Log lines on standard error: for journald or as JSON.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogLevel};

/// Starts logging at a level unless `RUST_LOG` says otherwise; a second call changes nothing. ldap3_proto and sled trace what they are given: their lines below warnings stay out, whatever
/// the environment says, because they may hold passwords and entries.
pub(super) fn start(format: LogFormat, level: LogLevel) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("{level:?}").to_lowercase()));
    for quiet in ["ldap3_proto=warn", "ldap3_lber=warn", "sled=warn", "rustls=error"] {
        if let Ok(directive) = quiet.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // Only fails when logging was started before.
    let _ = match format {
        LogFormat::Text => subscriber.with_ansi(false).try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
}
