//! The journal's stream of the real program: what is recorded arrives at a collector, whichever of both is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bindery::config::TlsFiles;
use bindery::server::tls;
use common::client::Client;
use common::{ADMIN, Installation, PASSWORD};
use ldap3_proto::proto::LdapResultCode;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What arrived, as octets of each connection.
type Arrived = Arc<Mutex<Vec<Vec<u8>>>>;

/// Listens on a port, or on one of its own, and serves so many connections.
fn collector(configuration: &Arc<ServerConfig>, port: u16, connections: usize, arrived: &Arrived) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (configuration, arrived) = (Arc::clone(configuration), Arc::clone(arrived));
    std::thread::spawn(move || {
        for socket in listener.incoming().take(connections) {
            let connection = ServerConnection::new(Arc::clone(&configuration)).unwrap();
            serve(StreamOwned::new(connection, socket.unwrap()), &arrived);
        }
    });
    port
}

fn serve(mut peer: StreamOwned<ServerConnection, TcpStream>, arrived: &Arrived) {
    let place = {
        let mut arrived = arrived.lock().unwrap();
        arrived.push(Vec::new());
        arrived.len() - 1
    };
    let mut part = [0; 4096];
    while let Ok(read) = peer.read(&mut part) {
        arrived.lock().unwrap()[place].extend_from_slice(&part[..read]);
        if read == 0 {
            peer.conn.send_close_notify();
            let _ = peer.conn.write_tls(&mut peer.sock);
            return;
        }
    }
}

fn sequences(arrived: &Arrived) -> BTreeSet<u64> {
    let mut found = BTreeSet::new();
    for octets in arrived.lock().unwrap().iter() {
        let mut rest = &octets[..];
        while let Some(at) = rest.iter().position(|octet| *octet == b' ') {
            let length: usize = std::str::from_utf8(&rest[..at]).unwrap().parse().unwrap();
            let Some(message) = rest.get(at + 1..at + 1 + length) else { break };
            let message = std::str::from_utf8(message).unwrap();
            let record: serde_json::Value = serde_json::from_str(&message[message.find('{').unwrap()..]).unwrap();
            found.insert(record["seq"].as_u64().unwrap());
            rest = &rest[at + 1 + length..];
        }
    }
    found
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("never: {what}");
}

#[test]
fn nothing_is_lost_whoever_is_killed() {
    let installation = Installation::new();
    let files = TlsFiles {
        certificate: installation.path().join("tls/server.pem"),
        key: installation.path().join("tls/server.key"),
        client_authorities: None,
        revocation_lists: Vec::new(),
    };
    let configuration = tls::server_configuration(&files).unwrap();
    let arrived = Arrived::default();
    // The first collector serves one connection and is gone.
    let port = collector(&configuration, 0, 1, &arrived);
    let mut text = fs::read_to_string(installation.configuration()).unwrap();
    text.push_str(&format!(
        "\n[[journal.stream]]\nname = \"siem\"\naddress = \"localhost:{port}\"\nauthorities = {:?}\n",
        files.certificate.to_str().unwrap()
    ));
    fs::write(installation.configuration(), text).unwrap();
    let bind = |server: &common::Server, password| Client::connect(&server.ldap()).unwrap().bind(ADMIN, password).unwrap();

    let server = installation.serve();
    until("the first records arrive", || !sequences(&arrived).is_empty());
    assert_eq!(bind(&server, PASSWORD), LdapResultCode::Success);
    server.kill();
    // Nobody listens: the next life records all the same.
    let server = installation.serve();
    assert_eq!(bind(&server, PASSWORD), LdapResultCode::Success);
    assert_eq!(bind(&server, "wrong"), LdapResultCode::InvalidCredentials);
    collector(&configuration, port, usize::MAX, &arrived);
    assert_eq!(server.stop(), Some(0));
    let server = installation.serve();
    let last = installation.succeed(&["journal", "export"]).lines().count() as u64;
    until("all that was exported has arrived", || sequences(&arrived).contains(&last));
    assert_eq!(server.stop(), Some(0));
    let exported = installation.succeed(&["journal", "export"]);
    let records: Vec<serde_json::Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let arrived = sequences(&arrived);
    // The export of a stopped installation is a record of its own.
    let stop = records.iter().rposition(|record| record["type"] == "stop").unwrap() as u64 + 1;
    let missing: Vec<u64> = (1..=stop).filter(|sequence| !arrived.contains(sequence)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let stages: Vec<&str> = records
        .iter()
        .filter(|record| record["type"] == "configuration" && record["details"]["stream"] == "siem")
        .filter_map(|record| record["details"]["stage"].as_str())
        .collect();
    assert_eq!(stages, ["started", "started", "stopped", "started", "stopped"]);
}
