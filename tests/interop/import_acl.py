#!/usr/bin/env python3
"""Access directives of slapd, translated by `bindery import-acl`, against slapd's own slapacl: for sets of directives, people, entries and
attributes, what Bindery allows is what slapd allows where all of a set was translated, and never more in any case.

    tests/interop/import_acl.py [PROGRAM]

Needs Debian's slapd (slapadd, slapacl) and python3-ldap; starts a Bindery of its own on loopback. Ends with 1 at the first difference.
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import ldap
import ldap.controls
import ldif

SUFFIX = "dc=mercy,dc=example"
RULES = f"ou=access,ou=policies,{SUFFIX}"
PEOPLE = f"ou=people,{SUFFIX}"
SECRET = f"ou=secret,ou=people,{SUFFIX}"
HR, IT = f"cn=hr,ou=groups,{SUFFIX}", f"cn=it,ou=groups,{SUFFIX}"
ANNA, BERT, CARL = f"uid=anna,{PEOPLE}", f"uid=bert,{PEOPLE}", f"uid=carl,{SECRET}"
WHO = ["", ANNA, BERT, CARL, f"uid=dora,{PEOPLE}"]
ENTRIES = [SUFFIX, PEOPLE, ANNA, BERT, SECRET, CARL, HR]
ATTRIBUTES = ["objectClass", "cn", "sn", "mail", "title", "telephoneNumber", "description", "manager", "member", "userPassword", "entryUUID"]
EFFECTIVE_RIGHTS = "1.3.6.1.4.1.42.2.27.9.5.2"

PASSWORDS = "to attrs=userPassword by self write by anonymous auth by * none"
# Directives, and whether all of them have rules that mean the same.
SETS = [
    (True, [PASSWORDS, "to attrs=shadowLastChange by self write by * read", "to * by * read"]),
    (True, [PASSWORDS, "to * by self write by users read by * none"]),
    (True, [f'to * by dn.exact="{ANNA}" manage by * break', PASSWORDS, "to * by users read"]),
    (True, [PASSWORDS, f'to dn.subtree="{PEOPLE}" by group.exact="{HR}" write by users read', "to * by users read"]),
    (True, ['to attrs=mail,telephoneNumber by dnattr=manager write by self write by users read by * none',
            'to attrs=@person by users compare by * none', 'to * by users read by * none']),
    (True, [f'to dn.base="{SUFFIX}" by * read', f'to dn.one="{SUFFIX}" by users read', f'to dn.children="{PEOPLE}" by users read']),
    (True, ['to filter=(title=Nurse) attrs=mail by users none', 'to * by users read']),
    (True, [f'to dn.base="{BERT}" attrs=description by dn="{ANNA}" read by * none', 'to * by users read']),
    (True, ['to attrs=!person by users read', 'to attrs=entry,@person by users compare']),
    (True, ['to * by users =rsc by anonymous =x']),
    (True, ['to * by users +sr', 'to * by * write']),
    (True, [f'to dn.subtree="{SECRET}" by group/groupOfNames/member="{HR}" read by * none',
            f'to dn.base="{ANNA}" by users read', f'to dn.base="{PEOPLE}" by users read']),
    (False, [f'to dn.subtree="{SECRET}" by group="{HR}" read by * none', f'to dn.one="{PEOPLE}" by users read']),
    (True, ['to attrs=name by users read', 'to attrs=entry by users read']),
    # What only some of it has rules for: never more than slapd gives.
    (False, [f'to dn.subtree="{SECRET}" by group="{HR}" read by * none', 'to * by users read']),
    (False, ['to * by group="' + HR + '" read by group="' + IT + '" write by * none']),
    (False, ['to * by anonymous read by users none']),
    (False, ['to dn.regex="^uid=([^,]+),ou=people,dc=mercy,dc=example$" by dn.exact,expand="$0" write by * none', 'to * by users read']),
    (False, ['to attrs=mail val.regex=".*@mercy.example" by users none', 'to * by users read']),
    (False, ['to * by users =cs continue by self +r', 'to * by * read']),
    (False, ['to attrs=cn by * =cs break', 'to * by users +r']),
    (False, ['to attrs=member by users selfwrite by * read', 'to * by users read']),
    (False, ['to * by users ssf=128 read by users search by * none']),
    (False, ['to * by set="user/manager & this" write by users read']),
    (False, ['to attrs=title by users search', 'to * by users search by * none']),
    (False, ['to attrs=mail by users read', 'to attrs=cn by * none', 'to attrs=entry by self read']),
    (False, [f'to dn.children="{PEOPLE}" by group="{HR}" write by users read', 'to * by users read']),
    (True, [f'to dn.subtree="{PEOPLE}" attrs=entry,children by dn="{ANNA}" write by users read', 'to * by users read']),
    (False, [f'to filter=(objectClass=inetOrgPerson) by dn="{ANNA}" write by self read', 'to * by users read']),
    (False, ['to attrs=userPassword by self =a by * none', 'to * by users read']),
    (True, [f'to dn.subtree="{SUFFIX}" by peername.ip=10.0.0.0%255.0.0.0 write by users read']),
    (False, [f'to dn.subtree="{PEOPLE}" by dn.subtree="{SECRET}" write by users read', 'to * by users read']),
]

LDIF = f"""dn: {PEOPLE}
objectClass: organizationalUnit

