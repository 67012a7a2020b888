//! Anchors outside: a witness that follows its specification, openssl as an authority of time stamps.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::*;
use crate::config::{TimeStampSettings, WitnessSettings};
use crate::journal::cosignature::tests::{cosign, witness as witness_key};
use crate::journal::note::{Note, SigningKey};
use crate::journal::tree::{Hash, is_consistent};
use crate::journal::{Leaf, TreeHead, time_stamp as stamps};
use crate::model::Timestamp;
use crate::server::tls;
use crate::server::world::SystemEntropy;
use crate::store::disk::RealDisk;

const ORIGIN: &str = "bindery.journal/n";

fn key() -> SigningKey {
    SigningKey::of_seed(ORIGIN, &[9; 32]).unwrap()
}

/// A stored tree of so many leaves, and its checkpoint.
fn tree(data: &Path, leaves: u64, salt: u64) -> (TreeFiles, SignedTreeHead) {
    let files = TreeFiles::new(Arc::new(RealDisk), data);
    let mut writer = files.writer(0, &mut |_| {}).unwrap();
    (0..leaves).for_each(|leaf| writer.push(Leaf::of_line(&format!("{}", leaf * 7 + salt))));
    writer.flush().unwrap();
    let root = writer.tree().root();
    (files, TreeHead { origin: ORIGIN.to_owned(), size: leaves, root, time: Timestamp(1_795_000_000_000_000) }.sign(&key()))
}

/// Answers POSTs on a port of its own, one after the other.
fn serve(mut answer: impl FnMut(&str, &[u8]) -> (u16, Vec<u8>) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let Some((path, body)) = request(&mut socket) else { continue };
            let (status, octets) = answer(&path, &body);
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", octets.len());
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&octets));
        }
    });
    port
}

fn request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut octets, mut part) = (Vec::new(), [0; 1024]);
    loop {
        let read = socket.read(&mut part).ok().filter(|read| *read > 0)?;
        octets.extend_from_slice(&part[..read]);
        let Some(end) = octets.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&octets[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok()).unwrap_or(0);
        if octets.len() >= end + 4 + length {
            let path = head.split(' ').nth(1)?.to_owned();
            return Some((path, octets[end + 4..].to_vec()));
        }
    }
}

/// The state of a witness for one log, and what it answers (c2sp.org/tlog-witness).
fn witness_answers(seed: u8, mut seen: Option<(u64, Hash)>) -> impl FnMut(&str, &[u8]) -> (u16, Vec<u8>) + Send + 'static {
    move |path, body| {
        assert_eq!(path, "/w/add-checkpoint");
        let text = std::str::from_utf8(body).unwrap();
        let (front, note) = text.split_once("\n\n").unwrap();
        let mut lines = front.lines();
        let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
        let proof: Vec<Hash> = lines.map(|line| BASE64_STANDARD.decode(line).unwrap().try_into().unwrap()).collect();
        let head = SignedTreeHead::parse(note).unwrap();
        if head.verify(key().public()).is_err() {
            return (403, Vec::new());
        }
        let (known, root) = seen.unwrap_or((0, [0; 32]));
        if old != known {
            return (409, format!("{known}\n").into_bytes());
        }
        if old == head.head.size && root != head.head.root {
            return (409, format!("{known}\n").into_bytes());
        }
        if !is_consistent((old, root), (head.head.size, head.head.root), &proof) {
            return (422, Vec::new());
        }
        seen = Some((head.head.size, head.head.root));
        let (pair, public) = witness_key("witness.example/w1", seed);
        let other = "— other.example AAAAAAAA\n";
        (200, format!("{other}{}", cosign(&pair, &public, Note::parse(note).unwrap().text, 1_795_000_001)).into_bytes())
    }
}

fn witness(port: u16, data: &Path, files: TreeFiles, seed: u8) -> witness::Witness {
    let (_, public) = witness_key("witness.example/w1", seed);
    let settings = WitnessSettings { url: format!("http://127.0.0.1:{port}/w/"), key: public.clone(), tls_authorities: None };
    let key = WitnessKey::parse(&public).unwrap();
    witness::Witness { settings, key, files, data: data.to_owned(), notary: Arc::default(), known: 0 }
}

