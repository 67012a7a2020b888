"""Guesses passwords at a Bindery server and prints what became of it: see guessing.sh."""

import collections
import hashlib
import hmac
import json
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

SUFFIX = "dc=guess,dc=example"
PEOPLE = 60
# Passwords as the import hashes them; `common` is what a sprayer tries.
COMMON = "Winter2026! Winter2026!"
SECRET = b"12345678901234567890"
RACES = 20
SUCCESS, INVALID = 0, 49


def dn(number):
    return f"uid=person{number},{SUFFIX}"


def password(number):
    return f"person {number} has a long phrase"


def people():
    """LDIF: people, one who is disabled, one without a password, one with codes by counter."""
    for number in range(PEOPLE):
        print(f"dn: {dn(number)}\nobjectClass: inetOrgPerson\nobjectClass: managedAccount\ncn: x\nsn: x\nuserPassword: {password(number)}\n")
    print(f"dn: uid=left,{SUFFIX}\nobjectClass: inetOrgPerson\nobjectClass: managedAccount\ncn: x\nsn: x\n"
          f"accountDisabled: TRUE\nuserPassword: {password('left')}\n")
    print(f"dn: uid=silent,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: x\nsn: x\n")
    print(f"dn: uid=coder,{SUFFIX}\nobjectClass: inetOrgPerson\nobjectClass: oathHOTPUser\nobjectClass: oathHOTPToken\ncn: x\nsn: x\n"
          f"oathHOTPToken: uid=coder,{SUFFIX}\noathSecret: {SECRET.decode()}\nuserPassword: {password('coder')}\n")
    print(f"dn: cn=coder,ou=binds,ou=policies,{SUFFIX}\nobjectClass: bindRule\ncn: coder\nbindApplication: uid=coder,{SUFFIX}\n"
          "bindEffect: require-factor\n")


def code(counter):
    """HOTP (RFC 4226)."""
    digest = hmac.new(SECRET, struct.pack(">Q", counter), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset:offset + 4])[0] & 0x7fffffff) % 1000000:06}"


def tlv(tag, content):
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x82]) + struct.pack(">H", len(content)) + content


class Client:
    """One connection from an address of loopback."""

    def __init__(self, target, source):
        self.socket = socket.create_connection(target, timeout=60, source_address=(source, 0))
        self.buffer = b""
        self.next = 1

    def bind(self, name, secret):
        """The result code of a simple bind; none where the server closed."""
        request = tlv(0x60, b"\x02\x01\x03" + tlv(4, name.encode()) + tlv(0x80, secret.encode()))
        message = tlv(0x30, tlv(2, struct.pack(">I", self.next)) + request)
        self.next += 1
        try:
            self.socket.sendall(message)
            while len(self.buffer) < 2 or len(self.buffer) < 2 + self.buffer[1]:
                read = self.socket.recv(4096)
                if not read:
                    return None
                self.buffer += read
        except OSError:
            return None
        answer, self.buffer = self.buffer[:2 + self.buffer[1]], self.buffer[2 + self.buffer[1]:]
        # SEQUENCE, messageID, [APPLICATION 1], resultCode ENUMERATED
        protocol_operation = 4 + answer[3]
        return answer[protocol_operation + 4]

    def close(self):
        self.socket.close()


