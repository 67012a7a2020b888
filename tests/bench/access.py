#!/usr/bin/env python3
"""What access rules cost: the server's own CPU time of a search for one uid, by a service that may read people, with 200 rules beside
those that it needs and without, and with ten times the people.

    tests/bench/access.py BINDERY [ROUNDS]

BINDERY is a program built with `cargo build --release`. Three servers run side by side and are asked in turns; the figures are medians over
the rounds (15 unless given), each of 16,000 searches over 32 connections with one request outstanding on each. Nothing is judged.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SUFFIX = "dc=bench,dc=example"
FOLDER = f"ou=access,ou=policies,{SUFFIX}"
READER = f"uid=reader,{SUFFIX}"
PASSWORD = b"a service reads what it may"
CONNECTIONS, SEARCHES, RULES = 32, 16_000, 200


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def message(number, operation):
    return tlv(0x30, tlv(0x02, number.to_bytes(4, "big")), operation)


def bind(number):
    return message(number, tlv(0x60, tlv(0x02, b"\x03"), tlv(0x04, READER.encode()), tlv(0x80, PASSWORD)))


def search(number, uid):
    names = [tlv(0x04, name) for name in (b"cn", b"sn", b"mail", b"telephoneNumber", b"title", b"departmentNumber")]
    return message(number, tlv(
        0x63, tlv(0x04, f"ou=people,{SUFFIX}".encode()), tlv(0x0A, b"\x02"), tlv(0x0A, b"\x00"), tlv(0x02, b"\x00"),
        tlv(0x02, b"\x00"), tlv(0x01, b"\x00"), tlv(0xA3, tlv(0x04, b"uid"), tlv(0x04, uid)), tlv(0x30, *names)))


class Client:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending = b""

    def receive(self):
        """One message: the tag of its operation, and its octets."""
        while True:
            if len(self.pending) >= 6:
                size, header = self.pending[1], 2
                if size & 0x80:
                    header += size & 0x7F
                    size = int.from_bytes(self.pending[2:header], "big")
                if len(self.pending) >= header + size:
                    octets, self.pending = self.pending[:header + size], self.pending[header + size:]
                    return octets[header + 2 + octets[header + 1]], octets
            more = self.socket.recv(65536)
            if not more:
                sys.exit("access.py: the server closed the connection")
            self.pending += more


def rule(name, **attributes):
    text = f"dn: cn={name},{FOLDER}\nobjectClass: accessRule\n"
    for attribute, values in attributes.items():
        for value in values if isinstance(values, list) else [values]:
            text += f"{attribute}: {value}\n"
    return text + "\n"


def ldif(people, rules):
    text = f"dn: {READER}\nobjectClass: account\nobjectClass: simpleSecurityObject\nuserPassword: {PASSWORD.decode()}\n\n"
    text += f"dn: ou=people,{SUFFIX}\nobjectClass: organizationalUnit\n\ndn: ou=groups,{SUFFIX}\nobjectClass: organizationalUnit\n\n"
    for number in range(20):
        text += f"dn: ou=ward{number},{SUFFIX}\nobjectClass: organizationalUnit\n\n"
    yield text
    for number in range(people):
        yield (f"dn: uid=u{number},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: Person {number}\nsn: Name{number % 997}\n"
               f"mail: u{number}@bench.example\ntelephoneNumber: +1 555 {number:07}\ntitle: nurse\n"
               f"departmentNumber: {number % 100}\ndescription: made up\n\n")
    # The reader is in half of the groups.
    for number in range(50):
        member = READER if number % 2 else f"uid=u{number},ou=people,{SUFFIX}"
        yield f"dn: cn=g{number},ou=groups,{SUFFIX}\nobjectClass: groupOfNames\nmember: {member}\n\n"
    yield rule("reader", accessSubject=f"entry:{READER}", accessRight=["search", "read"], accessAttribute="*", accessEffect="allow")
    for number in range(rules):
        ward, group = f"ou=ward{number % 20},{SUFFIX}", f"group:cn=g{number // 4},ou=groups,{SUFFIX}"
        yield [
            rule(f"r{number}", accessSubject=group, accessTarget=f"ou=people,{SUFFIX}", accessFilter="(objectClass=person)",
                 accessAttribute=["title", "mail"], accessRight=["search", "read", "replace"], accessEffect="allow"),
            rule(f"r{number}", accessSubject="authenticated", accessTarget=ward, accessAttribute="homePhone",
                 accessRight=["search", "read"], accessEffect="deny"),
            rule(f"r{number}", accessSubject=group, accessTarget=ward, accessScope="children", accessAttribute="@person",
                 accessRight="all", accessEffect="allow"),
            rule(f"r{number}", accessSubject="authenticated", accessFilter=f"(departmentNumber={number // 4})",
                 accessAttribute="employeeNumber", accessRight=["search", "read"], accessEffect="allow"),
        ][number % 4]


class Server:
    def __init__(self, program, folder, people, rules):
        self.people = people
        os.makedirs(folder)
        password, entries = f"{folder}/password", f"{folder}/entries.ldif"
        with open(password, "w") as file:
            file.write("bench admin pass phrase")
        with open(entries, "w") as file:
            file.writelines(ldif(people, rules))
        config = f"{folder}/bindery/bindery.toml"
        subprocess.run(
            [program, "init", f"{folder}/bindery", "--suffix", SUFFIX, "--admin-password-file", password, "--ldap", "127.0.0.1:0",
             "--ldaps", "127.0.0.1:0", "--waive", "clear-text", "--waiver-reason", "benchmark on loopback"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run([program, "import", "--config", config, entries], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.remove(entries)
        self.process = subprocess.Popen([program, "serve", "--config", config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline()
        address = next(word for word in ready.split() if word.startswith("ldap://"))[len("ldap://"):]
        self.clients = [Client(address) for _ in range(CONNECTIONS)]
        for client in self.clients:
            client.socket.sendall(bind(1))
            _, octets = client.receive()
            if b"\x0a\x01\x00" not in octets:
                sys.exit(f"access.py: the login failed: {octets.hex()}")

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def measure(self, turn):
        """Microseconds of the server's CPU for one search."""
        before, number = self.cpu(), turn * 7919
        for begun in range(0, SEARCHES, CONNECTIONS):
            for client in self.clients:
                number = (number * 48271 + 11) % 2147483647
                client.socket.sendall(search(begun + 2, b"u%d" % (number % self.people)))
            for client in self.clients:
                tag, octets = client.receive()
                if tag != 0x64 or b"mail" not in octets:
                    sys.exit(f"access.py: an entry is expected: {octets.hex()}")
                if client.receive()[0] != 0x65:
                    sys.exit("access.py: the end of the search is expected")
        return (self.cpu() - before) * 1e6 / SEARCHES


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else sys.exit(__doc__)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    kinds = [("few rules, 10,000 people", 10_000, 0), (f"{RULES} more, 10,000 people", 10_000, RULES),
             (f"{RULES} more, 100,000 people", 100_000, RULES)]
    with tempfile.TemporaryDirectory() as folder:
        servers = [Server(program, f"{folder}/{number}", people, rules) for number, (_, people, rules) in enumerate(kinds)]
        try:
            for server in servers:
                server.measure(1)
            measured = [[] for _ in kinds]
            for turn in range(rounds):
                for place in range(len(kinds)):
                    place = (place + turn) % len(kinds)
                    measured[place].append(servers[place].measure(turn + 2))
        finally:
            for server in servers:
                server.process.terminate()
                server.process.wait()
    medians = [statistics.median(values) for values in measured]
    for (name, _, _), values, median in zip(kinds, measured, medians):
        print(f"{name:30} {median:6.1f} us of CPU a search (least {min(values):.1f}, most {max(values):.1f})")
    print(f"cost of {RULES} rules: {100 * (medians[1] / medians[0] - 1):+.1f} %")
    print(f"cost of 100,000 people instead of 10,000: {100 * (medians[2] / medians[1] - 1):+.1f} %")
    print(time.strftime("%Y-%m-%d"))


main()