#[test]
fn a_witness_cosigns_a_journal_that_grows_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let port = serve(witness_answers(1, None));
    let (files, head) = tree(data, 5, 0);
    let mut anchor = witness(port, data, files, 1);
    anchor.anchor(&head).unwrap();
    let (files, head) = tree(data, 300, 0);
    anchor.anchor(&head).unwrap();
    assert_eq!(anchor.known, 300);
    // Another process does not know what the witness saw, and is told.
    let mut anchor = witness(port, data, files, 1);
    anchor.anchor(&head).unwrap();
    assert_eq!((anchor.known, anchor.notary.trouble()), (300, None));
    let kept = read(&evidence_folder(data)).unwrap();
    assert_eq!(kept.len(), 2, "one of each checkpoint");
    let cosigned = kept.iter().filter_map(|(head, _)| anchor.key.cosigned(&head.note)).count();
    assert!(cosigned == 2 && kept.iter().all(|(head, _)| head.verify(key().public()).is_ok()));
    // An older journal in its place, and another one of the same size and of a larger one.
    for (leaves, salt, how) in [(299, 0, "cut off"), (300, 1, "did not only grow"), (301, 1, "did not only grow")] {
        let folder = tempfile::tempdir().unwrap();
        let (files, head) = tree(folder.path(), leaves, salt);
        let mut anchor = witness(port, folder.path(), files, 1);
        let error = anchor.anchor(&head).unwrap_err();
        assert!(error.contains(how), "{leaves}: {error}");
        assert_eq!(anchor.notary.trouble().unwrap().0, HealthLevel::Red);
        assert!(!evidence_folder(folder.path()).exists());
    }
}

