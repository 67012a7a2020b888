//! Who am I? (RFC 4532)

use bytes::Bytes;

use super::no_data_expected;
use crate::directory::Directory;
use crate::model::{ResultCode, Secret};
use crate::operation::Context;
use crate::protocol::{LdapResult, Reply, ResponseKind};

/// Answers Who am I?: the authorization identity, empty for anonymous. An identity whose entry is gone is nobody any more.
pub fn who_am_i(directory: &Directory, context: &Context, value: Option<&Secret>) -> Reply {
    if value.is_some() {
        return Reply::result(ResponseKind::Extended, no_data_expected());
    }
    if let Err(result) = context.check_assumed(directory) {
        return Reply::result(ResponseKind::Extended, result);
    }
    let name = context.acting(directory).map_or_else(String::new, |id| format!("dn:{}", directory.dn_text(id)));
    Reply::Result {
        kind: ResponseKind::Extended,
        result: LdapResult::of(ResultCode::Success),
        sasl_credentials: None,
        extended_name: None,
        extended_value: Some(Bytes::from(name)),
        controls: Vec::new(),
    }
}
