//! Accepting connections: TCP, TLS and Unix sockets, each bounded overall and per address.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::gate::{Gate, Seat};
use super::services::Services;
use super::stream::Stream;
use super::tls;
use crate::operation::{ListenerKind, Peer};

/// Octets that the system holds for a client that does not take them: twice this. BEHAVIOUR "a slow reader", with what a connection holds.
const SEND_BUFFER: usize = 256 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 4096;
/// How long a connection may be silent before the system asks whether the other side is still there, how often it asks, and how many
/// questions may stay unanswered.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(120), Duration::from_secs(30), 4);

/// Lets clients in.
pub struct Door {
    gate: Arc<Gate>,
    services: Arc<Services>,
    tasks: TaskTracker,
    ldapi: ArcSwap<LdapiUsers>,
}

/// Which DN a local user is.
#[derive(Clone, Debug)]
pub struct LdapiUsers {
    /// `cn=admin,SUFFIX`: uid 0 and the server's own user.
    pub administrator: String,
    /// The server's own user.
    pub own_uid: u32,
    /// `[ldapi.users]`, by uid.
    pub others: BTreeMap<u32, String>,
}

impl LdapiUsers {
    fn identity(&self, uid: u32) -> Option<String> {
        if uid == 0 || uid == self.own_uid { Some(self.administrator.clone()) } else { self.others.get(&uid).cloned() }
    }
}

impl Door {
    /// A door for all listeners of a server.
    pub fn new(gate: Arc<Gate>, services: Arc<Services>, tasks: TaskTracker, ldapi: LdapiUsers) -> Arc<Door> {
        Arc::new(Door { gate, services, tasks, ldapi: ArcSwap::from_pointee(ldapi) })
    }

    /// Puts other local users in force, for connections from now on.
    pub fn reload(&self, ldapi: LdapiUsers) {
        self.ldapi.store(Arc::new(ldapi));
    }

    /// Accepts TCP clients until the server stops.
    pub async fn listen_tcp(self: Arc<Door>, listener: TcpListener, kind: ListenerKind) {
        let shutdown = self.services.shutdown();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((socket, address)) => self.welcome_tcp(socket, address, kind),
                Err(error) => rest_after(&error).await,
            }
        }
    }

    fn welcome_tcp(self: &Arc<Door>, socket: TcpStream, address: SocketAddr, kind: ListenerKind) {
        let ip = address.ip().to_canonical();
        let text = SocketAddr::new(ip, address.port()).to_string();
        let Some(seat) = self.gate.enter(&text, Some(ip)) else { return };
        // Replies are small and waited for.
        let _ = socket.set_nodelay(true);
        let peer = Arc::new(Peer { text, address: Some(ip), listener: kind, ldapi_identity: None });
        let services = Arc::clone(&self.services);
        if kind == ListenerKind::Ldap {
            self.tasks.spawn(Connection::run(Stream::Clear(socket), seat, peer, None, services));
        } else if seat.may_shake_hands(&peer) {
            self.tasks.spawn(shake_hands(socket, seat, peer, services));
        }
    }

    /// Accepts local clients until the server stops.
    pub async fn listen_unix(self: Arc<Door>, listener: UnixListener) {
        let shutdown = self.services.shutdown();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((socket, _)) => self.welcome_unix(socket),
                Err(error) => rest_after(&error).await,
            }
        }
    }

    fn welcome_unix(self: &Arc<Door>, socket: UnixStream) {
        let uid = match socket.peer_cred() {
            Ok(credentials) => credentials.uid(),
            Err(error) => {
                tracing::warn!(%error, "a local client's user cannot be told; its connection was closed");
                return;
            }
        };
        let text = format!("ldapi uid={uid}");
        let Some(seat) = self.gate.enter(&text, None) else { return };
        let ldapi_identity = self.ldapi.load().identity(uid);
        let peer = Arc::new(Peer { text, address: None, listener: ListenerKind::Ldapi, ldapi_identity });
        self.tasks.spawn(Connection::run(Stream::Unix(socket), seat, peer, None, Arc::clone(&self.services)));
    }
}

/// The handshake, then the connection.
async fn shake_hands(socket: TcpStream, seat: Seat, peer: Arc<Peer>, services: Arc<Services>) {
    let evicted = seat.evicted();
    let handshake = tokio::time::timeout(seat.gate().settings().handshake, services.accept_tls(socket));
    let outcome = tokio::select! {
        outcome = handshake => outcome,
        () = evicted.cancelled() => {
            tracing::debug!(peer = peer.text, "a connection that did not finish its TLS handshake made room for another");
            return;
        }
    };
    let gate = Arc::clone(seat.gate());
    match outcome {
        Ok(Ok(stream)) => {
            let facts = Arc::new(tls::facts(stream.get_ref().1));
            Connection::run(Stream::Tls(Box::new(stream)), seat, peer, Some(facts), services).await;
        }
        Ok(Err(error)) if gate.may_tell() => tracing::info!(peer = peer.text, %error, "TLS handshake failed"),
        Err(_) if gate.may_tell() => tracing::info!(peer = peer.text, "TLS handshake took too long"),
        Ok(Err(_)) | Err(_) => {}
    }
}

/// Opens a listening socket. What is set here holds for every connection it accepts.
pub fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(u32::try_from(SEND_BUFFER).unwrap_or(u32::MAX))?;
    socket.set_keepalive(true)?;
    let (idle, interval, count) = KEEPALIVE;
    rustix::net::sockopt::set_tcp_keepidle(&socket, idle)?;
    rustix::net::sockopt::set_tcp_keepintvl(&socket, interval)?;
    rustix::net::sockopt::set_tcp_keepcnt(&socket, count)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Out of file descriptors and the like: trying again at once would only burn the processor.
async fn rest_after(error: &io::Error) {
    tracing::error!(%error, "a connection could not be accepted; raise the limit of open files (LimitNOFILE) if it says so");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Opens the ldapi socket, removing one that a dead server left behind. Everybody on the machine may connect: who they are is told by the
/// kernel, and what they may do by the directory.
pub fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another server listens there"));
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => std::fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there; it is left alone")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// How clients write the socket's address: `ldapi://%2Frun%2Fbindery%2Fldapi`.
pub fn ldapi_url(path: &Path) -> String {
    let mut url = String::from("ldapi://");
    for octet in path.to_string_lossy().bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            url.push(char::from(octet));
        } else {
            url.push_str(&format!("%{octet:02X}"));
        }
    }
    url
}

/// Removes the socket's file when the server stops.
pub struct SocketFile(pub PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_no_other_file_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, file) = (folder.path().join("ldapi"), folder.path().join("notes"));
        drop(bind_unix(&socket).unwrap());
        assert!(socket.exists(), "a dead server leaves its socket behind");
        let listening = bind_unix(&socket).unwrap();
        assert_eq!(bind_unix(&socket).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listening);
        std::fs::write(&file, "dear diary").unwrap();
        assert_eq!(bind_unix(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear diary");
    }
}
