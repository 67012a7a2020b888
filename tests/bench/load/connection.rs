//! One connection with one request outstanding.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};

use super::{Failure, message};

const SEARCH_ENTRY: u8 = 0x64;

enum Transport {
    Plain(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

impl Transport {
    fn socket(&self) -> &TcpStream {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(stream) => stream.get_ref(),
        }
    }

    fn read(&mut self, octets: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.read(octets),
            Transport::Tls(stream) => stream.read(octets),
        }
    }

    fn write_all(&mut self, octets: &[u8]) -> std::io::Result<()> {
        match self {
            Transport::Plain(socket) => socket.write_all(octets),
            Transport::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush()),
        }
    }
}

/// What a connection asks, once or until the last page is there.
pub(crate) enum Request {
    Whole(Vec<u8>),
    Pages { id: u32, department: u32 },
}

/// Entries on a page.
const PAGE: u8 = 100;

/// A connection and the requests it sends in turn.
pub(crate) struct Connection {
    transport: Transport,
    requests: Vec<Request>,
    next: usize,
    sent: Instant,
    received: Vec<u8>,
    filled: usize,
    entries: u32,
    /// The paged search under way: its messageID and its department.
    pages: Option<(u32, u32)>,
}

/// The end of one operation.
pub(crate) struct Completed {
    pub(crate) code: u8,
    pub(crate) entries: u32,
    pub(crate) latency: Duration,
}

/// What LDAPS trusts.
pub(crate) fn trust(ca: &Path) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_reader_iter(BufReader::new(File::open(ca)?)) {
        roots.add(certificate?)?;
    }
    let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    // Every connection is a new client's.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

impl Connection {
    /// Connects; nothing is sent yet.
    pub(crate) fn open(address: std::net::SocketAddr, tls: Option<&Arc<rustls::ClientConfig>>) -> Result<Connection, Failure> {
        let socket = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(30)))?;
        let transport = match tls {
            None => Transport::Plain(socket),
            Some(config) => {
                let client = rustls::ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
                Transport::Tls(Box::new(rustls::StreamOwned::new(client, socket)))
            }
        };
        let received = vec![0; 64 * 1024];
        Ok(Connection {
            transport,
            requests: Vec::new(),
            next: 0,
            sent: Instant::now(),
            received,
            filled: 0,
            entries: 0,
            pages: None,
        })
    }

    /// Sends one request and waits for its result, which must be success.
    pub(crate) fn exchange(&mut self, request: Vec<u8>) -> Result<(), Failure> {
        match self.ask(request)? {
            Completed { code: 0, .. } => Ok(()),
            Completed { code, .. } => Err(format!("the server refused with {code}").into()),
        }
    }

    /// Sends one request and waits for its result.
    pub(crate) fn ask(&mut self, request: Vec<u8>) -> Result<Completed, Failure> {
        self.requests = vec![Request::Whole(request)];
        self.next = 0;
        self.pages = None;
        self.send()?;
        loop {
            if let Some(completed) = self.receive()? {
                return Ok(completed);
            }
        }
    }

    /// From here on the connection is driven by events.
    pub(crate) fn drive(&mut self, requests: Vec<Request>) -> Result<(), Failure> {
        self.requests = requests;
        self.next = 0;
        Ok(self.transport.socket().set_nonblocking(true)?)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        self.transport.socket()
    }

    /// Sends the next request, which counts from now.
    pub(crate) fn send(&mut self) -> Result<(), Failure> {
        self.send_since(Instant::now())
    }

    /// Sends the next request, which was due at `since`: what it waited in here counts.
    pub(crate) fn send_since(&mut self, since: Instant) -> Result<(), Failure> {
        self.sent = since;
        self.entries = 0;
        let request = self.requests.get(self.next).ok_or("no requests")?;
        self.next = (self.next + 1) % self.requests.len();
        match request {
            Request::Whole(octets) => Ok(self.transport.write_all(octets)?),
            Request::Pages { id, department } => {
                self.pages = Some((*id, *department));
                Ok(self.transport.write_all(&message::scan_page(*id, *department, PAGE, &[]))?)
            }
        }
    }

    /// Sends a request that has no answer.
    pub(crate) fn tell(&mut self, request: &[u8]) -> Result<(), Failure> {
        Ok(self.transport.write_all(request)?)
    }

    /// Reads what is there; the result if that ends the operation.
    pub(crate) fn receive(&mut self) -> Result<Option<Completed>, Failure> {
        loop {
            if self.filled == self.received.len() {
                self.received.resize(self.filled * 2, 0);
            }
            let room = self.received.get_mut(self.filled..).unwrap_or_default();
            match self.transport.read(room) {
                Ok(0) => return Err("the server closed the connection".into()),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if let Some(completed) = self.take()? {
                return Ok(Some(completed));
            }
        }
    }

    fn take(&mut self) -> Result<Option<Completed>, Failure> {
        let mut start = 0;
        let mut completed = None;
        let mut next_page = None;
        while let Some(answer) = message::answer(self.received.get(start..self.filled).unwrap_or_default())? {
            let end = start + answer.size;
            if answer.operation == SEARCH_ENTRY {
                self.entries += 1;
            } else {
                let octets = self.received.get(start..end).unwrap_or_default();
                next_page = self.pages.zip(message::cookie(octets).filter(|cookie| !cookie.is_empty()).map(<[u8]>::to_vec));
                if next_page.is_none() {
                    completed = Some(Completed { code: answer.code, entries: self.entries, latency: self.sent.elapsed() });
                }
            }
            start = end;
        }
        self.received.copy_within(start..self.filled, 0);
        self.filled -= start;
        if let Some(((id, department), cookie)) = next_page {
            self.transport.write_all(&message::scan_page(id, department, PAGE, &cookie))?;
        }
        Ok(completed)
    }
}
