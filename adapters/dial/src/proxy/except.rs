//! Hosts that are dialled without a proxy: what `NO_PROXY` says.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::connector::Target;

/// The entries of a list such as `localhost, .internal, 10.0.0.0/8, example.com:8080`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exceptions(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    Network(IpNet),
    /// A name in lower case, and whether it is in the list itself, or only what is below it.
    Domain {
        name: String,
        itself: bool,
    },
}

impl Exceptions {
    /// Adds the entries of a list, separated by commas or white space. What is none matches nothing.
    pub(super) fn add(&mut self, list: &str) {
        let parts = list.split(|char: char| char == ',' || char.is_whitespace());
        self.0.extend(parts.filter(|part| !part.is_empty()).filter_map(Entry::parse));
    }

    pub(super) fn contain(&self, target: &Target) -> bool {
        let host = target.host.strip_suffix('.').unwrap_or(&target.host).to_ascii_lowercase();
        let address = host.parse().ok();
        self.0.iter().any(|entry| {
            entry.port.is_none_or(|port| port == target.port) && entry.hosts.contain(&host, address)
        })
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = split_port(text)?;
        let hosts = match host {
            "*" => Hosts::All,
            _ => match network(host) {
                Some(network) => Hosts::Network(network),
                None => Hosts::domain(host)?,
            },
        };
        Some(Self { hosts, port })
    }
}

impl Hosts {
    fn domain(text: &str) -> Option<Self> {
        let below = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
        let name = below.unwrap_or(text);
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        (!name.is_empty()).then_some(Self::Domain { name, itself: below.is_none() })
    }

    fn contain(&self, host: &str, address: Option<IpAddr>) -> bool {
        match self {
            Self::All => true,
            Self::Network(network) => address.is_some_and(|address| network.contains(&address)),
            // An address has no domain, though its end may be written like one.
            Self::Domain { .. } if address.is_some() => false,
            Self::Domain { name, itself } => match host.strip_suffix(name.as_str()) {
                Some("") => *itself,
                Some(rest) => rest.ends_with('.'),
                None => false,
            },
        }
    }
}

/// An IPv6 address with a port stands in brackets; without one it may.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        return match port.strip_prefix(':') {
            Some(port) => Some((address, Some(port.parse().ok()?))),
            None => port.is_empty().then_some((address, None)),
        };
    }
    match text.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Some((text, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((text, None)),
    }
}

/// `10.0.0.0/8`, or a single address.
fn network(text: &str) -> Option<IpNet> {
    let Some((address, written)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    // Zeros in front mean octal to some: such an entry is none.
    let prefix = written.parse::<u8>().ok().filter(|prefix| prefix.to_string() == written)?;
    IpNet::new(address.parse().ok()?, prefix).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excepts(list: &str, host: &str, port: u16) -> bool {
        let mut exceptions = Exceptions::default();
        exceptions.add(list);
        exceptions.contain(&Target::new(host, port))
    }

    #[test]
    fn names_suffixes_networks_and_ports_are_told_apart() {
        for (list, host, expected) in [
            ("", "example.com", false),
            ("*", "example.com", true),
            ("*:443", "example.com", true),
            ("*:80", "example.com", false),
            ("example.com", "example.com", true),
            ("example.com", "EXAMPLE.com.", true),
            ("Example.COM.", "example.com", true),
            ("example.com", "a.b.example.com", true),
            ("example.com", "notexample.com", false),
            ("example.com", "example.com.evil", false),
            (".example.com", "example.com", false),
            (".example.com", "a.example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("example.com:443", "example.com", true),
            ("example.com:8443", "example.com", false),
            ("a, b\texample.com ,c", "example.com", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("127.0.0.1", "127.0.0.1.example.com", false),
            ("127.0.0.1:443", "127.0.0.1", true),
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "ten.example", false),
            ("10.0.0.0/33", "10.0.0.1", false),
            ("1", "10.0.0.1", false),
            ("0.0.1, .0.1, *.1", "10.0.0.1", false),
            ("0.0.0.0/0", "192.0.2.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("2001:db8:0::1", "2001:db8::1", true),
            ("[2001:db8::1]", "2001:db8::1", true),
            ("[2001:db8::1]:443", "2001:db8::1", true),
            ("[2001:db8::1]:80", "2001:db8::1", false),
            ("[2001:db8::1]x", "2001:db8::1", false),
            ("[", "[", false),
            (".", "example.com", false),
            ("example.com:http", "example.com", false),
            ("example.com:99999", "example.com", false),
        ] {
            assert_eq!(excepts(list, host, 443), expected, "{list:?} {host}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_list_is_taken_and_names_no_host_beyond_it(list in "[a-c0-9.:*/\\[\\], ]{0,40}|\\PC*") {
            let excepts_all = list.contains('*') || list.contains("/");
            prop_assert!(excepts_all || !excepts(&list, "z.example.org", 443));
            excepts(&list, "10.0.0.1", 443);
            excepts(&list, "::1", 443);
        }
    }
}
