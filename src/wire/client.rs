//! A small client for the program's own commands: they ask the running server over its Unix socket, as the calling user, or, for the demo, over
//! whatever connection they made.
//!
//! Here ldap3_proto's codec serves on both ways: the server is ours, so what it sends is well-formed and UTF-8 where that codec needs it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapAddRequest, LdapBindCred, LdapBindRequest, LdapDerefAliases, LdapExtendedRequest, LdapFilter, LdapModify,
    LdapModifyRequest, LdapModifyType, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult, LdapResultCode, LdapSearchRequest,
    LdapSearchScope, SaslCredentials,
};
use tokio_util::codec::{Decoder, Encoder};

use crate::model::{Attribute, Modification, ModificationOperation, Secret};
use crate::protocol::Control;

/// Largest reply that is read, in octets: an entry with many values.
const LARGEST_REPLY: usize = 256 * 1024 * 1024;
/// Octets read at once.
const READ_SIZE: usize = 64 * 1024;

/// What octets go to and fro on.
trait Connection: Read + Write + Send {}

impl<C: Read + Write + Send> Connection for C {}

/// A connection to the server of this installation.
pub struct LocalClient {
    socket: Box<dyn Connection>,
    codec: LdapCodec,
    buffer: BytesMut,
    next_id: i32,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no server answers at {path}: {error}")]
    Absent {
        /// The socket.
        path: String,
        /// The operating system's words.
        error: io::Error,
    },
    /// The connection broke, or what came is no LDAP.
    #[error("the server's answer cannot be read: {0}")]
    Broken(#[from] io::Error),
    /// The server said no.
    #[error("the server refused with {code}{}{text}", if text.is_empty() { "" } else { ": " })]
    Refused {
        /// Result code and its name.
        code: String,
        /// diagnosticMessage
        text: String,
    },
}

/// An entry as read.
#[derive(Clone, Debug)]
pub struct ReadEntry {
    /// Its name.
    pub dn: String,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
}

impl LocalClient {
    /// Connects and binds with SASL EXTERNAL: the kernel tells the server who calls.
    pub fn connect(path: &Path) -> Result<LocalClient, ClientError> {
        let mut client = LocalClient::connect_unbound(path)?;
        let credentials = SaslCredentials { mechanism: "EXTERNAL".to_owned(), credentials: Vec::new() };
        let request = LdapBindRequest { version: 3, dn: String::new(), cred: LdapBindCred::SASL(credentials) };
        client.send(LdapOp::BindRequest(request))?;
        match client.receive()? {
            LdapOp::BindResponse(response) => accept(&response.res)?,
            _ => return Err(unexpected()),
        }
        Ok(client)
    }

    /// Connects and stays anonymous.
    pub fn connect_unbound(path: &Path) -> Result<LocalClient, ClientError> {
        let socket =
            UnixStream::connect(path).map_err(|error| ClientError::Absent { path: path.display().to_string(), error })?;
        Ok(LocalClient::over(socket))
    }

    /// Speaks on a connection that is there, and stays anonymous.
    pub fn over(connection: impl Read + Write + Send + 'static) -> LocalClient {
        let codec = LdapCodec::new(Some(LARGEST_REPLY), None);
        LocalClient { socket: Box::new(connection), codec, buffer: BytesMut::new(), next_id: 1 }
    }

    /// Logs in with a name and a password.
    pub fn bind(&mut self, dn: &str, password: &Secret) -> Result<(), ClientError> {
        let password = String::from_utf8_lossy(password.expose()).into_owned();
        let request = LdapBindRequest { version: 3, dn: dn.to_owned(), cred: LdapBindCred::Simple(password) };
        self.send(LdapOp::BindRequest(request))?;
        match self.receive()? {
            LdapOp::BindResponse(response) => accept(&response.res),
            _ => Err(unexpected()),
        }
    }

    /// Reads every entry at or below `base` with the attributes named, handing each over as it comes.
    pub fn read_subtree(
        &mut self,
        base: &str,
        attributes: &[&str],
        each: &mut dyn FnMut(ReadEntry) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        self.search(base, LdapSearchScope::Subtree, LdapFilter::Present("objectClass".to_owned()), attributes, each)
    }

    fn search(
        &mut self,
        base: &str,
        scope: LdapSearchScope,
        filter: LdapFilter,
        attributes: &[&str],
        each: &mut dyn FnMut(ReadEntry) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        self.send(LdapOp::SearchRequest(LdapSearchRequest {
            base: base.to_owned(),
            scope,
            aliases: LdapDerefAliases::Never,
            sizelimit: 0,
            timelimit: 0,
            typesonly: false,
            filter,
            attrs: attributes.iter().map(|&name| name.to_owned()).collect(),
        }))?;
        loop {
            match self.receive()? {
                LdapOp::SearchResultEntry(entry) => {
                    let attributes = entry.attributes.into_iter().map(|attribute| Attribute {
                        description: attribute.atype,
                        values: attribute.vals.into_iter().map(Bytes::from).collect(),
                    });
                    each(ReadEntry { dn: entry.dn, attributes: attributes.collect() })?;
                }
                LdapOp::SearchResultReference(_) => {}
                LdapOp::SearchResultDone(result) => return accept(&result),
                _ => return Err(unexpected()),
            }
        }
    }

