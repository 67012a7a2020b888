//! A connection over TLS to the server of this machine, from an address of the caller's choice: for the demo, whose people sit at different places.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::tls;
use crate::config::PeerSettings;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connects to a port of 127.0.0.1 from this address, one of this machine. The handshake is done with the first octets.
pub fn call(settings: &PeerSettings, from: Ipv4Addr) -> io::Result<impl Read + Write + Send + 'static> {
    let configuration = tls::client_configuration(settings).map_err(io::Error::other)?;
    let name = ServerName::try_from(settings.server_name.clone()).map_err(io::Error::other)?;
    let connection = ClientConnection::new(configuration, name).map_err(io::Error::other)?;
    let descriptor = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&descriptor, &SocketAddrV4::new(from, 0))?;
    connect(&descriptor, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, settings.port))?;
    let stream = TcpStream::from(descriptor);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(StreamOwned::new(connection, stream))
}
