//! Which password policy is in force, and that it is read once.

use std::sync::Arc;

use super::harness::Server;
use crate::operation::policies::password_policy;
use crate::policy::password::policy::PasswordPolicy;

const ANNA: &str = "uid=anna,ou=people,dc=mercy,dc=example";
const POLICIES: &str = "\
dn: ou=policies,dc=mercy,dc=example
changetype: add
objectClass: organizationalUnit

dn: ou=passwords,ou=policies,dc=mercy,dc=example
changetype: add
objectClass: organizationalUnit

dn: cn=default,ou=passwords,ou=policies,dc=mercy,dc=example
changetype: add
objectClass: device
objectClass: pwdPolicy
pwdAttribute: userPassword
pwdMinLength: 20

dn: cn=wards,ou=passwords,ou=policies,dc=mercy,dc=example
changetype: add
objectClass: device
objectClass: pwdPolicy
pwdAttribute: userPassword
pwdMinLength: 30
";

fn in_force(server: &Server) -> Arc<PasswordPolicy> {
    password_policy(&server.directory, server.find(ANNA))
}

#[test]
fn the_named_policy_then_the_default_then_the_built_in_one() {
    let mut server = Server::new();
    assert_eq!(*in_force(&server), PasswordPolicy::default());
    assert_eq!(server.change(POLICIES), "0");
    assert_eq!(in_force(&server).minimum_length, 20);
    assert_eq!(password_policy(&server.directory, None).minimum_length, 20);
    let name = |name: &str| format!("replace: pwdPolicySubentry\npwdPolicySubentry: {name}");
    for spelled in
        ["cn=wards,ou=passwords,ou=policies,dc=mercy,dc=example", "CN=Wards, OU=Passwords,ou=policies,dc=mercy,dc=example"]
    {
        assert_eq!(server.modify(&name(spelled)), "0");
        assert_eq!(in_force(&server).minimum_length, 30, "{spelled}");
    }
    assert_eq!(server.modify(&name("cn=nobody,dc=mercy,dc=example")), "0");
    assert_eq!(in_force(&server).minimum_length, 20);
}

#[test]
fn policies_are_read_anew_when_one_of_them_changed_and_only_then() {
    let mut server = Server::new();
    assert_eq!(server.change(POLICIES), "0");
    let before = in_force(&server);
    assert_eq!(server.modify("replace: title\ntitle: Nurse"), "0");
    assert!(Arc::ptr_eq(&before, &in_force(&server)));

    let old = Arc::clone(&server.directory);
    let default = "dn: cn=default,ou=passwords,ou=policies,dc=mercy,dc=example\nchangetype: ";
    assert_eq!(server.change(&format!("{default}modify\nreplace: pwdMinLength\npwdMinLength: 21\n")), "0");
    assert_eq!(in_force(&server).minimum_length, 21);
    assert_eq!(password_policy(&old, server.find(ANNA)).minimum_length, 20);

    let rename =
        |from: &str, to: &str| format!("dn: {from},dc=mercy,dc=example\nchangetype: modrdn\nnewrdn: {to}\ndeleteoldrdn: 1\n");
    assert_eq!(server.change(&rename("ou=policies", "ou=rules")), "0");
    assert_eq!(*in_force(&server), PasswordPolicy::default());
    assert_eq!(server.change(&rename("ou=rules", "ou=policies")), "0");
    assert_eq!(in_force(&server).minimum_length, 21);

    assert_eq!(
        server.change(&format!(
            "{default}modify\ndelete: objectClass\nobjectClass: pwdPolicy\n-\ndelete: pwdAttribute\n-\ndelete: pwdMinLength\n"
        )),
        "0"
    );
    assert_eq!(*in_force(&server), PasswordPolicy::default());
    assert_eq!(
        server.change(&format!(
            "{default}modify\nadd: objectClass\nobjectClass: pwdPolicy\n-\nadd: pwdAttribute\npwdAttribute: userPassword\n"
        )),
        "0"
    );
    assert_eq!(in_force(&server).minimum_length, 15);
    assert_eq!(server.change(&format!("{default}delete\n")), "0");
    assert_eq!(*in_force(&server), PasswordPolicy::default());
}
