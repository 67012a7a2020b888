#!/usr/bin/env python3
"""What sessions.sh measures: many sessions are opened; then one account is disabled, and then an entry below ou=policies changed, while
another process searches, one search after the other on one connection.

Printed: memory of the server with a tenth of the sessions (the hash pool has its memory by then) and with all; the time from sending each change
to its answer and to the last socket that was closed; median and 99th percentile of the searches in the second before each change and in the
second after it. The client runs on the same machine and takes processor time too.
"""

import multiprocessing
import select
import socket
import sys
import time

SUFFIX = "dc=bench,dc=example"
PER_ACCOUNT = 100
PER_ADDRESS = 50
PASSWORD = "all of them know this one"


def element(tag, *parts):
    content = b"".join(parts)
    length = len(content)
    octets = bytes([length]) if length < 128 else b"\x84" + length.to_bytes(4, "big")
    return bytes([tag]) + octets + content


def integer(number, tag=2):
    return element(tag, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def text(value, tag=4):
    return element(tag, value.encode())


def message(number, operation):
    return element(0x30, integer(number), operation)


def bind(name, password):
    return message(1, element(0x60, integer(3), text(name), text(password, 0x80)))


def replace(name, attribute, value):
    change = element(0x30, integer(2, 10), element(0x30, text(attribute), element(0x31, text(value))))
    return message(2, element(0x66, text(name), element(0x30, change)))


def search(number, uid):
    limits = integer(2, 10) + integer(0, 10) + integer(0) + integer(0) + element(1, b"\0")
    return message(number, element(0x63, text(SUFFIX), limits, element(0xA3, text("uid"), text(uid)), element(0x30)))


class Client:
    """A connection; replies are read whole."""

    def __init__(self, port, source=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60, source_address=source and (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""

    def send(self, octets):
        self.socket.sendall(octets)

    def whole(self):
        """The first reply: its operation's tag and content; none while it is not whole."""
        if len(self.unread) < 2:
            return None
        length, at = self.unread[1], 2
        if length >= 0x80:
            at += length & 0x7F
            if len(self.unread) < at:
                return None
            length = int.from_bytes(self.unread[2:at], "big")
        if len(self.unread) < at + length:
            return None
        content, self.unread = self.unread[at:at + length], self.unread[at + length:]
        operation = content[2 + content[1]:]
        start = 2 + (operation[1] & 0x7F if operation[1] >= 0x80 else 0)
        return operation[0], operation[start:]

    def receive(self):
        while (reply := self.whole()) is None:
            octets = self.socket.recv(65536)
            if not octets:
                raise SystemExit("sessions.py: the server closed a connection")
            self.unread += octets
        return reply

    def ask(self, octets):
        """Sends a request that must succeed; how many entries came before its result."""
        self.send(octets)
        entries = 0
        while (reply := self.receive())[0] == 0x64:
            entries += 1
        if reply[1][2] != 0:
            raise SystemExit(f"sessions.py: the server answered {reply[1][2]}: {reply[1][3:]!r}")
        return entries


def accounts(sessions):
    return max(2, -(-sessions // PER_ACCOUNT))


def name(account):
    return f"uid=p{account},ou=staff,{SUFFIX}"


def people(sessions):
    print(f"dn: ou=staff,{SUFFIX}\nobjectClass: organizationalUnit\nou: staff\n")
    for account in range(accounts(sessions)):
        print(f"dn: {name(account)}\nobjectClass: inetOrgPerson\nobjectClass: managedAccount\nuid: p{account}\ncn: P {account}")
        print(f"sn: P\nuserPassword: {PASSWORD}\n")


def searcher(port, account, pipe):
    """Searches until it is told to stop; tells when each search ended and how long it took."""
    client = Client(port)
    client.ask(bind(name(account), PASSWORD))
    taken, number = [], 2
    while not pipe.poll():
        start = time.monotonic()
        if client.ask(search(number, f"p{number % account}")) > 1:
            raise SystemExit("sessions.py: a uid was found twice")
        end = time.monotonic()
        taken.append((end, end - start))
        number = number % 30000 + 1
    pipe.send(taken)


def percentiles(taken, start, end):
    times = sorted(duration for at, duration in taken if start <= at < end)
    if not times:
        return "no search ended"
    at = lambda part: times[min(len(times) - 1, int(len(times) * part))] * 1e6
    return f"{len(times)} searches, p50 {at(0.5):.0f} us, p99 {at(0.99):.0f} us, longest {times[-1] * 1e6:.0f} us"


def resident(server):
    with open(f"/proc/{server}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def wait_for_ends(clients, most):
    """When the last of them was closed by the server, and how many were not within `most` seconds."""
    open_ones = {client.socket.fileno(): client for client in clients}
    poll = select.epoll()
    for descriptor in open_ones:
        poll.register(descriptor, select.EPOLLIN | select.EPOLLRDHUP)
    last, end = time.monotonic(), time.monotonic() + most
    while open_ones and (left := end - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left):
            try:
                closed = not open_ones[descriptor].socket.recv(65536)
            except ConnectionResetError:
                closed = True
            if closed:
                poll.unregister(descriptor)
                open_ones.pop(descriptor).socket.close()
                last = time.monotonic()
    return last, len(open_ones)


def run(sessions, port, server, password):
    admin = Client(port)
    admin.ask(bind(f"cn=admin,{SUFFIX}", password))
    start, of_account = time.monotonic(), []
    for number in range(sessions):
        address = number // PER_ADDRESS
        client = Client(port, f"127.0.{1 + address // 250}.{1 + address % 250}")
        client.ask(bind(name(number // PER_ACCOUNT), PASSWORD))
        of_account.append(client)
        if len(of_account) == sessions // 10:
            before = resident(server)
    taken = time.monotonic() - start
    with_them = resident(server)
    print(f"{sessions} sessions of {accounts(sessions)} accounts, opened in {taken:.0f} s")
    each = (with_them - before) * 1024 // (sessions - sessions // 10)
    print(f"resident: {before} KB with a tenth of them, {with_them} KB with all: {each} octets a session")

    ours, theirs = multiprocessing.Pipe()
    # An account of which no session ends here.
    process = multiprocessing.Process(target=searcher, args=(port, accounts(sessions) - 1, theirs))
    if sessions % PER_ACCOUNT == 0:
        of_account.pop().socket.close()
    process.start()
    time.sleep(2)
    leaver, moments = of_account[:PER_ACCOUNT], []

    sent = time.monotonic()
    admin.ask(replace(name(0), "accountDisabled", "TRUE"))
    answered = time.monotonic()
    last, left = wait_for_ends(leaver, 10)
    outcome = f"last socket closed after {1e3 * (last - sent):.1f} ms, {left} left"
    moments.append((f"one account disabled, {len(leaver)} sessions", sent, answered, outcome))
    time.sleep(2)
    sent = time.monotonic()
    admin.ask(replace(f"ou=policies,{SUFFIX}", "description", "changed"))
    answered = time.monotonic()
    _, left = wait_for_ends(of_account[PER_ACCOUNT:], 1)
    ended = len(of_account) - PER_ACCOUNT - left
    moments.append(("an entry below ou=policies changed: all sessions look", sent, answered, f"{ended} sessions ended"))
    time.sleep(1)
    ours.send(None)
    taken = ours.recv()
    process.join()
    for what, sent, answered, outcome in moments:
        print(f"{what}: answered after {1e3 * (answered - sent):.1f} ms, {outcome}")
        print(f"    the second before: {percentiles(taken, sent - 1, sent)}")
        print(f"    the second after:  {percentiles(taken, sent, sent + 1)}")


if __name__ == "__main__":
    if sys.argv[1] == "people":
        people(int(sys.argv[2]))
    else:
        with open(sys.argv[5]) as file:
            run(int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), file.read())
