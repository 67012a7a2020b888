//! Accepting connections: TCP, TLS and Unix sockets, each bounded overall and per address.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::services::Services;
use super::stream::Stream;
use super::tls;
use crate::operation::{ListenerKind, Peer};

/// Connections that may be open at once. BEHAVIOUR "Default limits".
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Over all listeners.
    pub overall: usize,
    /// From one address.
    pub per_address: usize,
}

/// Counts open connections and gives each a number.
pub struct Door {
    limits: ConnectionLimits,
    services: Arc<Services>,
    tasks: TaskTracker,
    next_number: AtomicU64,
    open: Mutex<Open>,
    ldapi: ArcSwap<LdapiUsers>,
}

#[derive(Default)]
struct Open {
    overall: usize,
    by_address: HashMap<Option<IpAddr>, usize>,
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

/// One open connection in the count; dropping it takes it out.
struct Admission {
    door: Arc<Door>,
    address: Option<IpAddr>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.door.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.overall = open.overall.saturating_sub(1);
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

impl Door {
    /// A door for all listeners of a server.
    pub fn new(limits: ConnectionLimits, services: Arc<Services>, tasks: TaskTracker, ldapi: LdapiUsers) -> Arc<Door> {
        Arc::new(Door {
            limits,
            services,
            tasks,
            next_number: AtomicU64::new(1),
            open: Mutex::default(),
            ldapi: ArcSwap::from_pointee(ldapi),
        })
    }

    /// Puts other local users in force, for connections from now on.
    pub fn reload(&self, ldapi: LdapiUsers) {
        self.ldapi.store(Arc::new(ldapi));
    }

    fn admit(self: &Arc<Door>, address: Option<IpAddr>) -> Option<Admission> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_address.get(&address).copied().unwrap_or(0);
        if open.overall >= self.limits.overall || (address.is_some() && here >= self.limits.per_address) {
            return None;
        }
        open.overall += 1;
        open.by_address.insert(address, here + 1);
        Some(Admission { door: Arc::clone(self), address })
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
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
        let Some(admission) = self.admit(Some(ip)) else {
            tracing::warn!(%address, "too many connections; a new one was closed at once");
            return;
        };
        // Replies are small and waited for.
        let _ = socket.set_nodelay(true);
        let text = SocketAddr::new(ip, address.port()).to_string();
        let peer = Arc::new(Peer { text, address: Some(ip), listener: kind, ldapi_identity: None });
        let (number, services) = (self.number(), Arc::clone(&self.services));
        self.tasks.spawn(async move {
            let _admission = admission;
            if kind == ListenerKind::Ldap {
                return Connection::run(Stream::Clear(socket), number, peer, None, services).await;
            }
            match tokio::time::timeout(services.timeouts().handshake, services.accept_tls(socket)).await {
                Ok(Ok(stream)) => {
                    let facts = Arc::new(tls::facts(stream.get_ref().1));
                    Connection::run(Stream::Tls(Box::new(stream)), number, peer, Some(facts), services).await;
                }
                Ok(Err(error)) => tracing::info!(peer = peer.text, %error, "TLS handshake failed"),
                Err(_) => tracing::info!(peer = peer.text, "TLS handshake took too long"),
            }
        });
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
        let Some(admission) = self.admit(None) else {
            tracing::warn!("too many connections; a new local one was closed at once");
            return;
        };
        let uid = match socket.peer_cred() {
            Ok(credentials) => credentials.uid(),
            Err(error) => {
                tracing::warn!(%error, "a local client's user cannot be told; its connection was closed");
                return;
            }
        };
        let peer = Arc::new(Peer {
            text: format!("ldapi uid={uid}"),
            address: None,
            listener: ListenerKind::Ldapi,
            ldapi_identity: self.ldapi.load().identity(uid),
        });
        let (number, services) = (self.number(), Arc::clone(&self.services));
        self.tasks.spawn(async move {
            let _admission = admission;
            Connection::run(Stream::Unix(socket), number, peer, None, services).await;
        });
    }
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