    /// Reads one entry with the attributes named; none where there is none, or more than one.
    pub fn read(&mut self, dn: &str, attributes: &[&str]) -> Result<Option<ReadEntry>, ClientError> {
        self.one(dn, LdapSearchScope::Base, LdapFilter::Present("objectClass".to_owned()), attributes)
    }

    /// Reads the one entry at or below `base` in which an attribute has this value; none where there is none, or more than one.
    pub fn find(
        &mut self,
        base: &str,
        attribute: &str,
        value: &str,
        attributes: &[&str],
    ) -> Result<Option<ReadEntry>, ClientError> {
        let filter = LdapFilter::Equality(attribute.to_owned(), value.to_owned());
        self.one(base, LdapSearchScope::Subtree, filter, attributes)
    }

    fn one(
        &mut self,
        base: &str,
        scope: LdapSearchScope,
        filter: LdapFilter,
        attributes: &[&str],
    ) -> Result<Option<ReadEntry>, ClientError> {
        let mut found = Vec::new();
        let searched = self.search(base, scope, filter, attributes, &mut |entry| {
            found.push(entry);
            Ok(())
        });
        match searched {
            Ok(()) if found.len() == 1 => Ok(found.pop()),
            Ok(()) => Ok(None),
            Err(ClientError::Refused { code, .. }) if code == "NoSuchObject" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds an entry.
    pub fn add(&mut self, dn: &str, attributes: Vec<Attribute>, control: Option<Control>) -> Result<(), ClientError> {
        let attributes = attributes.into_iter().map(|attribute| LdapPartialAttribute {
            atype: attribute.description,
            vals: attribute.values.iter().map(|value| value.to_vec()).collect(),
        });
        self.send_with(LdapOp::AddRequest(LdapAddRequest { dn: dn.to_owned(), attributes: attributes.collect() }), control)?;
        match self.receive()? {
            LdapOp::AddResponse(result) => accept(&result),
            _ => Err(unexpected()),
        }
    }

    /// Changes an entry.
    pub fn modify(&mut self, dn: &str, changes: Vec<Modification>) -> Result<(), ClientError> {
        self.modify_with(dn, changes, None)
    }

    /// The same with a control.
    pub fn modify_with(&mut self, dn: &str, changes: Vec<Modification>, control: Option<Control>) -> Result<(), ClientError> {
        let changes = changes.into_iter().map(|Modification { operation, attribute }| LdapModify {
            operation: match operation {
                ModificationOperation::Add => LdapModifyType::Add,
                ModificationOperation::Delete => LdapModifyType::Delete,
                ModificationOperation::Replace | ModificationOperation::Increment => LdapModifyType::Replace,
            },
            modification: LdapPartialAttribute {
                atype: attribute.description,
                vals: attribute.values.iter().map(|value| value.to_vec()).collect(),
            },
        });
        self.send_with(LdapOp::ModifyRequest(LdapModifyRequest { dn: dn.to_owned(), changes: changes.collect() }), control)?;
        match self.receive()? {
            LdapOp::ModifyResponse(result) => accept(&result),
            _ => Err(unexpected()),
        }
    }

    /// Asks for an extended operation without a value; answers with the response's, empty where there is none.
    pub fn extended(&mut self, name: &str) -> Result<Vec<u8>, ClientError> {
        self.extended_with(name, None)
    }

    /// The same with a value.
    pub fn extended_with(&mut self, name: &str, value: Option<Vec<u8>>) -> Result<Vec<u8>, ClientError> {
        self.send(LdapOp::ExtendedRequest(LdapExtendedRequest { name: name.to_owned(), value }))?;
        match self.receive()? {
            LdapOp::ExtendedResponse(response) => accept(&response.res).map(|()| response.value.unwrap_or_default()),
            _ => Err(unexpected()),
        }
    }

    fn send(&mut self, operation: LdapOp) -> Result<(), ClientError> {
        self.send_with(operation, None)
    }

    fn send_with(&mut self, operation: LdapOp, control: Option<Control>) -> Result<(), ClientError> {
        let mut output = BytesMut::new();
        let control = control.map(|Control { oid, critical, value }| LdapControl::Unknown {
            oid,
            criticality: critical,
            value: value.map(|value| value.to_vec()),
        });
        let message = LdapMsg { msgid: self.next_id, op: operation, ctrl: control.into_iter().collect() };
        self.next_id += 1;
        self.codec.encode(message, &mut output)?;
        self.socket.write_all(&output)?;
        Ok(self.socket.flush()?)
    }

    fn receive(&mut self) -> Result<LdapOp, ClientError> {
        let mut chunk = vec![0; READ_SIZE];
        loop {
            if !self.buffer.is_empty()
                && let Some(message) = self.codec.decode(&mut self.buffer)?
            {
                return Ok(message.op);
            }
            let read = self.socket.read(&mut chunk)?;
            if read == 0 {
                return Err(ClientError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
            self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
    }
}

fn accept(result: &LdapResult) -> Result<(), ClientError> {
    if result.code == LdapResultCode::Success {
        return Ok(());
    }
    Err(ClientError::Refused { code: format!("{:?}", result.code), text: result.message.clone() })
}

fn unexpected() -> ClientError {
    ClientError::Broken(io::Error::new(io::ErrorKind::InvalidData, "an answer of another kind than asked for"))
}
