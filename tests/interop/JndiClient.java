import java.util.ArrayList;
import java.util.Hashtable;
import java.util.List;
import javax.naming.AuthenticationException;
import javax.naming.Context;
import javax.naming.NamingEnumeration;
import javax.naming.directory.Attributes;
import javax.naming.directory.BasicAttribute;
import javax.naming.directory.BasicAttributes;
import javax.naming.directory.DirContext;
import javax.naming.directory.InitialDirContext;
import javax.naming.directory.ModificationItem;
import javax.naming.directory.SearchControls;
import javax.naming.directory.SearchResult;
import javax.naming.ldap.BasicControl;
import javax.naming.ldap.Control;
import javax.naming.ldap.InitialLdapContext;
import javax.naming.ldap.LdapContext;
import javax.naming.ldap.PagedResultsControl;
import javax.naming.ldap.PagedResultsResponseControl;
import javax.naming.ldap.StartTlsRequest;
import javax.naming.ldap.StartTlsResponse;

/** What a clinical application written on plain JNDI does: log people in, look them up, page through them, change an entry. */
public class JndiClient {
    static final String SUFFIX = "dc=mercy,dc=example";

    public static void main(String[] arguments) throws Exception {
        String ldaps = arguments[0], ldap = arguments[1], admin = arguments[2], password = arguments[3];
        overLdaps(ldaps, admin, password);
        overStartTls(ldap, admin, password);
        wrongPasswordIsRefused(ldaps, admin);
        System.out.println("JNDI: all checks passed");
    }

    static Hashtable<String, Object> environment(String url) {
        Hashtable<String, Object> environment = new Hashtable<>();
        environment.put(Context.INITIAL_CONTEXT_FACTORY, "com.sun.jndi.ldap.LdapCtxFactory");
        environment.put(Context.PROVIDER_URL, url + "/" + SUFFIX);
        environment.put("java.naming.ldap.attributes.binary", "jpegPhoto");
        return environment;
    }

    static void overLdaps(String url, String admin, String password) throws Exception {
        Hashtable<String, Object> environment = environment(url);
        environment.put(Context.SECURITY_AUTHENTICATION, "simple");
        environment.put(Context.SECURITY_PRINCIPAL, admin);
        environment.put(Context.SECURITY_CREDENTIALS, password);
        // Pooled, as application servers do.
        environment.put("com.sun.jndi.ldap.connect.pool", "true");
        LdapContext context = new InitialLdapContext(environment, null);
        addModifyRenameDelete(context);
        pages(context);
        passwordPolicy(url, context);
        context.close();
    }

    static void addModifyRenameDelete(DirContext context) throws Exception {
        byte[] photo = {(byte) 0xff, (byte) 0xd8, 0, 1, 2, (byte) 0x80, (byte) 0xff, (byte) 0xd9};
        Attributes attributes = new BasicAttributes(true);
        attributes.put(new BasicAttribute("objectClass", "inetOrgPerson"));
        attributes.put("cn", "Zo\u00eb Jndi");
        attributes.put("sn", "Jndi");
        attributes.put("jpegPhoto", photo);
        context.createSubcontext("uid=jndi,ou=people", attributes).close();
        Attributes read = context.getAttributes("uid=jndi,ou=people");
        check("Zo\u00eb Jndi".equals(read.get("cn").get()), "cn comes back as it was sent");
        check(java.util.Arrays.equals(photo, (byte[]) read.get("jpegPhoto").get()), "binary value comes back as it was sent");
        check("jndi".equals(read.get("uid").get()), "the RDN's value was added");
        context.modifyAttributes("uid=jndi,ou=people", new ModificationItem[] {
            new ModificationItem(DirContext.REPLACE_ATTRIBUTE, new BasicAttribute("title", "Registrar")),
            new ModificationItem(DirContext.ADD_ATTRIBUTE, new BasicAttribute("mail", "jndi@mercy.example")),
        });
        check(find(context, "(&(mail=JNDI@mercy.example)(title=registrar))").size() == 1, "found by what was modified");
        context.rename("uid=jndi,ou=people", "uid=jndi2,ou=people");
        check(find(context, "(uid=jndi2)").size() == 1, "found by its new name");
        context.destroySubcontext("uid=jndi2,ou=people");
        check(find(context, "(uid=jndi2)").isEmpty(), "gone after deletion");
    }

