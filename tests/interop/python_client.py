"""python-ldap against a running Bindery: LDAPS, StartTLS and ldapi, and the subschema parsed whole.

Arguments: LDAPS-URL LDAP-URL LDAPI-URL ADMIN-DN PASSWORD CA-FILE
"""

import sys

import ldap
import ldap.modlist
import ldap.sasl
import ldap.schema
from ldap.controls.ppolicy import PasswordPolicyControl
from ldap.controls import SimplePagedResultsControl
from ldap.controls.readentry import PostReadControl, PreReadControl
from ldap.controls.simple import ValueLessRequestControl

LDAPS, LDAP, LDAPI, ADMIN, PASSWORD, CA = sys.argv[1:7]
SUFFIX = "dc=mercy,dc=example"
PEOPLE = "ou=people," + SUFFIX


def check(holds, what):
    if not holds:
        raise AssertionError(what)
    print("  ok:", what)


def connect(url, start_tls=False):
    connection = ldap.initialize(url)
    connection.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, CA)
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    if start_tls:
        connection.start_tls_s()
    return connection


def refused(error, call, *arguments):
    try:
        call(*arguments)
    except error:
        return True
    return False


def logins():
    for name, connection in (("LDAPS", connect(LDAPS)), ("StartTLS", connect(LDAP, start_tls=True))):
        connection.simple_bind_s(ADMIN, PASSWORD)
        check(connection.whoami_s() == "dn:" + ADMIN, "Who am I? over " + name)
        check(refused(ldap.INVALID_CREDENTIALS, connection.simple_bind_s, ADMIN, "wrong"), "wrong password: 49 over " + name)
        check(connection.whoami_s() == "", "anonymous after a failed bind over " + name)
        check(refused(ldap.UNWILLING_TO_PERFORM, connection.simple_bind_s, ADMIN, ""), "DN without password: 53 over " + name)
    local = ldap.initialize(LDAPI)
    local.sasl_interactive_bind_s("", ldap.sasl.external())
    check(local.whoami_s() == "dn:" + ADMIN, "SASL EXTERNAL over ldapi is the administrator")


def changes(connection):
    dn = "uid=python,%s" % PEOPLE
    entry = {"objectClass": [b"inetOrgPerson"], "cn": ["Zoë Python".encode()], "sn": [b"Python"], "jpegPhoto": [b"\xff\xd8\x00\xfe"]}
    connection.add_s(dn, ldap.modlist.addModlist(entry))
    check(refused(ldap.ALREADY_EXISTS, connection.add_s, dn, ldap.modlist.addModlist(entry)), "a second add: 68")
    _, read = connection.search_s(dn, ldap.SCOPE_BASE)[0]
    check(read["jpegPhoto"] == [b"\xff\xd8\x00\xfe"] and read["cn"] == ["Zoë Python".encode()], "values come back as they were sent")
    check("userPassword" not in read and "entryUUID" not in read, "neither passwords nor operational attributes unasked")
    _, read = connection.search_s(dn, ldap.SCOPE_BASE, attrlist=["+"])[0]
    check({"entryUUID", "entryCSN", "createTimestamp", "creatorsName", "entryDN"} <= set(read), "operational attributes with +")
    before, after = PreReadControl(criticality=True, attrList=["title"]), PostReadControl(criticality=True, attrList=["title"])
    connection.modify_s(dn, [(ldap.MOD_ADD, "title", [b"Nurse"])])
    _, _, _, controls = connection.modify_ext_s(dn, [(ldap.MOD_REPLACE, "title", [b"Senior nurse"])], serverctrls=[before, after])
    found = {control.controlType: control.entry["title"] for control in controls}
    check(found[before.controlType] == ["Nurse"] or found[before.controlType] == [b"Nurse"], "pre-read")
    check(found[after.controlType] in (["Senior nurse"], [b"Senior nurse"]), "post-read")
    check(connection.compare_s(dn, "title", b"SENIOR  nurse") is True, "compare by the matching rule")
    connection.passwd_s(dn, None, "a quite long pass phrase")
    login = connect(LDAPS)
    login.simple_bind_s(dn, "a quite long pass phrase")
    check(login.whoami_s() == "dn:" + dn, "logged in with the password just set")
    password_policy(connection, login, dn)
    check(refused(ldap.INSUFFICIENT_ACCESS, login.modify_s, dn, [(ldap.MOD_REPLACE, "title", [b"Chief"])]), "a person may not change this: 50")
    check("userPassword" not in login.search_s(dn, ldap.SCOPE_BASE, attrlist=["*", "+", "userPassword"])[0][1], "the hash is not readable")
    check(refused(ldap.INVALID_CREDENTIALS, login.simple_bind_s, dn, "a quite long pass phrase"), "the old password is over")
    connection.rename_s(dn, "uid=python2", newsuperior=PEOPLE, delold=1)
    check(refused(ldap.NO_SUCH_OBJECT, connection.search_s, dn, ldap.SCOPE_BASE), "the old name is gone: 32")
    connection.delete_s("uid=python2,%s" % PEOPLE)


