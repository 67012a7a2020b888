import java.util.ArrayList;
import java.util.Hashtable;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import javax.naming.Context;
import javax.naming.NamingEnumeration;
import javax.naming.ReferralException;
import javax.naming.directory.Attributes;
import javax.naming.directory.BasicAttribute;
import javax.naming.directory.BasicAttributes;
import javax.naming.directory.DirContext;
import javax.naming.directory.InitialDirContext;
import javax.naming.directory.SearchControls;
import javax.naming.directory.SearchResult;
import javax.naming.event.EventContext;
import javax.naming.event.EventDirContext;
import javax.naming.event.NamespaceChangeListener;
import javax.naming.event.NamingEvent;
import javax.naming.event.NamingExceptionEvent;
import javax.naming.event.ObjectChangeListener;
import javax.naming.ldap.Control;
import javax.naming.ldap.InitialLdapContext;
import javax.naming.ldap.LdapContext;
import javax.naming.ldap.SortControl;
import javax.naming.ldap.SortKey;
import javax.naming.ldap.SortResponseControl;

/** What an administrator's or a reporting program written on plain JNDI does: sort, browse the schema, follow referrals, wait for changes. */
public class JndiDirectory {
    static final String SUFFIX = "dc=mercy,dc=example";
    static final String PEOPLE = "ou=people," + SUFFIX;

    public static void main(String[] arguments) throws Exception {
        String url = arguments[0], admin = arguments[1], password = arguments[2];
        Hashtable<String, Object> environment = new Hashtable<>();
        environment.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
        environment.put(Context.PROVIDER_URL, url);
        environment.put(Context.SECURITY_AUTHENTICATION, "simple");
        environment.put(Context.SECURITY_PRINCIPAL, admin);
        environment.put(Context.SECURITY_CREDENTIALS, password);
        environment.put("java.naming.ldap.attributes.binary", "jpegPhoto userCertificate;binary");
        sorts(environment);
        browsesTheSchema(environment);
        hearsOfChanges(environment);
        meetsReferrals(environment);
        System.out.println("JNDI directory: all checks passed");
    }

    static void sorts(Hashtable<String, Object> environment) throws Exception {
        LdapContext context = new InitialLdapContext(environment, null);
        SortKey[] keys = {new SortKey("sn", true, "caseIgnoreOrderingMatch"), new SortKey("uid", false, "2.5.13.3")};
        context.setRequestControls(new Control[] {new SortControl(keys, Control.CRITICAL)});
        List<String> names = new ArrayList<>();
        NamingEnumeration<SearchResult> results = context.search(PEOPLE, "(objectClass=inetOrgPerson)", controls("sn", "uid"));
        while (results.hasMore()) {
            Attributes attributes = results.next().getAttributes();
            names.add(attributes.get("sn").get() + "\u0000" + attributes.get("uid").get());
        }
        check(names.size() > 100, "more than a hundred people, not " + names.size());
        for (int at = 1; at < names.size(); at++) {
            String[] before = names.get(at - 1).split("\u0000"), after = names.get(at).split("\u0000");
            int order = before[0].compareToIgnoreCase(after[0]);
            check(order < 0 || order == 0 && before[1].compareToIgnoreCase(after[1]) >= 0, before[0] + " before " + after[0]);
        }
        boolean told = false;
        for (Control control : context.getResponseControls()) {
            told |= control instanceof SortResponseControl answer && answer.isSorted();
        }
        check(told, "the response says that it is sorted");
        context.close();
    }

    static void browsesTheSchema(Hashtable<String, Object> environment) throws Exception {
        DirContext context = new InitialDirContext(environment);
        DirContext schema = context.getSchema(PEOPLE);
        Attributes person = schema.getAttributes("ClassDefinition/inetOrgPerson");
        check(person.get("SUP").contains("organizationalPerson"), "inetOrgPerson is an organizationalPerson");
        Attributes uid = schema.getAttributes("AttributeDefinition/uid");
        check(uid.get("NUMERICOID").contains("0.9.2342.19200300.100.1.1"), "uid has its identifier");
        for (String kind : new String[] {"ClassDefinition", "AttributeDefinition", "SyntaxDefinition", "MatchingRule"}) {
            NamingEnumeration<?> definitions = schema.list(kind);
            int count = 0;
            while (definitions.hasMore()) {
                definitions.next();
                count++;
            }
            check(count > 20, kind + " has only " + count);
        }
        context.close();
    }

