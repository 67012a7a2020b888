//! Bind rules: who may log in from where, when and with what. Rules have no order: one that denies wins, then one that asks for a second
//! factor (which, once there, allows), then one that allows; where none matches nobody is let in.

mod read;
#[cfg(test)]
mod tests;
mod window;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

pub use read::RuleError;
pub use window::TimeWindow;

use crate::model::{EntryId, Timestamp};

/// A bind rule. It matches where every part of it does; a part that is left out matches everything, one with several values where one of
/// them does.
#[derive(Clone, Debug)]
pub struct BindRule {
    /// As the journal names it.
    pub name: String,
    /// What it comes to.
    pub effect: Effect,
    /// bindGroup: the account is a member of one of these, at any depth. Some without any: nobody is.
    pub groups: Option<Vec<EntryId>>,
    /// bindAccountKind
    pub kinds: Vec<AccountKind>,
    /// bindNetwork. A Unix socket is the machine itself: it counts as loopback.
    pub networks: Vec<IpNet>,
    /// bindListener
    pub listeners: Vec<Listener>,
    /// bindTlsMinimum. A Unix socket, which nobody can listen to, counts as the newest version.
    pub tls_minimum: Option<TlsVersion>,
    /// bindCertificateIssuer: keys of names; the connection has a client certificate of one of them.
    pub issuers: Vec<Box<[u8]>>,
    /// bindCertificateSubject: keys of names; the certificate is for one of them, or for a name below one.
    pub subjects: Vec<Box<[u8]>>,
    /// bindCertificateUsage: the certificate names one of these extended key usages.
    pub usages: Vec<KeyUsage>,
    /// bindTime
    pub times: Vec<TimeWindow>,
    /// bindApplication: the account is one of these, or the login comes through one of them.
    pub applications: Option<Vec<EntryId>>,
    /// bindAppPassword: the rule is for logins with a password of an application that was bound to it, and for no others.
    pub app_password: bool,
    /// entryUUID, by which such passwords know their rule.
    pub identifier: Vec<u8>,
    /// ruleNotAfter: no rule any more from then on.
    pub not_after: Option<Timestamp>,
}

/// bindEffect
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// `allow`
    Allow,
    /// `deny`
    Deny,
    /// `require-factor`
    RequireFactor,
}

/// accountKind
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AccountKind {
    /// `person`, or nothing said.
    #[default]
    Person,
    /// `service`
    Service,
    /// `breakglass`
    BreakGlass,
}

/// bindListener
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listener {
    /// `ldap`: StartTLS or in clear.
    Ldap,
    /// `ldaps`
    Ldaps,
    /// `ldapi`
    Ldapi,
}

/// bindCertificateUsage: an extended key usage (RFC 5280 section 4.2.1.12), as a dotted number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyUsage(pub String);

/// Versions of TLS this server speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TlsVersion {
    /// `1.2`
    V12,
    /// `1.3`
    V13,
}

/// What is known of a login.
pub struct Login<'a> {
    /// Who.
    pub account: EntryId,
    /// What kind of account it is.
    pub kind: AccountKind,
    /// Whether it is a member of a group, at any depth; none: that takes too long to find out.
    pub is_member: &'a dyn Fn(EntryId) -> Option<bool>,
    /// From where; none: the Unix socket.
    pub address: Option<IpAddr>,
    /// Over what.
    pub listener: Listener,
    /// TLS, where there is any.
    pub tls: Option<TlsVersion>,
    /// The connection's client certificate.
    pub certificate: Option<Certificate<'a>>,
    /// When.
    pub now: Timestamp,
    /// The applications on whose connection it comes.
    pub through: &'a [EntryId],
}

/// What rules look at of a client certificate.
pub struct Certificate<'a> {
    /// Key of its issuer's name.
    pub issuer: Box<[u8]>,
    /// Key of its subject's name; a name above begins it.
    pub subject: Box<[u8]>,
    /// The extended key usages that it names, as dotted numbers.
    pub usages: &'a [String],
}

