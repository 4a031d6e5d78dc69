//! Proxies from environment variables.

use std::ffi::OsString;

use super::{Proxies, Proxy, ProxyError, ProxyErrorKind};

/// The names of a variable, the first to be looked at first.
type Names = &'static [&'static str];

const HTTP: Names = &["http_proxy", "HTTP_PROXY"];
const HTTP_IN_CGI: Names = &["http_proxy"];
const HTTPS: Names = &["https_proxy", "HTTPS_PROXY"];
const ALL: Names = &["all_proxy", "ALL_PROXY"];
const NONE: Names = &["no_proxy", "NO_PROXY"];

/// Reads the variables by `get`.
pub(super) fn read(get: impl Fn(&str) -> Option<OsString>) -> Result<Proxies, ProxyError> {
    let http = if get("REQUEST_METHOD").is_some() { HTTP_IN_CGI } else { HTTP };
    let mut proxies = Proxies::new();
    let all = proxy(&get, ALL)?;
    proxies.ws = proxy(&get, http)?.or_else(|| all.clone());
    proxies.wss = proxy(&get, HTTPS)?.or(all);
    Ok(match text(&get, NONE)? {
        Some((_, list)) => proxies.except(list),
        None => proxies,
    })
}

fn proxy(
    get: &impl Fn(&str) -> Option<OsString>,
    names: Names,
) -> Result<Option<Proxy>, ProxyError> {
    match text(get, names)? {
        Some((name, url)) => {
            url.parse().map(Some).map_err(|error: ProxyError| error.in_variable(name))
        }
        None => Ok(None),
    }
}

/// The first variable that is not empty, with its name.
fn text(
    get: &impl Fn(&str) -> Option<OsString>,
    names: Names,
) -> Result<Option<(&'static str, String)>, ProxyError> {
    for name in names {
        match get(name).map(OsString::into_string) {
            Some(Ok(text)) if !text.trim().is_empty() => return Ok(Some((name, text))),
            Some(Err(_)) => {
                return Err(ProxyError::from(ProxyErrorKind::NotUnicode).in_variable(name));
            }
            Some(Ok(_)) | None => {}
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn from(variables: &[(&str, &str)]) -> Result<Proxies, ProxyError> {
        let variables: HashMap<_, _> =
            variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
        read(|name| variables.get(name).cloned())
    }

    /// The hosts of the proxies for `ws` and for `wss` URLs of `example.com`.
    fn hosts(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let proxies = from(variables).unwrap();
        ["ws://example.com/", "wss://example.com/"].map(|url| {
            proxies.proxy_of(&url.parse().unwrap()).map(|proxy| proxy.address().host.clone())
        })
    }

    #[test]
    fn each_scheme_has_its_variable_and_lower_case_goes_first() {
        let some = |host: &str| Some(host.to_owned());
        for (variables, expected) in [
            (&[][..], [None, None]),
            (&[("HTTPS_PROXY", "http://a")], [None, some("a")]),
            (&[("HTTP_PROXY", "a:3128")], [some("a"), None]),
            (&[("ALL_PROXY", "socks5://a")], [some("a"), some("a")]),
            (&[("ALL_PROXY", "a"), ("HTTPS_PROXY", "b")], [some("a"), some("b")]),
            (&[("https_proxy", "a"), ("HTTPS_PROXY", "b")], [None, some("a")]),
            (&[("https_proxy", ""), ("HTTPS_PROXY", "b")], [None, some("b")]),
            (&[("all_proxy", "a"), ("no_proxy", "example.com")], [None, None]),
            (&[("all_proxy", "a"), ("NO_PROXY", "example.com:443")], [some("a"), None]),
            (&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")], [None, None]),
            (&[("http_proxy", "a"), ("REQUEST_METHOD", "GET")], [some("a"), None]),
        ] {
            assert_eq!(hosts(variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn an_error_names_the_variable_and_not_its_value() {
        let error = from(&[("HTTPS_PROXY", "ftp://user:secret@h")]).unwrap_err();
        assert_eq!((error.kind(), error.variable()), (ProxyErrorKind::Scheme, Some("HTTPS_PROXY")));
        assert!(error.to_string().starts_with("HTTPS_PROXY: "), "{error}");
        assert!(!format!("{error:?}").contains("secret"));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_an_error() {
        use std::os::unix::ffi::OsStringExt;

        let error = read(|name| (name == "ALL_PROXY").then(|| OsString::from_vec(vec![0xff])));
        assert_eq!(error.unwrap_err().kind(), ProxyErrorKind::NotUnicode);
    }
}
