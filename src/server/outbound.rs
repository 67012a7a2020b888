//! A connection over TLS that the server makes of itself, with blocking calls: for threads that nobody waits for.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::tls;
use crate::config::PeerSettings;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the other side may take nothing, or say nothing where it is to say something.
const SILENCE: Duration = Duration::from_secs(30);
/// Octets of what the other side says that are read at once; none of it matters.
const READ: usize = 1024;

/// An open connection.
pub(super) struct TlsPeer(StreamOwned<ClientConnection, TcpStream>);

impl TlsPeer {
    /// Connects, with the handshake done: the other side is the one that was meant.
    pub(super) fn connect(settings: &PeerSettings) -> io::Result<TlsPeer> {
        let configuration = tls::client_configuration(settings).map_err(io::Error::other)?;
        let name = ServerName::try_from(settings.server_name.clone());
        let name = name.map_err(|_| io::Error::other(format!("{:?} is no name of a server", settings.server_name)))?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("{:?} has no address", settings.host));
        for address in (settings.host.as_str(), settings.port).to_socket_addrs()? {
            let mut socket = match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(socket) => socket,
                Err(error) => {
                    failure = error;
                    continue;
                }
            };
            socket.set_read_timeout(Some(SILENCE))?;
            socket.set_write_timeout(Some(SILENCE))?;
            socket.set_nodelay(true)?;
            let mut connection =
                ClientConnection::new(configuration, name).map_err(|error| io::Error::other(error.to_string()))?;
            while connection.is_handshaking() {
                connection.complete_io(&mut socket)?;
            }
            return Ok(TlsPeer(StreamOwned::new(connection, socket)));
        }
        Err(failure)
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write_all(octets)?;
        self.0.flush()
    }

    /// Fails where the other side has ended the connection already.
    pub(super) fn check(&mut self) -> io::Result<()> {
        self.0.sock.set_nonblocking(true)?;
        let mut octets = [0; READ];
        let read = self.0.read(&mut octets);
        self.0.sock.set_nonblocking(false)?;
        match read {
            Ok(0) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the other side ended the connection")),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends the connection and waits until the other side has read everything and ends it too: by close_notify, which a receiver of RFC 5425
    /// must send (section 4.4), or, if that is enough, by closing it.
    pub(super) fn finish(mut self, needs_close_notify: bool) -> io::Result<()> {
        self.check()?;
        self.0.conn.send_close_notify();
        while self.0.conn.wants_write() {
            self.0.conn.write_tls(&mut self.0.sock)?;
        }
        self.0.sock.shutdown(Shutdown::Write)?;
        let mut octets = [0; READ];
        loop {
            match self.0.read(&mut octets) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !needs_close_notify => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let text = "the collector closed the connection without close_notify, so it is not known whether it read everything: \
                                where that is its way, write confirm = \"end\"";
                    return Err(io::Error::new(error.kind(), text));
                }
                Err(error) => return Err(error),
            }
        }
    }
}
