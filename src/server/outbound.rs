//! A connection over TLS that the server makes of itself, with blocking calls: for threads that nobody waits for.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::tls;
use super::world::SystemClock;
use crate::config::PeerSettings;
use crate::world::Clock as _;

/// Octets of what the other side says that are read at once; none of it matters.
const READ: usize = 1024;

/// How long the other side may take, whatever it sends meanwhile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Until it takes the connection.
    connect: Duration,
    /// Until the handshake is done.
    handshake: Duration,
    /// Until it has taken what was sent at once.
    message: Duration,
    /// Until it has ended the connection in its turn.
    end: Duration,
}

/// What is usual.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(10),
    handshake: Duration::from_secs(20),
    message: Duration::from_secs(60),
    end: Duration::from_secs(60),
};

/// An open connection.
pub(super) struct TlsPeer {
    stream: StreamOwned<ClientConnection, Timed>,
    patience: Patience,
}

impl TlsPeer {
    /// Connects, with the handshake done: the other side is the one that was meant. Each of its addresses is tried, until one is.
    pub(super) fn connect(settings: &PeerSettings) -> io::Result<TlsPeer> {
        TlsPeer::connect_within(settings, PATIENCE)
    }

    fn connect_within(settings: &PeerSettings, patience: Patience) -> io::Result<TlsPeer> {
        let addresses = (settings.host.as_str(), settings.port).to_socket_addrs()?;
        TlsPeer::connect_to_one(addresses, settings, patience)
    }

