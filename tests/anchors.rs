//! Anchors outside the machine, with the real program: a witness and an authority of time stamps say what they saw, and anybody verifies it offline.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::{Installation, bindery};

const WITNESS: &str = "witness.example/w1";

fn openssl(folder: &Path, arguments: &[&str]) {
    let done = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// An authority of time stamps, as openssl has one.
fn authority(folder: &Path) {
    let config = "[tsa]\ndefault_tsa=t\n[t]\nserial=./serial\ncrypto_device=builtin\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\n\
                  digests=sha256\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n";
    fs::write(folder.join("tsa.cnf"), config).unwrap();
    fs::write(folder.join("extensions"), "extendedKeyUsage=critical,timeStamping\n").unwrap();
    let kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let root = ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Root", "-days", "2"];
    let own = ["req", "-new", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Time"];
    openssl(folder, &[&root[..], &kind].concat());
    openssl(folder, &[&own[..], &kind].concat());
    let sign = ["x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    openssl(folder, &[&sign[..], &["-extfile", "extensions", "-out", "tsa.pem"]].concat());
}

fn stamp(folder: &Path, question: &[u8]) -> Vec<u8> {
    fs::write(folder.join("question"), question).unwrap();
    let reply = ["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question", "-signer", "tsa.pem", "-inkey", "tsa.key"];
    openssl(folder, &[&reply[..], &["-out", "reply"]].concat());
    fs::read(folder.join("reply")).unwrap()
}

/// A witness that saw nothing yet and cosigns what it is shown.
fn cosign(pair: &Ed25519KeyPair, id: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(body).unwrap();
    let note = text.split_once("\n\n").unwrap().1;
    let signed = &note[..note.rfind("\n\n").unwrap() + 1];
    let seconds = 1_795_000_000_u64;
    let mut octets = id.to_vec();
    octets.extend(seconds.to_be_bytes());
    octets.extend(pair.sign(format!("cosignature/v1\ntime {seconds}\n{signed}").as_bytes()).as_ref());
    format!("— {WITNESS} {}\n", BASE64_STANDARD.encode(octets)).into_bytes()
}

fn witness_key(pair: &Ed25519KeyPair) -> ([u8; 4], String) {
    let typed: Vec<u8> = std::iter::once(4).chain(pair.public_key().as_ref().iter().copied()).collect();
    let hash = digest::digest(&digest::SHA256, &[WITNESS.as_bytes(), b"\n", &typed].concat());
    let id: [u8; 4] = hash.as_ref()[..4].try_into().unwrap();
    let hex: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
    (id, format!("{WITNESS}+{hex}+{}", BASE64_STANDARD.encode(typed)))
}

/// Answers POSTs on a port of its own.
fn serve(answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let (mut octets, mut part) = (Vec::new(), [0; 1024]);
            let (path, body) = loop {
                let read = socket.read(&mut part).unwrap();
                octets.extend_from_slice(&part[..read]);
                let Some(end) = octets.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
                let head = String::from_utf8_lossy(&octets[..end]).to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap();
                if octets.len() >= end + 4 + length {
                    break (head.split(' ').nth(1).unwrap().to_owned(), octets[end + 4..].to_vec());
                }
            };
            let body = answer(&path, &body);
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
        }
    });
    port
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_outsiders_saw_is_kept_handed_out_and_verified_without_the_server() {
    let installation = Installation::new();
    let time = installation.folder.path().join("time");
    fs::create_dir(&time).unwrap();
    authority(&time);
    let pair = Ed25519KeyPair::from_seed_unchecked(&[5; 32]).unwrap();
    let (id, public) = witness_key(&pair);
    let of_thread = time.clone();
    let port = serve(move |path, body| match path {
        "/w/add-checkpoint" => cosign(&pair, &id, body),
        _ => stamp(&of_thread, body),
    });
    let plain = fs::read_to_string(installation.configuration()).unwrap();
    let root = time.join("ca.pem");
    let text = format!(
        "{plain}\n[journal]\nstrict = true\n[[journal.anchors.witness]]\nurl = \"http://127.0.0.1:{port}/w\"\nkey = \"{public}\"\n\
         [[journal.anchors.time-stamp]]\nurl = \"http://127.0.0.1:{port}/tsa\"\nauthorities = {:?}\n",
        root.to_str().unwrap()
    );
    fs::write(installation.configuration(), text).unwrap();
    // The first checkpoint is anchored when the server starts, the last one when it stops.
    assert_eq!(installation.serve().stop(), Some(0));
    let evidence = installation.path().join("data/anchors");
    let whole = installation.run(&["journal", "verify"]);
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    for words in ["are as they were written", "cosigned by witness.example/w1: ", "stamped by an authority: "] {
        assert!(said(&whole).contains(words), "{words}: {}", said(&whole));
    }

    // A stranger has the bundle and three public files.
    let elsewhere = tempfile::tempdir().unwrap();
    let at = |name: &str| elsewhere.path().join(name).to_str().unwrap().to_owned();
    installation.succeed(&["journal", "evidence", "--from", "1", "--to", "2", "--for", "an auditor", "--out", &at("bundle")]);
    fs::copy(installation.path().join("keys/journal.pub"), at("journal.pub")).unwrap();
    fs::copy(&root, at("ca.pem")).unwrap();
    fs::write(at("witness.pub"), format!("{public}\n")).unwrap();
    let verify = |bundle: &str, authorities: &str| {
        let keys = ["--key", &at("journal.pub"), "--witness-key", &at("witness.pub"), "--time-stamp-authorities", authorities];
        bindery(&[&["journal", "verify", bundle][..], &keys].concat())
    };
    let good = verify(&at("bundle"), &at("ca.pem"));
    assert_eq!(good.status.code(), Some(0), "{}", said(&good));
    assert!(
        said(&good).contains("cosigned by witness.example/w1: ") && said(&good).contains("stamped by an authority: "),
        "{}",
        said(&good)
    );
    // Somebody else's authority did not stamp it.
    let strange = elsewhere.path().join("strange");
    fs::create_dir(&strange).unwrap();
    authority(&strange);
    let bad = verify(&at("bundle"), strange.join("ca.pem").to_str().unwrap());
    assert_eq!(bad.status.code(), Some(1), "{}", said(&bad));

    // A cosignature that does not fit is found, and a stamp that is of something else.
    for (ending, flip) in [(".cosigned.checkpoint", b'A'), (".tst", 0)] {
        let file =
            fs::read_dir(&evidence).unwrap().map(|item| item.unwrap().path()).find(|it| it.to_str().unwrap().ends_with(ending));
        let file = file.unwrap();
        let octets = fs::read(&file).unwrap();
        let mut changed = octets.clone();
        let place = changed.len() - 20;
        changed[place] = if changed[place] == flip { flip + 1 } else { flip };
        fs::remove_file(&file).unwrap();
        fs::write(&file, &changed).unwrap();
        let found = installation.run(&["journal", "verify"]);
        assert_eq!(found.status.code(), Some(1), "{ending}: {}", said(&found));
        fs::write(&file, &octets).unwrap();
    }
    // Without any anchor, strict mode starts nothing.
    fs::write(installation.configuration(), format!("{plain}\n[journal]\nstrict = true\n")).unwrap();
    let refused = installation.run(&["serve"]);
    assert!(!refused.status.success() && said(&refused).contains("journal.strict: needs an anchor"), "{}", said(&refused));
}
