//! A blocking connection, in clear or over TLS, from an address of choice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, sockopt};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};

use crate::Failure;
use crate::message::{self, Answer};

/// How long any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

enum Transport {
    Clear(TcpStream),
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, TcpStream>>),
}

pub(crate) struct Client {
    transport: Transport,
    received: Vec<u8>,
}

/// What TLS trusts.
pub(crate) fn trust(certificate: &Path) -> Result<Arc<rustls::ClientConfig>, Failure> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(certificate)? {
        roots.add(certificate?)?;
    }
    Ok(Arc::new(rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// Connects from an address of loopback. `window`: octets that the system takes in for a client that does not read.
pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr, window: Option<usize>) -> Result<TcpStream, Failure> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    if let Some(window) = window {
        sockopt::set_socket_recv_buffer_size(&socket, window)?;
    }
    rustix::net::bind(&socket, &SocketAddr::new(from.into(), 0))?;
    rustix::net::connect(&socket, &to)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Client {
    pub(crate) fn clear(stream: TcpStream) -> Result<Client, Failure> {
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client { transport: Transport::Clear(stream), received: Vec::new() })
    }

    pub(crate) fn tls(stream: TcpStream, trust: &Arc<rustls::ClientConfig>) -> Result<Client, Failure> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let client = rustls::ClientConnection::new(Arc::clone(trust), ServerName::try_from("localhost")?)?;
        Ok(Client { transport: Transport::Tls(Box::new(rustls::StreamOwned::new(client, stream))), received: Vec::new() })
    }

    /// A server that takes no more must not be waited for.
    pub(crate) fn give_up_writing_after(&self, patience: Duration) -> Result<(), Failure> {
        match &self.transport {
            Transport::Clear(stream) => stream.set_write_timeout(Some(patience))?,
            Transport::Tls(stream) => stream.get_ref().set_write_timeout(Some(patience))?,
        }
        Ok(())
    }

    pub(crate) fn send(&mut self, octets: &[u8]) -> Result<(), Failure> {
        match &mut self.transport {
            Transport::Clear(stream) => stream.write_all(octets)?,
            Transport::Tls(stream) => stream.write_all(octets).and_then(|()| stream.flush())?,
        }
        Ok(())
    }

    pub(crate) fn receive(&mut self) -> Result<Answer, Failure> {
        loop {
            if let Some(answer) = message::answer(&self.received) {
                self.received.drain(..answer.size);
                return Ok(answer);
            }
            let mut chunk = [0; 16 * 1024];
            let read = match &mut self.transport {
                Transport::Clear(stream) => stream.read(&mut chunk)?,
                Transport::Tls(stream) => stream.read(&mut chunk)?,
            };
            if read == 0 {
                return Err("the server closed the connection".into());
            }
            self.received.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
    }

    /// Sends a request and reads to its result; entries on the way and its code.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<(usize, u8), Failure> {
        self.send(request)?;
        let mut entries = 0;
        loop {
            match self.receive()? {
                Answer { operation: 0x64, .. } => entries += 1,
                Answer { code, .. } => return Ok((entries, code)),
            }
        }
    }

    /// Logs in; must succeed.
    pub(crate) fn log_in(&mut self, name: &str, password: &str) -> Result<(), Failure> {
        match self.ask(&message::bind(1, name, password))? {
            (_, 0) => Ok(()),
            (_, code) => Err(format!("{name} cannot log in: {code}").into()),
        }
    }
}