    fn connect_to_one(
        addresses: impl Iterator<Item = SocketAddr>,
        settings: &PeerSettings,
        patience: Patience,
    ) -> io::Result<TlsPeer> {
        let configuration = tls::client_configuration(settings).map_err(io::Error::other)?;
        let name = ServerName::try_from(settings.server_name.clone());
        let name = name.map_err(|_| io::Error::other(format!("{:?} is no name of a server", settings.server_name)))?;
        let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("{:?} has no address", settings.host));
        for address in addresses {
            match TlsPeer::connect_to(address, Arc::clone(&configuration), name.clone(), patience) {
                Ok(peer) => return Ok(peer),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    fn connect_to(
        address: SocketAddr,
        configuration: Arc<ClientConfig>,
        name: ServerName<'static>,
        patience: Patience,
    ) -> io::Result<TlsPeer> {
        let socket = TcpStream::connect_timeout(&address, patience.connect)?;
        socket.set_nodelay(true)?;
        let mut socket = Timed { socket, clock: SystemClock::new(), until: 0, waits: true };
        socket.allow(patience.handshake);
        let mut connection = ClientConnection::new(configuration, name).map_err(|error| io::Error::other(error.to_string()))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(TlsPeer { stream: StreamOwned::new(connection, socket), patience })
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.sock.allow(self.patience.message);
        self.stream.write_all(octets)?;
        self.stream.flush()
    }

    /// Fails where the other side has ended the connection already.
    pub(super) fn check(&mut self) -> io::Result<()> {
        self.stream.sock.allow(self.patience.message);
        self.stream.sock.set_waits(false)?;
        let mut octets = [0; READ];
        let read = self.stream.read(&mut octets);
        self.stream.sock.set_waits(true)?;
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
        self.stream.sock.allow(self.patience.end);
        self.stream.conn.send_close_notify();
        while self.stream.conn.wants_write() {
            self.stream.conn.write_tls(&mut self.stream.sock)?;
        }
        self.stream.sock.socket.shutdown(Shutdown::Write)?;
        let mut octets = [0; READ];
        loop {
            match self.stream.read(&mut octets) {
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

/// A socket that nothing waits for beyond a moment.
struct Timed {
    socket: TcpStream,
    clock: SystemClock,
    /// That moment, in microseconds of the clock.
    until: u64,
    waits: bool,
}

impl Timed {
    /// From now on so long, all calls together.
    fn allow(&mut self, lasts: Duration) {
        let lasts = u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX);
        self.until = self.clock.monotonic().saturating_add(lasts);
    }

    fn set_waits(&mut self, waits: bool) -> io::Result<()> {
        self.waits = waits;
        self.socket.set_nonblocking(!waits)
    }

    fn left(&self) -> io::Result<Duration> {
        match self.until.saturating_sub(self.clock.monotonic()) {
            0 => Err(too_slow()),
            left => Ok(Duration::from_micros(left)),
        }
    }

    /// A wait that came to its end looks like one that was not wanted.
    fn told<T>(&self, result: io::Result<T>) -> io::Result<T> {
        match result {
            Err(error) if self.waits && error.kind() == io::ErrorKind::WouldBlock => Err(too_slow()),
            other => other,
        }
    }
}

impl Read for Timed {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        let read = self.socket.read(octets);
        self.told(read)
    }
}

impl Write for Timed {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        let written = self.socket.write(octets);
        self.told(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the other side did not come to an end in time")
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::path::{Path, PathBuf};

    use rcgen::{
        BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
        KeyUsagePurpose,
    };
    use rustls::server::WebPkiClientVerifier;
    use rustls::{RootCertStore, ServerConfig, ServerConnection};
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, PrivateKeyDer};

    use super::*;

    const SHORT: Patience = Patience {
        connect: Duration::from_secs(10),
        handshake: Duration::from_millis(300),
        message: Duration::from_secs(10),
        end: Duration::from_millis(300),
    };

    /// An authority with a collector's certificate and a client's, as files.
    struct Authority(tempfile::TempDir);

    impl Authority {
        fn new(name: &str) -> Authority {
            let folder = tempfile::tempdir().unwrap();
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::OrganizationName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
            std::fs::write(folder.path().join("authority.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
            let issuer = Issuer::new(params, key);
            let usages = [("collector", ExtendedKeyUsagePurpose::ServerAuth), ("client", ExtendedKeyUsagePurpose::ClientAuth)];
            for (name, usage) in usages {
                let key = KeyPair::generate().unwrap();
                let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
                params.extended_key_usages = vec![usage];
                write_private(&folder.path().join(format!("{name}.pem")), &params.signed_by(&key, &issuer).unwrap().pem());
                write_private(&folder.path().join(format!("{name}.key")), &key.serialize_pem());
            }
            Authority(folder)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        /// Of a collector that wants to see a certificate of a client.
        fn configuration(&self) -> Arc<ServerConfig> {
            let provider = Arc::new(tls::provider());
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(self.file("authority.pem")).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
            let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
            let chain = vec![CertificateDer::from_pem_file(self.file("collector.pem")).unwrap()];
            let key = PrivateKeyDer::from_pem_file(self.file("collector.key")).unwrap();
            Arc::new(builder.with_client_cert_verifier(verifier).with_single_cert(chain, key).unwrap())
        }

        fn settings(&self, identity: Option<&Authority>) -> PeerSettings {
            PeerSettings {
                host: "localhost".to_owned(),
                port: 1,
                server_name: "localhost".to_owned(),
                authorities: self.file("authority.pem"),
                identity: identity.map(|authority| (authority.file("client.pem"), authority.file("client.key"))),
            }
        }
    }

    fn write_private(path: &Path, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// A port where each connection is handed to a function.
    fn listen(each: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || listener.incoming().for_each(|socket| each(socket.unwrap())));
        address
    }

    fn collector(
        configuration: Arc<ServerConfig>,
        then: impl Fn(StreamOwned<ServerConnection, TcpStream>) + Send + 'static,
    ) -> SocketAddr {
        listen(move |socket| then(StreamOwned::new(ServerConnection::new(Arc::clone(&configuration)).unwrap(), socket)))
    }

    /// Reads to the end and answers it.
    fn take(mut stream: StreamOwned<ServerConnection, TcpStream>) {
        let mut octets = Vec::new();
        if stream.read_to_end(&mut octets).is_ok() && octets == b"hello" {
            stream.conn.send_close_notify();
            let _ = stream.conn.write_tls(&mut stream.sock);
        }
    }

    fn deliver(addresses: &[SocketAddr], settings: &PeerSettings) -> io::Result<()> {
        let mut peer = TlsPeer::connect_to_one(addresses.iter().copied(), settings, SHORT)?;
        peer.send(b"hello")?;
        peer.finish(true)
    }

    #[test]
    fn a_collector_that_wants_a_certificate_is_shown_ours_and_refuses_a_strangers_and_none() {
        let (authority, stranger) = (Authority::new("Hospital CA"), Authority::new("Somebody else"));
        let address = collector(authority.configuration(), take);
        deliver(&[address], &authority.settings(Some(&authority))).unwrap();
        assert!(deliver(&[address], &authority.settings(Some(&stranger))).is_err());
        assert!(deliver(&[address], &authority.settings(None)).is_err());
    }

    #[test]
    fn where_one_address_is_another_machine_the_next_is_tried() {
        let (authority, other) = (Authority::new("Hospital CA"), Authority::new("Hospital CA"));
        let wrong = collector(other.configuration(), take);
        let right = collector(authority.configuration(), take);
        let settings = authority.settings(Some(&authority));
        assert!(deliver(&[wrong], &settings).is_err());
        deliver(&[wrong, right], &settings).unwrap();
        assert_eq!(deliver(&[], &settings).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn who_talks_without_end_is_left() {
        let authority = Authority::new("Hospital CA");
        let settings = authority.settings(Some(&authority));
        let talker = collector(authority.configuration(), |mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
        assert_eq!(deliver(&[talker], &settings).unwrap_err().kind(), io::ErrorKind::TimedOut);
        // An octet of a handshake message at a time, of a length that never comes.
        let dawdler = listen(|mut socket| {
            let mut octets = [22_u8, 3, 3, 0x40, 0].into_iter().chain(std::iter::repeat(2));
            while octets.next().is_some_and(|octet| socket.write_all(&[octet]).is_ok()) {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        assert_eq!(deliver(&[dawdler], &settings).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let silent = listen(std::mem::forget);
        assert_eq!(deliver(&[silent], &settings).unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