#[test]
fn a_cosignature_by_another_key_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (files, head) = tree(folder.path(), 5, 0);
    let port = serve(witness_answers(2, None));
    let mut anchor = witness(port, folder.path(), files, 1);
    let error = anchor.anchor(&head).unwrap_err();
    assert!(error.contains("without a cosignature by the key"), "{error}");
    assert!(!evidence_folder(folder.path()).exists());
    let port = serve(|_, _| (404, b"unknown log\n".to_vec()));
    let mut anchor = witness(port, folder.path(), anchor.files, 1);
    assert_eq!(anchor.anchor(&head).unwrap_err(), "it answered 404 unknown log");
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let done = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// An authority of time stamps with a key of a kind; its root certificate.
fn authority(folder: &Path, new_key: &[&str]) -> PathBuf {
    std::fs::write(folder.join("extensions"), "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
        .unwrap();
    std::fs::write(
        folder.join("tsa.cnf"),
        "[tsa]\ndefault_tsa=t\n[t]\nserial=./serial\ncrypto_device=builtin\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\n\
         digests=sha256\naccuracy=secs:1\nordering=yes\ntsa_name=yes\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n",
    )
    .unwrap();
    let ca = ["req", "-x509", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Root", "-days", "2"];
    let own = ["req", "-new", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Time"];
    for request in [&ca[..], &own[..]] {
        openssl(folder, &[request, new_key].concat());
    }
    openssl(
        folder,
        &[
            "x509",
            "-req",
            "-in",
            "tsa.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "extensions",
            "-out",
            "tsa.pem",
        ],
    );
    folder.join("ca.pem")
}

fn stamp(folder: &Path, question: &[u8]) -> Vec<u8> {
    std::fs::write(folder.join("question"), question).unwrap();
    let reply = [
        "ts",
        "-reply",
        "-config",
        "tsa.cnf",
        "-queryfile",
        "question",
        "-signer",
        "tsa.pem",
        "-inkey",
        "tsa.key",
        "-out",
        "reply",
    ];
    openssl(folder, &reply);
    std::fs::read(folder.join("reply")).unwrap()
}

#[test]
fn an_authority_stamps_a_checkpoint_and_the_stamp_is_verified_whole() {
    for new_key in [&["-newkey", "rsa:2048"][..], &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]] {
        let folder = tempfile::tempdir().unwrap();
        let root = authority(folder.path(), new_key);
        let of_thread = folder.path().to_owned();
        let port = serve(move |_, question| (200, stamp(&of_thread, question)));
        let (_files, head) = tree(folder.path(), 5, 0);
        let settings =
            TimeStampSettings { url: format!("http://127.0.0.1:{port}/tsa"), authorities: root.clone(), tls_authorities: None };
        let (data, entropy) = (folder.path().to_owned(), Arc::new(SystemEntropy::new()));
        let mut anchor = time_stamp::Authority { settings, data, entropy };
        anchor.anchor(&head).unwrap();
        let kept = read_time_stamps(&evidence_folder(folder.path())).unwrap();
        assert_eq!((kept.len(), &kept[0].head), (1, &head));
        // openssl agrees.
        std::fs::write(folder.path().join("text"), head.text()).unwrap();
        std::fs::write(folder.path().join("token"), &kept[0].token).unwrap();
        openssl(folder.path(), &["ts", "-verify", "-data", "text", "-in", "token", "-token_in", "-CAfile", "ca.pem"]);

        let roots = tls::authorities(&root).unwrap();
        let token = &kept[0].token;
        assert!(stamps::verify(token, head.text(), &roots).unwrap() > Timestamp(0));
        let error = |outcome: Result<Timestamp, stamps::TimeStampError>| outcome.unwrap_err().to_string();
        assert_eq!(error(stamps::verify(token, "another text", &roots)), "it is of something else");
        let strangers = tempfile::tempdir().unwrap();
        let other = tls::authorities(&authority(strangers.path(), new_key)).unwrap();
        assert!(error(stamps::verify(token, head.text(), &other)).contains("is not believed"));
        // No octet can be changed unseen, but those of the one certificate's own signature and the like are seen by the chain.
        for place in (0..token.len()).step_by(7) {
            let mut changed = token.clone();
            changed[place] ^= 1;
            let outcome = stamps::verify(&changed, head.text(), &roots);
            assert!(outcome.is_err() || outcome == stamps::verify(token, head.text(), &roots), "octet {place}");
        }
        let question = stamps::request(head.text(), [1; 8]).unwrap();
        let reply = stamp(folder.path(), &question);
        assert!(stamps::take(&reply, head.text(), [1; 8], &roots).is_ok());
        let wrong = stamps::take(&reply, head.text(), [2; 8], &roots).unwrap_err();
        assert_eq!(wrong.to_string(), "it has another nonce: it answers another question");
    }
}

proptest::proptest! {
    #[test]
    fn no_octets_make_reading_a_time_stamp_panic(octets in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = stamps::verify(&octets, "", &[]);
        let _ = stamps::take(&octets, "", [0; 8], &[]);
    }
}

#[test]
fn a_folder_that_cannot_be_compared_for_a_while_is_compared_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (data, place) = (folder.path().join("data"), folder.path().join("anchors"));
    std::fs::create_dir(&place).unwrap();
    let (files, head) = tree(&data, 5, 0);
    let mut before = folder::Folder(place.clone());
    before.anchor(&head).unwrap();
    let notary = Arc::<NotaryWatch>::default();
    let compared = |files: TreeFiles| Compared {
        folder: folder::Folder(place.clone()),
        key: key().public().clone(),
        files,
        notary: Arc::clone(&notary),
        is_first: true,
    };
    let (of_tree, aside) = (data.join("tree"), data.join("aside"));
    let mut anchor = compared(files);
    std::fs::rename(&of_tree, &aside).unwrap();
    let problem = anchor.anchor(&head).unwrap_err();
    assert!(problem.contains("cannot be compared"), "{problem}");
    assert!(notary.trouble().is_none(), "nothing is known to be wrong with the journal");
    std::fs::rename(&aside, &of_tree).unwrap();
    anchor.anchor(&head).unwrap();
    assert!(notary.trouble().is_none());
    // Another journal under the same anchors is found out.
    let (others, head) = tree(&folder.path().join("other"), 9, 1);
    compared(others).anchor(&head).unwrap();
    let (level, text) = notary.trouble().unwrap();
    assert!(level == HealthLevel::Red && text.contains("begins with other records"), "{text}");
}