/// What rules come to.
#[derive(Clone, Copy, Debug)]
pub enum Verdict<'a> {
    /// By this rule.
    Allow(&'a BindRule),
    /// By this rule; none: no rule matches.
    Deny(Option<&'a BindRule>),
    /// With a second factor, by this rule.
    RequireFactor(&'a BindRule),
}

/// Judges a login with a password of an application: the rule that the password is bound to must let it in, and none may deny it. What others
/// ask for is not asked: the rule was written for what cannot send a code.
pub fn judge_app_password<'a>(rules: &'a [BindRule], bound_to: &[u8], login: &Login<'_>) -> Verdict<'a> {
    let mut verdict = Verdict::Deny(None);
    for rule in rules.iter().filter(|rule| rule.matches(login)) {
        let is_own = rule.app_password && !bound_to.is_empty() && rule.identifier == bound_to;
        verdict = match rule.effect {
            Effect::Deny => return Verdict::Deny(Some(rule)),
            Effect::Allow if is_own => Verdict::Allow(rule),
            Effect::RequireFactor if is_own => Verdict::RequireFactor(rule),
            Effect::Allow | Effect::RequireFactor => verdict,
        };
    }
    verdict
}

/// Judges any other login by all rules.
pub fn judge<'a>(rules: &'a [BindRule], login: &Login<'_>) -> Verdict<'a> {
    let mut verdict = Verdict::Deny(None);
    for rule in rules.iter().filter(|rule| !rule.app_password && rule.matches(login)) {
        verdict = match (rule.effect, verdict) {
            (Effect::Deny, _) => return Verdict::Deny(Some(rule)),
            (_, Verdict::RequireFactor(first)) => Verdict::RequireFactor(first),
            (Effect::RequireFactor, _) => Verdict::RequireFactor(rule),
            (Effect::Allow, Verdict::Allow(first)) => Verdict::Allow(first),
            (Effect::Allow, Verdict::Deny(_)) => Verdict::Allow(rule),
        };
    }
    verdict
}

impl BindRule {
    /// A rule that matches everything.
    pub fn new(name: String, effect: Effect) -> BindRule {
        BindRule {
            name,
            effect,
            groups: None,
            kinds: Vec::new(),
            networks: Vec::new(),
            listeners: Vec::new(),
            tls_minimum: None,
            issuers: Vec::new(),
            subjects: Vec::new(),
            usages: Vec::new(),
            times: Vec::new(),
            applications: None,
            app_password: false,
            identifier: Vec::new(),
            not_after: None,
        }
    }

    /// In an emergency no network keeps out, unless the rule says that it is for such accounts.
    fn spares(&self, login: &Login<'_>) -> bool {
        login.kind == AccountKind::BreakGlass
            && self.effect == Effect::Deny
            && !self.networks.is_empty()
            && !self.kinds.contains(&AccountKind::BreakGlass)
    }

    fn matches(&self, login: &Login<'_>) -> bool {
        self.is_for_account(login)
            && self.is_for_application(login)
            && self.holds_for_connection(login)
            && self.is_for_groups(login)
    }

    /// Whether it is about this account at this moment, from wherever it comes.
    pub fn concerns(&self, login: &Login<'_>) -> bool {
        self.is_for_account(login) && self.is_for_groups(login)
    }

    fn is_for_account(&self, login: &Login<'_>) -> bool {
        self.not_after.is_none_or(|end| login.now < end)
            && (self.kinds.is_empty() || self.kinds.contains(&login.kind))
            && !self.spares(login)
    }

    fn is_for_application(&self, login: &Login<'_>) -> bool {
        let among = |applications: &Vec<EntryId>| {
            applications.contains(&login.account) || login.through.iter().any(|through| applications.contains(through))
        };
        self.applications.as_ref().is_none_or(among)
    }

    /// What costs most to find out.
    fn is_for_groups(&self, login: &Login<'_>) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.iter().any(|group| self.is_for_member(login, *group)))
    }

    /// Whether it asks those whom it is about for a second factor wherever they come from, whenever and for good.
    pub fn always_requires_factor(&self) -> bool {
        // Without `..`: a part that is added must be thought of here.
        let BindRule {
            name: _,
            effect,
            groups: _,
            kinds: _,
            networks,
            listeners,
            tls_minimum,
            issuers,
            subjects,
            usages,
            times,
            applications,
            app_password,
            identifier: _,
            not_after,
        } = self;
        *effect == Effect::RequireFactor
            && !app_password
            && applications.is_none()
            && networks.is_empty()
            && listeners.is_empty()
            && tls_minimum.is_none()
            && issuers.is_empty()
            && subjects.is_empty()
            && usages.is_empty()
            && times.is_empty()
            && not_after.is_none()
    }

    fn holds_for_connection(&self, login: &Login<'_>) -> bool {
        (self.listeners.is_empty() || self.listeners.contains(&login.listener))
            && self.tls_minimum.is_none_or(|minimum| login.listener == Listener::Ldapi || login.tls >= Some(minimum))
            && (self.networks.is_empty() || is_within(&self.networks, login.address))
            && (!self.asks_for_certificate() || login.certificate.as_ref().is_some_and(|certificate| self.fits(certificate)))
            && (self.times.is_empty() || self.times.iter().any(|window| window.contains(login.now)))
    }

    /// Where nobody can say whether the account is a member, a rule that lets in is not for it and one that does not is.
    fn is_for_member(&self, login: &Login<'_>, group: EntryId) -> bool {
        (login.is_member)(group).unwrap_or(self.effect != Effect::Allow)
    }

    /// Whether it looks at the client certificate.
    pub fn asks_for_certificate(&self) -> bool {
        !(self.issuers.is_empty() && self.subjects.is_empty() && self.usages.is_empty())
    }

    fn fits(&self, certificate: &Certificate<'_>) -> bool {
        // What cannot be read is no name: it would be above all of them.
        let covers = |above: &[u8]| !above.is_empty() && certificate.subject.starts_with(above);
        (self.issuers.is_empty() || self.issuers.contains(&certificate.issuer))
            && (self.subjects.is_empty() || self.subjects.iter().any(|subject| covers(subject)))
            && (self.usages.is_empty()
                || self.usages.iter().any(|usage| certificate.usages.iter().any(|named| *named == *usage.0)))
    }
}

/// Whether an address is in one of these networks. A Unix socket is the machine itself; an IPv4 address that is written as one of IPv6 is
/// what it stands for.
pub fn is_within(networks: &[IpNet], address: Option<IpAddr>) -> bool {
    let contains = |address: IpAddr| networks.iter().any(|network| network.contains(&address));
    match address {
        Some(address) => contains(address.to_canonical()),
        None => contains(Ipv4Addr::LOCALHOST.into()) || contains(Ipv6Addr::LOCALHOST.into()),
    }
}
