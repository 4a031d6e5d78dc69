//! Lists of hosts that are dialled without a proxy.

use std::net::IpAddr;

use url::{Host, Url};
use wscengine_dial::{Proxies, Proxy};

/// A host, with a port if it likes, a line end, and a list as in `NO_PROXY`.
///
/// A host is excepted if one of the list's entries excepts it by itself; which do is compared with a plain reading of the
/// documentation. How they are written does not matter: case, separators, one list or more.
pub fn no_proxy(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let (host, list) = input.split_once('\n').unwrap_or(("example.com", &input));
    let url = Url::parse(&format!("wss://{host}/"));
    let Ok(url) = url.or_else(|_| Url::parse("wss://example.com/")) else { return };
    let Some((host, port)) = target(&url) else { return };

    let entries: Vec<_> = list
        .split([','])
        .flat_map(str::split_whitespace)
        .filter(|entry| !entry.is_empty())
        .collect();
    for entry in &entries {
        let excepted = excepts(&[entry], &url);
        assert_eq!(excepted, plainly(&entry.to_ascii_lowercase(), &host, port), "{entry}: {url}");
    }
    let any = entries.iter().any(|entry| excepts(&[entry], &url));
    assert_eq!(excepts(&[list], &url), any);
    assert_eq!(excepts(&entries, &url), any);
    assert_eq!(excepts(&[&list.to_ascii_uppercase()], &url), any);
}

fn excepts(lists: &[&str], url: &Url) -> bool {
    let proxy: Proxy = "http://proxy.example".parse().expect("a proxy");
    let proxies = lists.iter().fold(Proxies::from(proxy), Proxies::except);
    proxies.proxy_of(url).is_none()
}

/// The host in lower case, and the port.
fn target(url: &Url) -> Option<(String, u16)> {
    let host = match url.host()? {
        Host::Domain(name) => name.to_ascii_lowercase(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    Some((host.strip_suffix('.').unwrap_or(&host).to_owned(), url.port_or_known_default()?))
}

/// Whether an entry excepts a host.
fn plainly(entry: &str, host: &str, port: u16) -> bool {
    let without_port = |entry: &str| {
        let (name, its) = entry.rsplit_once(':')?;
        // Many colons without brackets are an address, and no port.
        let is_alone = !name.contains(':') || name.ends_with(']');
        (is_alone && its.parse() == Ok(port)).then(|| name.to_owned())
    };
    [Some(entry.to_owned()), without_port(entry)].into_iter().flatten().any(|name| {
        let inside = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        is_named(inside.unwrap_or(&name), host)
    })
}

fn is_named(name: &str, host: &str) -> bool {
    if name == "*" {
        return true;
    }
    if let Ok(host) = host.parse::<IpAddr>() {
        return match name.split_once('/') {
            Some((network, bits)) => is_in(host, network, bits),
            None => name.parse() == Ok(host),
        };
    }
    // The host, and whatever of it stands behind a dot.
    let mut ends = (0..host.len()).filter(|at| *at == 0 || host.as_bytes()[at - 1] == b'.');
    let below = name.strip_prefix("*.").or_else(|| name.strip_prefix('.'));
    let written = below.unwrap_or(name);
    let written = written.strip_suffix('.').unwrap_or(written);
    ends.any(|at| (at > 0 || below.is_none()) && written == &host[at..])
}

/// Whether the first bits of an address are those of a network, which may have others behind them.
fn is_in(host: IpAddr, network: &str, bits: &str) -> bool {
    let bytes = |address| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    // A number as one writes it: no sign, no zeros in front.
    if bits.len() > 1 && !bits.starts_with(|first: char| ('1'..='9').contains(&first)) {
        return false;
    }
    let (Ok(network), Ok(count)) = (network.parse::<IpAddr>(), bits.parse::<usize>()) else {
        return false;
    };
    let (network, host) = (bytes(network), bytes(host));
    network.len() == host.len()
        && count <= 8 * host.len()
        && (0..count).all(|at| (network[at / 8] ^ host[at / 8]) & (0x80 >> (at % 8)) == 0)
}