    static void meetsReferrals(Hashtable<String, Object> environment) throws Exception {
        Hashtable<String, Object> managing = new Hashtable<>(environment);
        managing.put(Context.REFERRAL, "ignore");
        DirContext manager = new InitialDirContext(managing);
        String name = "ou=elsewhere," + SUFFIX;
        Attributes referral = new BasicAttributes(true);
        BasicAttribute classes = new BasicAttribute("objectClass", "referral");
        classes.add("extensibleObject");
        referral.put(classes);
        referral.put("ou", "elsewhere");
        referral.put("ref", "ldap://127.0.0.1:1/ou=elsewhere,dc=other,dc=example");
        manager.createSubcontext(name, referral).close();
        Hashtable<String, Object> throwing = new Hashtable<>(environment);
        throwing.put(Context.REFERRAL, "throw");
        DirContext context = new InitialDirContext(throwing);
        try {
            context.getAttributes("cn=somebody," + name);
            check(false, "an entry below a referral is not here");
        } catch (ReferralException exception) {
            check(exception.getReferralInfo().toString().startsWith("ldap://127.0.0.1:1/"), "it says where: " + exception.getReferralInfo());
        }
        boolean continued = false;
        try {
            NamingEnumeration<SearchResult> results = context.search(SUFFIX, "(objectClass=*)", controls("1.1"));
            while (results.hasMore()) {
                results.next();
            }
        } catch (ReferralException exception) {
            continued = exception.getReferralInfo().toString().startsWith("ldap://127.0.0.1:1/");
        }
        check(continued, "a search over it ends with a continuation reference");
        context.close();
        manager.destroySubcontext(name);
        manager.close();
    }

    static class Listener implements NamespaceChangeListener, ObjectChangeListener {
        final BlockingQueue<String> heard = new LinkedBlockingQueue<>();

        public void objectAdded(NamingEvent event) {
            heard.add("added " + event.getNewBinding().getName());
        }

        public void objectRemoved(NamingEvent event) {
            heard.add("removed " + event.getOldBinding().getName());
        }

        public void objectRenamed(NamingEvent event) {
            heard.add("renamed " + event.getNewBinding().getName());
        }

        public void objectChanged(NamingEvent event) {
            heard.add("changed " + event.getNewBinding().getName());
        }

        public void namingExceptionThrown(NamingExceptionEvent event) {
            heard.add("exception " + event.getException());
        }

        void expect(String event) throws Exception {
            String next = heard.poll(20, TimeUnit.SECONDS);
            check(next != null && next.startsWith(event), "heard " + next + " instead of " + event);
        }
    }

    static void hearsOfChanges(Hashtable<String, Object> environment) throws Exception {
        EventDirContext watching = (EventDirContext) new InitialDirContext(environment).lookup(PEOPLE);
        DirContext writing = new InitialDirContext(environment);
        Listener listener = new Listener();
        watching.addNamingListener("", EventContext.ONELEVEL_SCOPE, listener);
        // The search begins in a thread of JNDI's own: changes are made until one is heard.
        String first = "uid=jndi-first," + PEOPLE;
        for (int tries = 0; listener.heard.isEmpty() && tries < 100; tries++) {
            create(writing, first, "first");
            writing.destroySubcontext(first);
            Thread.sleep(50);
        }
        String heard = listener.heard.peek();
        check(heard != null && !heard.startsWith("exception"), "the first change is heard, not " + heard);
        while (listener.heard.poll(500, TimeUnit.MILLISECONDS) != null) {
            // What the first tries said, to its end.
        }
        String name = "uid=jndi-event," + PEOPLE;
        create(writing, name, "event");
        listener.expect("added uid=jndi-event");
        writing.modifyAttributes(name, DirContext.REPLACE_ATTRIBUTE, new BasicAttributes("title", "Listener", true));
        listener.expect("changed uid=jndi-event");
        writing.rename(name, "uid=jndi-renamed," + PEOPLE);
        listener.expect("renamed uid=jndi-renamed");
        writing.destroySubcontext("uid=jndi-renamed," + PEOPLE);
        listener.expect("removed uid=jndi-renamed");
        watching.removeNamingListener(listener);
        watching.close();
        writing.close();
    }

    static void create(DirContext context, String name, String word) throws Exception {
        Attributes attributes = new BasicAttributes(true);
        attributes.put("objectClass", "inetOrgPerson");
        attributes.put("cn", word);
        attributes.put("sn", word);
        context.createSubcontext(name, attributes).close();
    }

    static SearchControls controls(String... attributes) {
        SearchControls controls = new SearchControls();
        controls.setSearchScope(SearchControls.SUBTREE_SCOPE);
        controls.setReturningAttributes(attributes);
        return controls;
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
