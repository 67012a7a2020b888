#!/usr/bin/env python3
"""Writes LDIF of a directory as slapd's administrators keep it: N people, wards, groups, odd names and values."""
import base64
import sys

SUFFIX = "dc=mercy,dc=example"


def entry(dn, *lines):
    if all(31 < ord(letter) < 127 for letter in dn):
        print(f"dn: {dn}")
    else:
        print(f"dn:: {base64.b64encode(dn.encode()).decode()}")
    for name, value in lines:
        value = value if isinstance(value, bytes) else value.encode()
        plain = value and all(31 < octet < 127 for octet in value) and value[:1] not in b" :<" and not value.endswith(b" ")
        print(f"{name}: {value.decode()}" if plain else f"{name}:: {base64.b64encode(value).decode()}")
    print()


def main(count):
    entry(SUFFIX, ("objectClass", "dcObject"), ("objectClass", "organization"), ("dc", "mercy"), ("o", "Mercy Hospital"))
    for name in ("people", "groups", "wards"):
        entry(f"ou={name},{SUFFIX}", ("objectClass", "organizationalUnit"), ("ou", name))
    for number in range(40):
        entry(f"ou=ward {number},ou=wards,{SUFFIX}", ("objectClass", "organizationalUnit"), ("ou", f"ward {number}"),
              ("telephoneNumber", f"+1 555 {number:04}"))
    for number in range(count):
        lines = [("objectClass", "inetOrgPerson"), ("objectClass", "posixAccount"), ("uid", f"u{number}"),
                 ("cn", f"Person Number {number}"), ("sn", ("Müller", "Ñandú", "O'Brien", "Smith, Jr.")[number % 4]),
                 ("uidNumber", str(10000 + number)), ("gidNumber", "100"), ("homeDirectory", f"/home/u{number}"),
                 ("mail", f"u{number}@mercy.example"), ("description;lang-de", f"Mensch {number}"),
                 ("jpegPhoto", bytes([255, 216, 255, number % 256, 0, number // 256])),
                 ("userPassword", "{SSHA}mSsnQhL8AgtkuuyUCb9+DCBFuO8s9Um/")]
        if number > 10:
            lines.append(("manager", f"uid=u{number % 10},ou=people,{SUFFIX}"))
        entry(f"uid=u{number},ou=people,{SUFFIX}", *lines)
    for number in range(100):
        members = [("member", f"uid=u{member},ou=people,{SUFFIX}") for member in range(number, count, 100)]
        entry(f"cn=group {number},ou=groups,{SUFFIX}", ("objectClass", "groupOfNames"), ("cn", f"group {number}"), *members)
        uids = [("memberUid", f"u{member}") for member in range(number, count, 250)]
        entry(f"cn=posix {number},ou=groups,{SUFFIX}", ("objectClass", "posixGroup"), ("cn", f"posix {number}"),
              ("gidNumber", str(500 + number)), *uids)
    entry(f"cn=leads,ou=groups,{SUFFIX}", ("objectClass", "groupOfUniqueNames"), ("cn", "leads"),
          ("uniqueMember", f"uid=u1,ou=people,{SUFFIX}"), ("uniqueMember", f"uid=u2,ou=people,{SUFFIX}#'0101'B"),
          ("uniqueMember", f"uid=gone,ou=people,{SUFFIX}"))
    entry(f"cn=Ärzte\\, leitende+ou=wards,ou=groups,{SUFFIX}", ("objectClass", "groupOfNames"), ("cn", "Ärzte, leitende"),
          ("ou", "wards"), ("member", f"uid=u3,ou=people,{SUFFIX}"))


main(int(sys.argv[1]))
