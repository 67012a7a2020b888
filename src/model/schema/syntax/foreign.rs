//! Syntaxes that other products and older documents name (RFC 2252, RFC 3112, OpenLDAP, OpenDJ, 389 Directory Server, Active
//! Directory), so that their schema files load as they are. Values are checked as far as their form matters here: text or octets.

use super::super::x509::is_sequence;
use super::table::{certificate, octets, readable};
use super::{Syntax, encoded, name, text};

pub(in super::super) const AUTHORIZATION: &str = "1.3.6.1.4.1.4203.666.2.7";
pub(in super::super) const AUTHENTICATION_PASSWORD: &str = "1.3.6.1.4.1.4203.1.1.2";
pub(in super::super) const PRESENTATION_ADDRESS: &str = "1.3.6.1.4.1.1466.115.121.1.43";
pub(in super::super) const PROTOCOL_INFORMATION: &str = "1.3.6.1.4.1.1466.115.121.1.42";

/// In the order of their numbers.
pub(in super::super) static FOREIGN: [Syntax; 35] = [
    readable("1.3.6.1.4.1.1466.115.121.1.1", "ACI Item", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.2", "Access Point", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.13", "Data Quality", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.18", "DL Submit Permission", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.19", "DSA Quality", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.20", "DSE Type", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.29", "Master And Shadow Access Points", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.32", "Mail Preference", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.33", "MHS OR Address", text::is_directory_string),
    readable(PROTOCOL_INFORMATION, "Protocol Information", text::is_directory_string),
    readable(PRESENTATION_ADDRESS, "Presentation Address", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.46", "Supplier Information", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.47", "Supplier Or Consumer", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.48", "Supplier And Consumer", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.55", "Modify Rights", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.56", "LDAP Schema Definition", text::is_directory_string),
    readable("1.3.6.1.4.1.1466.115.121.1.57", "LDAP Schema Description", text::is_directory_string),
    readable(AUTHENTICATION_PASSWORD, "Authentication Password", text::is_directory_string),
    readable(AUTHORIZATION, "OpenLDAP authz", text::is_directory_string),
    readable("1.3.6.1.4.1.4203.666.11.5.3.1", "Control", text::is_directory_string),
    certificate("1.3.6.1.4.1.4203.666.11.10.2.1", "X.509 AttributeCertificate", is_sequence),
    readable("1.2.36.79672281.1.5.0", "RDN", name::is_dn),
    octets("1.2.840.113549.1.8.1.1", "PKCS#8 PrivateKeyInfo", is_sequence),
    readable("1.3.6.1.4.1.26027.1.3.1", "User Password", text::is_directory_string),
    readable("1.3.6.1.4.1.26027.1.3.2", "Relative Subtree Specification", text::is_directory_string),
    readable("1.3.6.1.4.1.26027.1.3.3", "Absolute Subtree Specification", text::is_directory_string),
    readable("1.3.6.1.4.1.26027.1.3.4", "Sun-defined Access Control Information", text::is_directory_string),
    readable("1.3.6.1.4.1.26027.1.3.6", "Collective Conflict Behavior", text::is_directory_string),
    readable("2.16.840.1.113730.3.7.1", "Space Insensitive String", text::is_directory_string),
    octets("1.2.840.113556.1.4.903", "DN With Binary", |_| true),
    readable("1.2.840.113556.1.4.904", "DN With String", text::is_directory_string),
    readable("1.2.840.113556.1.4.905", "Case Ignore String", text::is_directory_string),
    readable("1.2.840.113556.1.4.906", "Large Integer", encoded::is_integer),
    octets("1.2.840.113556.1.4.907", "Security Descriptor", |_| true),
    readable("1.2.840.113556.1.4.1362", "Case Exact String", text::is_directory_string),
];