    /** The control of a bind, octet for octet as slapd sends it: after a reset, and when all is well. */
    static void passwordPolicy(String url, DirContext admin) throws Exception {
        Attributes attributes = new BasicAttributes(true);
        attributes.put(new BasicAttribute("objectClass", "inetOrgPerson"));
        attributes.put("cn", "Paul Policy");
        attributes.put("sn", "Policy");
        attributes.put("userPassword", "a first pass phrase for him");
        admin.createSubcontext("uid=jndi3,ou=people", attributes).close();
        check("3003810102".equals(controlOfBind(url, "a first pass phrase for him")), "the control says: change it");
        Hashtable<String, Object> environment = asPerson(url, "a first pass phrase for him");
        DirContext own = new InitialDirContext(environment);
        own.modifyAttributes("uid=jndi3,ou=people", new ModificationItem[] {
            new ModificationItem(DirContext.REMOVE_ATTRIBUTE, new BasicAttribute("userPassword", "a first pass phrase for him")),
            new ModificationItem(DirContext.ADD_ATTRIBUTE, new BasicAttribute("userPassword", "a second pass phrase of his")),
        });
        own.close();
        check("3000".equals(controlOfBind(url, "a second pass phrase of his")), "the control says that all is well");
        admin.destroySubcontext("uid=jndi3,ou=people");
    }

    static Hashtable<String, Object> asPerson(String url, String password) {
        Hashtable<String, Object> environment = environment(url);
        environment.put(Context.SECURITY_AUTHENTICATION, "simple");
        environment.put(Context.SECURITY_PRINCIPAL, "uid=jndi3,ou=people," + SUFFIX);
        environment.put(Context.SECURITY_CREDENTIALS, password);
        return environment;
    }

    static String controlOfBind(String url, String password) throws Exception {
        String policy = "1.3.6.1.4.1.42.2.27.8.5.1";
        Control[] asked = {new BasicControl(policy, Control.NONCRITICAL, null)};
        LdapContext context = new InitialLdapContext(asPerson(url, password), asked);
        StringBuilder found = new StringBuilder();
        Control[] answered = context.getResponseControls();
        for (Control control : answered == null ? new Control[0] : answered) {
            if (control.getID().equals(policy)) {
                for (byte octet : control.getEncodedValue()) {
                    found.append(String.format("%02x", octet));
                }
            }
        }
        context.close();
        return found.toString();
    }

    static List<String> find(DirContext context, String filter) throws Exception {
        SearchControls controls = new SearchControls();
        controls.setSearchScope(SearchControls.SUBTREE_SCOPE);
        List<String> names = new ArrayList<>();
        NamingEnumeration<SearchResult> results = context.search("", filter, controls);
        while (results.hasMore()) {
            names.add(results.next().getNameInNamespace());
        }
        return names;
    }

    static void pages(LdapContext context) throws Exception {
        int whole = find(context, "(objectClass=*)").size();
        byte[] cookie = null;
        int count = 0, pages = 0;
        do {
            context.setRequestControls(new Control[] {new PagedResultsControl(7, cookie, Control.CRITICAL)});
            count += find(context, "(objectClass=*)").size();
            pages++;
            cookie = null;
            for (Control control : context.getResponseControls()) {
                if (control instanceof PagedResultsResponseControl) {
                    cookie = ((PagedResultsResponseControl) control).getCookie();
                }
            }
        } while (cookie != null && cookie.length > 0);
        context.setRequestControls(null);
        check(count == whole, "pages add up: " + count + " of " + whole);
        check(pages == (whole + 6) / 7 || pages == (whole + 6) / 7 + 1, "page count " + pages + " for " + whole);
    }

    static void overStartTls(String url, String admin, String password) throws Exception {
        LdapContext context = new InitialLdapContext(environment(url), null);
        StartTlsResponse tls = (StartTlsResponse) context.extendedOperation(new StartTlsRequest());
        tls.setHostnameVerifier((host, session) -> true);
        tls.negotiate();
        context.addToEnvironment(Context.SECURITY_AUTHENTICATION, "simple");
        context.addToEnvironment(Context.SECURITY_PRINCIPAL, admin);
        context.addToEnvironment(Context.SECURITY_CREDENTIALS, password);
        context.reconnect(null);
        check(!find(context, "(objectClass=inetOrgPerson)").isEmpty(), "people are found over StartTLS");
        tls.close();
        context.close();
    }

    static void wrongPasswordIsRefused(String url, String admin) throws Exception {
        Hashtable<String, Object> environment = environment(url);
        environment.put(Context.SECURITY_AUTHENTICATION, "simple");
        environment.put(Context.SECURITY_PRINCIPAL, admin);
        environment.put(Context.SECURITY_CREDENTIALS, "wrong");
        try {
            new InitialDirContext(environment).close();
            check(false, "a wrong password was accepted");
        } catch (AuthenticationException expected) {
            check(expected.getMessage().contains("error code 49"), expected.getMessage());
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
        System.out.println("  ok: " + what);
    }
}