dn: {SECRET}
objectClass: organizationalUnit

dn: ou=groups,{SUFFIX}
objectClass: organizationalUnit

""" + "".join(
    f"dn: {dn}\nobjectClass: inetOrgPerson\ncn: {dn[4:8]}\nsn: {dn[4:8]}\nmail: {dn[4:8]}@mercy.example\ntitle: {title}\n"
    f"telephoneNumber: 47\ndescription: made up\nmanager: {ANNA}\n\n"
    for dn, title in zip(WHO[1:], ["Sister", "Nurse", "Nurse", "Clerk"])
) + f"dn: {HR}\nobjectClass: groupOfNames\nmember: {CARL}\nmember: {ANNA}\n\ndn: {IT}\nobjectClass: groupOfNames\nmember: uid=dora,{PEOPLE}\nmember: {CARL}\n\n"


class Slapd:
    def __init__(self, folder):
        self.folder = folder
        os.makedirs(f"{folder}/db")
        self.configure([])
        with open(f"{folder}/data.ldif", "w") as file:
            file.write(f"dn: {SUFFIX}\nobjectClass: organization\nobjectClass: dcObject\no: Mercy\ndc: mercy\n\n" + LDIF)
        subprocess.run(["/usr/sbin/slapadd", "-q", "-f", f"{folder}/slapd.conf", "-l", f"{folder}/data.ldif"], check=True)

    def configure(self, directives):
        with open(f"{self.folder}/slapd.conf", "w") as file:
            for schema in ("core", "cosine", "inetorgperson", "nis"):
                file.write(f"include /etc/ldap/schema/{schema}.schema\n")
            file.write(f"modulepath /usr/lib/ldap\nmoduleload back_mdb\nloglevel 0\ndatabase mdb\nmaxsize 16777216\nsuffix \"{SUFFIX}\"\n"
                       f"rootdn \"cn=root,{SUFFIX}\"\ndirectory {self.folder}/db\n")
            file.writelines(f"access {directive}\n" for directive in directives)

    def masks(self, who, entry):
        """For each attribute and the two that entries do not have: the letters of what slapd gives."""
        command = ["/usr/sbin/slapacl", "-f", f"{self.folder}/slapd.conf", "-b", entry, "-o", "peername=IP=192.0.2.1:1234"]
        command += ["-D", who] if who else []
        output = subprocess.run(command + ATTRIBUTES + ["entry", "children"], capture_output=True, text=True)
        masks = {name: set(mask) for name, mask in re.findall(r"^(\w+)(?:=.*)?: \w*\(?=(\w*)\)?$", output.stderr, re.M)}
        for mask in masks.values():
            if "w" in mask:
                mask |= {"a", "z"}
        if not set(ATTRIBUTES) <= set(masks):
            sys.exit(f"slapacl: {output.stderr}")
        return masks


class Bindery:
    def __init__(self, program, folder):
        self.program, self.folder, self.config = program, folder, f"{folder}/installation/bindery.toml"
        self.made = []
        with open(f"{folder}/password", "w") as file:
            file.write("correct horse battery staple")
        self.run("init", f"{folder}/installation", "--suffix", SUFFIX, "--admin-password-file", f"{folder}/password", "--ldap", "127.0.0.1:0",
                 "--ldaps", "127.0.0.1:0", "--waive", "second-factor", "--waiver-reason", "a test on loopback", check=True, config=False)
        with open(f"{folder}/people.ldif", "w") as file:
            file.write(LDIF)
        self.run("import", f"{folder}/people.ldif", check=True)
        self.process = subprocess.Popen([program, "serve", "--config", self.config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = self.process.stdout.readline()
        self.connection = ldap.initialize(re.search(r"ldapi://\S+", ready).group())
        self.connection.sasl_external_bind_s()
        # The rules of a new installation allow what slapd does not; the administrators' stays.
        for dn, _ in self.connection.search_s(RULES, ldap.SCOPE_ONELEVEL, "(!(cn=administrators))", ["1.1"]):
            self.connection.delete_s(dn)

    def run(self, command, *arguments, check=False, config=True):
        whole = [self.program, command, *(["--config", self.config] if config else []), *arguments]
        output = subprocess.run(whole, capture_output=True, text=True)
        if check and output.returncode:
            sys.exit(f"{whole}: {output.stderr}")
        return output

    def take(self, written):
        """Translates a file and puts the rules in the place of those before; whether all of it was translated."""
        for dn in self.made:
            self.connection.delete_s(dn)
        output = self.run("import-acl", "--flat-groups", written)
        if output.returncode > 1:
            sys.exit(f"import-acl: {output.stderr}")
        with open(f"{self.folder}/rules.ldif", "w") as file:
            file.write(output.stdout)
        with open(f"{self.folder}/rules.ldif", "rb") as file:
            reader = ldif.LDIFRecordList(file)
            reader.parse()
        self.made = []
        for dn, entry in reader.all_records:
            self.connection.add_s(dn, list(entry.items()))
            self.made.append(dn)
        return output.returncode == 0, output.stdout, output.stderr

    def rights(self, who, entry):
        """Letters for each attribute, and those of the entry itself."""
        control = ldap.controls.RequestControl(EFFECTIVE_RIGHTS, True, f"dn:{who}".encode())
        found = self.connection.search_ext_s(entry, ldap.SCOPE_BASE, "(objectClass=*)", ATTRIBUTES, serverctrls=[control])
        attributes = {name.lower(): values for name, values in found[0][1].items()}
        of_attributes = dict(part.split(":") for part in attributes["attributelevelrights"][0].decode().split(", "))
        rights = {name: set() if letters == "none" else set(letters) for name, letters in of_attributes.items()}
        whole = attributes["entrylevelrights"][0].decode()
        return rights, set() if whole == "none" else set(whole)

    def sets_password(self, who, entry):
        return self.run("explain", "--who", who or "anonymous", "--right", "set-password", "--target", entry).returncode == 0


def compare(slapd, bindery, told, is_whole):
    """How many answers were compared, and how many of them were yes."""
    asked = list(itertools.product(WHO, ENTRIES))
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda it: bindery.sets_password(*it), asked)
        # One after the other: two of them cannot open the database at one time.
        masks = {it: slapd.masks(*it) for it in asked}
        passwords = dict(zip(asked, answers))
    count = given = 0
    for (who, entry), of_slapd in masks.items():
        rights, whole = bindery.rights(who, entry)
        pairs = []
        for name in ATTRIBUTES:
            mask, ours = of_slapd[name], rights[name]
            is_read = "r" in of_slapd["entry"]
            if name == "userPassword":
                pairs += [(f"compare {name}", "c" in mask, "c" in ours), ("set-password", "w" in mask, passwords[who, entry])]
                continue
            pairs += [(f"read {name}", "r" in mask and is_read, "r" in ours), (f"search {name}", "s" in mask and is_read, "s" in ours),
                      (f"compare {name}", "c" in mask, "c" in ours)]
            # The server alone writes it.
            if name != "entryUUID":
                pairs += [(f"add {name}", "a" in mask, "w" in ours), (f"delete {name}", "z" in mask, "o" in ours)]
        above = masks.get((who, entry.split(",", 1)[1]))
        if above:
            both = of_slapd["entry"], above["children"]
            pairs += [("create", all("a" in it for it in both), "a" in whole), ("delete", all("z" in it for it in both), "d" in whole),
                      ("rename", all("w" in it for it in both), "n" in whole)]
        for what, theirs, ours in pairs:
            count, given = count + 1, given + ours
            # Nobody who is not logged in changes anything here, and nothing can be done here with what is not seen.
            is_held = not theirs or (not who and what.split()[0] not in ("read", "search", "compare"))
            if ours and not theirs or (is_whole and not ours and not is_held):
                sys.exit(f"DIFFERENT: {who or 'anonymous'}: {what} of {entry}: slapd {theirs}, Bindery {ours}\n{told}")
    return count, given


def main():
    program = os.path.realpath(sys.argv[1] if len(sys.argv) > 1 else "target/release/bindery")
    with tempfile.TemporaryDirectory() as folder:
        slapd, bindery = Slapd(f"{folder}/slapd"), Bindery(program, folder)
        try:
            total = yes = 0
            for number, (expected, directives) in enumerate(SETS):
                slapd.configure(directives)
                if number % 2:
                    written = f"{folder}/slapd/slapd.conf"
                else:
                    written = f"{folder}/config.ldif"
                    with open(written, "w") as file:
                        file.write(f"dn: olcDatabase={{1}}mdb,cn=config\nolcDatabase: {{1}}mdb\nolcSuffix: {SUFFIX}\n")
                        file.writelines(f"olcAccess: {{{at}}}{directive}\n" for at, directive in enumerate(directives))
                is_whole, rules, remarks = bindery.take(written)
                told = "\n".join(directives) + f"\n{rules}\n{remarks}"
                if is_whole != expected:
                    sys.exit(f"DIFFERENT: {'all' if is_whole else 'not all'} of it was translated:\n{told}")
                count, given = compare(slapd, bindery, told, is_whole)
                if is_whole and not given:
                    sys.exit(f"nothing is allowed by it:\n{told}")
                total, yes = total + count, yes + given
                print(f"{count} answers, {given} yes: {' / '.join(directives)[:110]}", flush=True)
        finally:
            bindery.process.terminate()
            bindery.process.wait()
    print(f"import-acl: {len(SETS)} sets, {total} answers compared with slapacl, {yes} of them yes")


main()
