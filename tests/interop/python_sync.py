"""python-ldap follows a running Bindery: ldap.syncrepl, refreshOnly and refreshAndPersist, and persistent search.

Arguments: LDAPS-URL ADMIN-DN PASSWORD CA-FILE
"""

import sys

import ldap
import ldap.ldapobject
import ldap.modlist
from ldap.controls.psearch import EntryChangeNotificationControl, PersistentSearchControl
from ldap.syncrepl import SyncreplConsumer

LDAPS, ADMIN, PASSWORD, CA = sys.argv[1:5]
SUFFIX = "dc=mercy,dc=example"
PEOPLE = "ou=people," + SUFFIX
FILTER = "(objectClass=inetOrgPerson)"
PATIENCE = 20


def check(holds, what):
    if not holds:
        raise AssertionError(what)
    print("  ok:", what)


class Copy(ldap.ldapobject.SimpleLDAPObject, SyncreplConsumer):
    """A copy of the people, kept as python-ldap's documentation says."""

    def __init__(self, url):
        super().__init__(url)
        self.entries, self.present, self.cookie, self.messages, self.refreshed = {}, set(), None, 0, False

    def syncrepl_set_cookie(self, cookie):
        self.cookie = cookie

    def syncrepl_get_cookie(self):
        return self.cookie

    def syncrepl_entry(self, dn, attrs, uuid):
        self.messages += 1
        self.entries[uuid] = (dn, attrs)

    def syncrepl_delete(self, uuids):
        for uuid in uuids:
            self.messages += 1
            self.entries.pop(uuid, None)

    def syncrepl_present(self, uuids, refreshDeletes=False):
        if uuids is not None:
            self.present.update(uuids)
            return
        if not refreshDeletes:
            self.entries = {uuid: entry for uuid, entry in self.entries.items() if uuid in self.present}
        self.present = set()

    def syncrepl_refreshdone(self):
        self.refreshed = True

    def names(self):
        return sorted(dn for dn, _ in self.entries.values())

    def refresh(self):
        self.messages = 0
        self.syncrepl_search(PEOPLE, ldap.SCOPE_SUBTREE, mode="refreshOnly", filterstr=FILTER, attrlist=["*"])
        while self.syncrepl_poll(timeout=PATIENCE):
            pass

    def follow_until(self, done):
        while not done():
            self.syncrepl_poll(msgid=self.search, timeout=PATIENCE)


def connect(kind):
    connection = kind(LDAPS)
    connection.set_option(ldap.OPT_PROTOCOL_VERSION, 3)
    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, CA)
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    connection.simple_bind_s(ADMIN, PASSWORD)
    return connection


def person(writer, uid):
    dn = "uid=%s,%s" % (uid, PEOPLE)
    writer.add_s(dn, ldap.modlist.addModlist({"objectClass": [b"inetOrgPerson"], "cn": [b"x"], "sn": [b"x"]}))
    return dn


def there(writer):
    return sorted(dn for dn, _ in writer.search_s(PEOPLE, ldap.SCOPE_SUBTREE, FILTER, ["1.1"]))


def refresh_only(writer):
    copy = connect(Copy)
    copy.refresh()
    check(copy.names() == there(writer) and copy.messages > 100, "a first copy of %d people" % copy.messages)
    copy.refresh()
    check(copy.messages == 0, "nothing changed, nothing sent")
    dn, gone = person(writer, "sync1"), person(writer, "sync2")
    copy.refresh()
    check(copy.messages == 2 and copy.names() == there(writer), "two new people, two messages")
    writer.rename_s(dn, "uid=sync3")
    writer.delete_s(gone)
    copy.refresh()
    check(copy.messages == 2 and copy.names() == there(writer), "a rename and a delete, two messages")
    writer.delete_s("uid=sync3," + PEOPLE)


def refresh_and_persist(writer):
    copy = connect(Copy)
    copy.search = copy.syncrepl_search(PEOPLE, ldap.SCOPE_SUBTREE, mode="refreshAndPersist", filterstr=FILTER, attrlist=["*"])
    copy.follow_until(lambda: copy.refreshed)
    check(copy.names() == there(writer), "a first copy, then changes")
    dn = person(writer, "live1")
    copy.follow_until(lambda: dn in copy.names())
    check(copy.names() == there(writer), "an add, as it is made")
    before = copy.cookie
    writer.modify_s(dn, [(ldap.MOD_REPLACE, "title", [b"Nurse"])])
    copy.follow_until(lambda: any(attrs.get("title") == [b"Nurse"] for _, attrs in copy.entries.values()) and copy.cookie != before)
    check(True, "a change and a newer cookie")
    writer.rename_s(dn, "uid=live2")
    copy.follow_until(lambda: dn not in copy.names())
    check("uid=live2," + PEOPLE in copy.names(), "a rename is one entry under another name")
    writer.delete_s("uid=live2," + PEOPLE)
    copy.follow_until(lambda: "uid=live2," + PEOPLE not in copy.names())
    check(copy.names() == there(writer), "a delete")
    copy.cancel(copy.search)
    try:
        while True:
            copy.syncrepl_poll(msgid=copy.search, timeout=PATIENCE)
    except ldap.CANCELLED:
        check(copy.whoami_s() == "dn:" + ADMIN, "cancelled, and the connection goes on")


def persistent_search(writer):
    watcher = connect(ldap.ldapobject.SimpleLDAPObject)
    control = PersistentSearchControl(criticality=True, changesOnly=True, returnECs=True)
    search = watcher.search_ext(PEOPLE, ldap.SCOPE_SUBTREE, FILTER, ["uid"], serverctrls=[control])

    def next_change():
        _, found, _, _, _, _ = watcher.result4(search, all=0, timeout=PATIENCE, add_ctrls=1, resp_ctrl_classes={
            EntryChangeNotificationControl.controlType: EntryChangeNotificationControl})
        ((dn, _, controls),) = found
        (notice,) = [control for control in controls if control.controlType == EntryChangeNotificationControl.controlType]
        return dn, notice

    # The search is under way once an answer to a later request is here.
    watcher.whoami_s()
    dn = person(writer, "watched")
    found, notice = next_change()
    check((found, int(notice.changeType)) == (dn, 1) and notice.changeNumber > 0, "an add, with its notice")
    first = notice.changeNumber
    writer.modify_s(dn, [(ldap.MOD_REPLACE, "title", [b"Nurse"])])
    found, notice = next_change()
    check((found, int(notice.changeType)) == (dn, 4) and notice.changeNumber > first, "a modify")
    writer.rename_s(dn, "uid=watched2")
    found, notice = next_change()
    check((found, int(notice.changeType), notice.previousDN) == ("uid=watched2," + PEOPLE, 8, dn), "a rename, with the previous name")
    writer.delete_s("uid=watched2," + PEOPLE)
    found, notice = next_change()
    check((found, int(notice.changeType)) == ("uid=watched2," + PEOPLE, 2), "a delete")
    watcher.abandon(search)
    check(watcher.whoami_s() == "dn:" + ADMIN, "abandoned, and the connection goes on")


def main():
    writer = connect(ldap.ldapobject.SimpleLDAPObject)
    refresh_only(writer)
    refresh_and_persist(writer)
    persistent_search(writer)
    print("python-ldap: follows")


main()
