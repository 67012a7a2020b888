//! A blocking LDAP client over clear TCP, with ldap3_proto's codec: what another implementation sends and understands.

#![allow(unreachable_pub, missing_docs)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapAddRequest, LdapAttribute, LdapBindCred, LdapBindRequest, LdapDerefAliases, LdapExtendedRequest, LdapFilter, LdapModify,
    LdapModifyRequest, LdapModifyType, LdapMsg, LdapOp, LdapPartialAttribute, LdapResultCode, LdapSearchRequest,
    LdapSearchResultEntry, LdapSearchScope,
};
use tokio_util::codec::{Decoder, Encoder};

pub struct Client {
    socket: TcpStream,
    codec: LdapCodec,
    buffer: BytesMut,
    next_id: i32,
}

impl Client {
    pub fn connect(address: &str) -> io::Result<Client> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        socket.set_nodelay(true)?;
        Ok(Client { socket, codec: LdapCodec::new(Some(64 << 20), None), buffer: BytesMut::new(), next_id: 1 })
    }

    /// A connection of its own to the same server.
    pub fn another(&self) -> io::Result<Client> {
        Client::connect(&self.socket.peer_addr()?.to_string())
    }

    /// Our end, which is what the server calls the peer.
    pub fn local(&self) -> String {
        self.socket.local_addr().map_or_else(|_| "no connection".to_owned(), |address| address.to_string())
    }

    /// The messageID of the last request.
    pub fn last_id(&self) -> i32 {
        self.next_id - 1
    }

    pub fn send(&mut self, op: LdapOp) -> io::Result<i32> {
        self.send_with(op, Vec::new())
    }

    pub fn send_with(&mut self, op: LdapOp, ctrl: Vec<LdapControl>) -> io::Result<i32> {
        let msgid = self.next_id;
        self.next_id += 1;
        let mut output = BytesMut::new();
        self.codec.encode(LdapMsg { msgid, op, ctrl }, &mut output)?;
        self.socket.write_all(&output)?;
        Ok(msgid)
    }

    /// Octets as they are, for what no codec would send.
    pub fn send_octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.socket.write_all(octets)
    }

    /// Tells the server that nothing more comes; what it sends is still read.
    pub fn end_sending(&mut self) -> io::Result<()> {
        self.socket.shutdown(std::net::Shutdown::Write)
    }

    /// Whether the server has closed the connection, which sends nothing else: waits for it.
    pub fn is_closed(&self) -> bool {
        matches!((&self.socket).read(&mut [0; 1]), Ok(0))
    }

    pub fn receive(&mut self) -> io::Result<LdapMsg> {
        loop {
            if !self.buffer.is_empty()
                && let Some(message) = self.codec.decode(&mut self.buffer)?
            {
                return Ok(message);
            }
            let mut chunk = [0; 16384];
            let read = self.socket.read(&mut chunk)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend_from_slice(&chunk[..read]);
        }
    }

    /// Sends a request and gives the code of the answer.
    pub fn result(&mut self, op: LdapOp) -> io::Result<LdapResultCode> {
        self.result_with(op, Vec::new())
    }

    /// Does these operations as one transaction (RFC 5805).
    pub fn transaction(&mut self, operations: Vec<LdapOp>) -> io::Result<LdapResultCode> {
        let start = LdapExtendedRequest { name: "1.3.6.1.1.21.1".to_owned(), value: None };
        self.send(LdapOp::ExtendedRequest(start))?;
        let LdapOp::ExtendedResponse(response) = self.receive()?.op else { panic!("no extended response") };
        assert_eq!(response.res.code, LdapResultCode::Success);
        let identifier = response.value.expect("a transaction has an identifier");
        for operation in operations {
            let oid = "1.3.6.1.1.21.2".to_owned();
            let specification = LdapControl::Unknown { oid, criticality: true, value: Some(identifier.clone()) };
            assert_eq!(self.result_with(operation, vec![specification])?, LdapResultCode::Success);
        }
        let length = u8::try_from(identifier.len()).expect("a short identifier");
        let value = [&[0x30, length + 2, 4, length], &identifier[..]].concat();
        self.result(LdapOp::ExtendedRequest(LdapExtendedRequest { name: "1.3.6.1.1.21.3".to_owned(), value: Some(value) }))
    }

    fn result_with(&mut self, op: LdapOp, ctrl: Vec<LdapControl>) -> io::Result<LdapResultCode> {
        self.send_with(op, ctrl)?;
        let message = self.receive()?;
        if message.msgid == 0 {
            // A notice of disconnection answers nothing.
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(match message.op {
            LdapOp::BindResponse(response) => response.res.code,
            LdapOp::AddResponse(result)
            | LdapOp::ModifyResponse(result)
            | LdapOp::DelResponse(result)
            | LdapOp::ModifyDNResponse(result)
            | LdapOp::CompareResult(result) => result.code,
            LdapOp::ExtendedResponse(response) => response.res.code,
            other => panic!("unexpected answer {other:?}"),
        })
    }

    pub fn bind(&mut self, dn: &str, password: &str) -> io::Result<LdapResultCode> {
        let cred = LdapBindCred::Simple(password.to_owned());
        self.result(LdapOp::BindRequest(LdapBindRequest { version: 3, dn: dn.to_owned(), cred }))
    }

    pub fn add(&mut self, dn: &str, attributes: &[(&str, &[&str])]) -> io::Result<LdapResultCode> {
        let attributes = attributes.iter().map(|(name, values)| LdapAttribute {
            atype: (*name).to_owned(),
            vals: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
        });
        self.result(LdapOp::AddRequest(LdapAddRequest { dn: dn.to_owned(), attributes: attributes.collect() }))
    }

    pub fn modify(&mut self, dn: &str, changes: &[(LdapModifyType, &str, &[&str])]) -> io::Result<LdapResultCode> {
        let changes = changes.iter().map(|(operation, name, values)| LdapModify {
            operation: operation.clone(),
            modification: LdapPartialAttribute {
                atype: (*name).to_owned(),
                vals: values.iter().map(|value| value.as_bytes().to_vec()).collect(),
            },
        });
        self.result(LdapOp::ModifyRequest(LdapModifyRequest { dn: dn.to_owned(), changes: changes.collect() }))
    }

    pub fn delete(&mut self, dn: &str) -> io::Result<LdapResultCode> {
        self.result(LdapOp::DelRequest(dn.to_owned()))
    }

    pub fn search(
        &mut self,
        base: &str,
        scope: LdapSearchScope,
        filter: LdapFilter,
        attributes: &[&str],
    ) -> io::Result<(Vec<LdapSearchResultEntry>, LdapResultCode)> {
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
        let mut entries = Vec::new();
        loop {
            match self.receive()?.op {
                LdapOp::SearchResultEntry(entry) => entries.push(entry),
                LdapOp::SearchResultDone(result) => return Ok((entries, result.code)),
                other => panic!("unexpected answer {other:?}"),
            }
        }
    }

    /// One entry, or none.
    pub fn read(&mut self, dn: &str, attributes: &[&str]) -> io::Result<Option<LdapSearchResultEntry>> {
        let (mut entries, _) =
            self.search(dn, LdapSearchScope::Base, LdapFilter::Present("objectClass".to_owned()), attributes)?;
        Ok(entries.pop())
    }
}

/// The values of an attribute as text.
pub fn values(entry: &LdapSearchResultEntry, name: &str) -> Vec<String> {
    entry
        .attributes
        .iter()
        .filter(|attribute| attribute.atype.eq_ignore_ascii_case(name))
        .flat_map(|attribute| attribute.vals.iter().map(|value| String::from_utf8_lossy(value).into_owned()))
        .collect()
}