class Attacks:
    def __init__(self, target, program, configuration):
        self.target, self.program, self.configuration = target, program, configuration
        self.rows, self.problems = [], []

    def once(self, source, name, secret):
        client = Client(self.target, source)
        answer = client.bind(name, secret)
        client.close()
        return answer

    def expect(self, what, is_so):
        if not is_so:
            self.problems.append(what)

    def row(self, name, source, answers, others):
        count = collections.Counter(answers)
        self.rows.append((name, source, len(answers), count[SUCCESS], count[INVALID], len(answers) - count[SUCCESS] - count[INVALID], others))

    def spray(self):
        source, client = "127.0.0.61", Client(self.target, "127.0.0.61")
        answers = [client.bind(dn(number), COMMON) for number in range(PEOPLE)]
        client.close()
        get_in = [self.once("127.0.0.7", dn(number), password(number)) for number in range(PEOPLE)]
        self.expect("a sprayed password let somebody in", SUCCESS not in answers)
        self.expect("spraying kept somebody out", set(get_in) == {SUCCESS})
        self.row("spraying: one password, every account", source, answers, f"{get_in.count(SUCCESS)} of {PEOPLE} get in")

    def stuff(self):
        source, client = "127.0.0.62", Client(self.target, "127.0.0.62")
        pairs = [(f"uid=other{number},{SUFFIX}", "what was stolen elsewhere") for number in range(30)]
        pairs += [(dn(number), "what was stolen elsewhere") for number in range(20)]
        pairs += [(dn(number), password(number)) for number in range(20, 23)]
        answers = [client.bind(*pair) for pair in pairs]
        client.close()
        self.expect("stuffing: other pairs than the right ones succeeded", answers.count(SUCCESS) == 3 and answers[-3:] == [SUCCESS] * 3)
        self.row("stuffing: 50 stolen pairs, 3 that are right here", source, answers, "right ones get in: a second factor helps")

    def lock_out(self):
        source, client = "127.0.0.63", Client(self.target, "127.0.0.63")
        answers = [client.bind(dn(30), f"guess {number}") for number in range(60)]
        guessed = client.bind(dn(30), password(30))
        client.close()
        ward = self.once("127.0.0.7", dn(30), password(30))
        self.expect("a guesser who must wait was let in", guessed == INVALID)
        self.expect("a guesser at another address kept the ward out", ward == SUCCESS)
        self.row("locking out: 60 guesses at one account", source, answers + [guessed], "the ward gets in")

    def lock_out_from_everywhere(self):
        answers = []
        for number in range(51):
            client = Client(self.target, f"127.0.2.{number + 1}")
            answers += [client.bind(dn(31), "guess"), client.bind(dn(31), "another guess")]
            client.close()
        ward = self.once("127.0.0.7", dn(31), password(31))
        self.expect("the hundred failures of NIST SP 800-63B-4 lock nobody", ward == INVALID)
        self.row("the same from 51 addresses, 102 guesses", "127.0.2.*", answers, "locked at 100, by design")

    def replay(self):
        source, answers, rounds = "127.0.0.64", [], []
        for counter in range(RACES):
            secret, together = password("coder") + code(counter), threading.Barrier(2)
            got = [None, None]

            def race(number):
                client = Client(self.target, source)
                together.wait()
                got[number] = client.bind(f"uid=coder,{SUFFIX}", secret)
                client.close()

            threads = [threading.Thread(target=race, args=(number,)) for number in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            answers += got
            rounds.append(got.count(SUCCESS))
        late = self.once(source, f"uid=coder,{SUFFIX}", password("coder") + code(0))
        self.expect(f"successes of two racing binds with one code: {rounds}", rounds == [1] * RACES)
        self.expect("an old code let somebody in", late == INVALID)
        self.row(f"replay: {RACES} codes, each twice at once", source, answers + [late], "exactly one of each two")

    def timing(self):
        kinds = {
            "unknown name": (f"uid=nobody,{SUFFIX}", "a phrase that is wrong"),
            "no password stored": (f"uid=silent,{SUFFIX}", "a phrase that is wrong"),
            "disabled, wrong password": (f"uid=left,{SUFFIX}", "a phrase that is wrong"),
            "disabled, right password": (f"uid=left,{SUFFIX}", password("left")),
            "locked, right password": (dn(31), password(31)),
        }
        taken, answers = {name: [] for name in kinds}, []
        for number in range(30):
            for name, (who, secret) in kinds.items():
                # A try each from an address of its own: nobody waits.
                client = Client(self.target, f"127.0.3.{number + 1}")
                before = time.perf_counter()
                answers.append(client.bind(who, secret))
                taken[name].append((time.perf_counter() - before) * 1000)
                client.close()
        self.row("timing: 30 tries of 5 kinds of refusals", "127.0.3.*", answers, "see below")
        self.expect("a refusal of the timing attack was none", set(answers) == {INVALID})
        return taken

    def journal(self):
        lines = subprocess.run([self.program, "journal", "export", "--config", self.configuration], check=True, capture_output=True, text=True)
        reasons = collections.defaultdict(collections.Counter)
        for line in lines.stdout.splitlines():
            record = json.loads(line)
            if record.get("type") == "bind" and "peer" in record:
                source = record["peer"].rsplit(":", 1)[0]
                family = source if source.startswith("127.0.0.") else source.rsplit(".", 1)[0] + ".*"
                reasons[family][record.get("reason", "let in")] += 1
        return reasons

    def locked(self):
        """Accounts that say that they are locked, for good or for now, by `bindery account show`."""
        found = []
        for number in range(PEOPLE):
            command = [self.program, "account", "show", f"person{number}", "--format", "jsonl", "--config", self.configuration]
            shown = subprocess.run(command, capture_output=True, text=True)
            report = json.loads(shown.stdout)
            if any("locked" in barrier["reason"] for barrier in report["barriers"]):
                found.append(number)
        return found


def attack(address, program, configuration):
    host, port = address.rsplit(":", 1)
    attacks = Attacks((host, int(port)), program, configuration)
    attacks.spray()
    attacks.stuff()
    attacks.lock_out()
    attacks.lock_out_from_everywhere()
    attacks.replay()
    taken = attacks.timing()
    locked, journal = attacks.locked(), attacks.journal()
    attacks.expect(f"locked are {locked}", locked == [31])
    print(f"{'attack':52} {'from':12} {'tries':>6} {'let in':>7} {'49':>5} {'other':>6}  what became of others")
    for name, source, tries, succeeded, refused, other, others in attacks.rows:
        print(f"{name:52} {source:12} {tries:6} {succeeded:7} {refused:5} {other:6}  {others}")
    print(f"\naccounts that are locked: {', '.join(f'person{number}' for number in locked) or 'none'}")
    print("\nwhat the journal says of binds")
    for source in sorted(journal):
        for reason, count in journal[source].most_common():
            print(f"  {source:12} {count:6}  {reason}")
    print(f"\n{'how long refusals took':28} {'p5 ms':>8} {'p50 ms':>8} {'p95 ms':>8}")
    for name, durations in taken.items():
        durations.sort()
        print(f"{name:28} {durations[1]:8.2f} {statistics.median(durations):8.2f} {durations[-2]:8.2f}")
    for problem in attacks.problems:
        print(f"WRONG: {problem}")
    return 1 if attacks.problems else 0


if __name__ == "__main__":
    if sys.argv[1] == "people":
        people()
    else:
        sys.exit(attack(*sys.argv[2:5]))