def password_policy(connection, login, dn):
    """A refused change and a made one, as the control tells of them; from here on the password is another."""
    request = login.passwd(dn, "a quite long pass phrase", "short", serverctrls=[PasswordPolicyControl()])
    try:
        login.result(request)
        check(False, "a short password is refused")
    except ldap.CONSTRAINT_VIOLATION as error:
        controls = ldap.controls.DecodeControlTuples(error.args[0]["ctrls"])
        check([control.error for control in controls] == [6], "a short password is refused, and the control says why")
    login.passwd_s(dn, "a quite long pass phrase", "another rather long one")
    _, read = connection.search_s(dn, ldap.SCOPE_BASE, attrlist=["pwdChangedTime", "pwdReset"])[0]
    check(list(read) == ["pwdChangedTime"], "its own password need not be changed")
    request = login.simple_bind(dn, "another rather long one", serverctrls=[PasswordPolicyControl()])
    _, _, _, controls = login.result3(request)
    found = [(control.timeBeforeExpiration, control.graceAuthNsRemaining, control.error) for control in controls]
    check(found == [(None, None, None)], "the control is there and says that all is well")


def searches(connection):
    whole = len(connection.search_s(SUFFIX, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["1.1"]))
    control, count = SimplePagedResultsControl(True, size=10, cookie=b""), 0
    while True:
        message = connection.search_ext(SUFFIX, ldap.SCOPE_SUBTREE, "(objectClass=*)", ["1.1"], serverctrls=[control])
        _, page, _, answers = connection.result3(message)
        count += len(page)
        control.cookie = [answer for answer in answers if answer.controlType == control.controlType][0].cookie
        if not control.cookie:
            break
    check(count == whole, "pages add up: %d of %d" % (count, whole))
    message = connection.search_ext(SUFFIX, ldap.SCOPE_SUBTREE, "(objectClass=*)")
    connection.abandon(message)
    check(connection.whoami_s() == "dn:" + ADMIN, "the connection goes on after an abandon")
    unknown = ValueLessRequestControl("1.2.3.4.5", criticality=True)
    check(
        refused(ldap.UNAVAILABLE_CRITICAL_EXTENSION, lambda: connection.search_ext_s(SUFFIX, ldap.SCOPE_BASE, serverctrls=[unknown])),
        "an unknown critical control: 12",
    )


def log(connection):
    added = connection.search_s("cn=accesslog", ldap.SCOPE_ONELEVEL, "(&(objectClass=auditAdd)(reqResult=0))", ["reqDN", "reqMod", "recordLeaf"])
    check(added and all("reqDN" in entry and len(entry["recordLeaf"][0]) == 64 for _, entry in added), "adds are in the log")
    secrets = [value for _, entry in added for value in entry.get("reqMod", []) if value.lower().startswith(b"userpassword")]
    check(all(value.endswith(b"not shown)") for value in secrets), "and no password with them")


def schema(connection):
    name = connection.search_subschemasubentry_s()
    entry = connection.read_subschemasubentry_s(name)
    parsed = ldap.schema.SubSchema(entry, check_uniqueness=2)
    for kind, least in ((ldap.schema.AttributeType, 150), (ldap.schema.ObjectClass, 40), (ldap.schema.LDAPSyntax, 25), (ldap.schema.MatchingRule, 25)):
        found = parsed.listall(kind)
        check(len(found) >= least, "%d definitions of %s parse" % (len(found), kind.__name__))
    must, may = parsed.attribute_types(["inetOrgPerson"])
    names = {attribute.names[0] for attribute in list(must.values()) + list(may.values())}
    check({"cn", "sn", "mail", "uid"} <= names, "inetOrgPerson's attributes are found through its superiors")
    changed = [
        (ldap.MOD_ADD, "attributeTypes", [b"( 1.3.6.1.4.1.99999.1.1 NAME 'ward' DESC 'W\xc3\xb6' SUP name X-ORIGIN ( 'a' 'b' ) )"]),
        (ldap.MOD_ADD, "objectClasses", [b"( 1.3.6.1.4.1.99999.2.1 NAME 'wardWorker' AUXILIARY MAY ward )"]),
        (ldap.MOD_ADD, "dITContentRules", [b"( 2.5.6.14 NAME 'deviceRule' AUX wardWorker NOT owner )"]),
        (ldap.MOD_ADD, "nameForms", [b"( 1.3.6.1.4.1.99999.4.1 NAME 'deviceForm' OC device MUST cn )"]),
        (ldap.MOD_ADD, "dITStructureRules", [b"( 7 NAME 'devices' FORM deviceForm )"]),
    ]
    connection.modify_s(name, changed)
    rules = [attribute for _, attribute, _ in changed]
    parsed = ldap.schema.SubSchema(connection.read_subschemasubentry_s(name, ["*", "+"] + rules), check_uniqueness=2)
    check(parsed.get_obj(ldap.schema.AttributeType, "ward").desc == "W\u00f6", "a definition made online parses")
    check("ward" in {attribute.names[0] for attribute in parsed.attribute_types(["device", "wardWorker"])[1].values()}, "its class too")
    check(parsed.get_obj(ldap.schema.DITContentRule, "2.5.6.14").nots == ("owner",), "a content rule parses")
    check(parsed.get_obj(ldap.schema.DITStructureRule, "7").form == "deviceForm", "a structure rule parses")
    connection.modify_s(name, [(ldap.MOD_DELETE, attribute, values) for _, attribute, values in reversed(changed)])
    gone = ldap.schema.SubSchema(connection.read_subschemasubentry_s(name, ["*", "+"] + rules))
    check(gone.get_obj(ldap.schema.AttributeType, "ward") is None, "and goes again")
    check(not parsed.non_unique_oids and not any(map(len, parsed.non_unique_names.values())), "no definition stands twice")


def main():
    logins()
    connection = connect(LDAPS)
    connection.simple_bind_s(ADMIN, PASSWORD)
    changes(connection)
    searches(connection)
    log(connection)
    schema(connection)
    print("python-ldap: all checks passed")


main()
