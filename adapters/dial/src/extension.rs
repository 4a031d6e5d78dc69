//! WebSocket extensions as they are offered and accepted: RFC 6455 section 9.1.

use std::fmt;

/// An extension with its parameters, as it is offered by [`Dialer::dial_with`](crate::Dialer::dial_with) or was
/// accepted by the server (RFC 6455 section 9.1). What the parameters mean is its adapter's to know.
///
/// # Examples
/// ```
/// use wscengine_dial::Extension;
///
/// let offer = Extension::new("permessage-deflate")
///     .param("client_no_context_takeover", None)
///     .param("server_max_window_bits", Some("10"));
/// assert_eq!(
///     offer.to_string(),
///     "permessage-deflate; client_no_context_takeover; server_max_window_bits=10"
/// );
/// assert_eq!(Extension::parse_list(offer.to_string().as_bytes())?, [offer]);
/// # Ok::<(), wscengine_dial::ExtensionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extension {
    /// Its registered name: a token.
    pub name: String,
    /// Its parameters in their order, each with the value that it may have; both are tokens. One name may stand
    /// more often.
    pub params: Vec<(String, Option<String>)>,
}

/// A list of extensions breaks the syntax of RFC 6455 section 9.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// There is no extension in it.
    #[error("the list of extensions is empty")]
    Empty,
    /// A name or a value is missing, or has a byte in it that no token has.
    #[error("a name or a value in the list of extensions is no token")]
    NotAToken,
    /// A quoted value has no end.
    #[error("a quoted value in the list of extensions has no end")]
    Unterminated,
    /// Behind a name or a value stands something else than `;`, `=` or `,`.
    #[error("a separator in the list of extensions is missing")]
    NoSeparator,
}

impl Extension {
    /// An extension without parameters.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), params: Vec::new() }
    }

    /// Adds a parameter behind those that are there.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: Option<&str>) -> Self {
        self.params.push((name.into(), value.map(str::to_owned)));
        self
    }

    /// Parses the value of a `Sec-WebSocket-Extensions` header, or of several, joined by commas.
    ///
    /// Empty elements of the list are passed over (RFC 9110 section 5.6.1.2); a quoted value is unquoted, and must be
    /// a token then.
    ///
    /// # Errors
    /// [`ExtensionError`] says what is wrong.
    pub fn parse_list(value: &[u8]) -> Result<Vec<Self>, ExtensionError> {
        let mut rest = Rest(value);
        let mut list = Vec::new();
        loop {
            while rest.take(b',') {}
            if rest.is_empty() {
                break;
            }
            list.push(rest.extension()?);
            if !rest.is_empty() && !rest.take(b',') {
                return Err(ExtensionError::NoSeparator);
            }
        }
        if list.is_empty() { Err(ExtensionError::Empty) } else { Ok(list) }
    }

    /// Whether it can stand in a header: nothing in it but tokens.
    pub(crate) fn is_valid(&self) -> bool {
        is_token(&self.name)
            && self.params.iter().all(|(name, value)| {
                is_token(name) && value.as_ref().is_none_or(|value| is_token(value))
            })
    }
}

/// As in the header, without quotes: every value is a token.
impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in &self.params {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

/// What of a header's value is not yet parsed.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn extension(&mut self) -> Result<Extension, ExtensionError> {
        let mut extension = Extension::new(self.token()?);
        while self.take(b';') {
            let name = self.token()?;
            let value = if self.take(b'=') { Some(self.value()?) } else { None };
            extension.params.push((name, value));
        }
        Ok(extension)
    }

    fn value(&mut self) -> Result<String, ExtensionError> {
        if self.take(b'"') { self.quoted() } else { self.token() }
    }

    fn token(&mut self) -> Result<String, ExtensionError> {
        self.skip_space();
        let end = self.0.iter().position(|&byte| !is_token_byte(byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        into_token(token.to_vec())
    }

    /// The rest of a quoted string, behind its first quote (RFC 9110 section 5.6.4).
    fn quoted(&mut self) -> Result<String, ExtensionError> {
        let mut value = Vec::new();
        loop {
            match self.0 {
                [] | [b'\\'] => return Err(ExtensionError::Unterminated),
                [b'"', rest @ ..] => {
                    self.0 = rest;
                    return into_token(value);
                }
                [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                    value.push(*byte);
                    self.0 = rest;
                }
            }
        }
    }

    /// Takes this byte, and the white space before it, if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        match self.0 {
            [first, rest @ ..] if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn is_empty(&mut self) -> bool {
        self.skip_space();
        self.0.is_empty()
    }

    fn skip_space(&mut self) {
        while let [b' ' | b'\t', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }
}

fn into_token(bytes: Vec<u8>) -> Result<String, ExtensionError> {
    match String::from_utf8(bytes) {
        Ok(token) if is_token(&token) => Ok(token),
        Ok(_) | Err(_) => Err(ExtensionError::NotAToken),
    }
}

/// Whether it is a `token` of RFC 7230 section 3.2.6.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lists_are_parsed_to_their_names_and_parameters() {
        let deflate = || Extension::new("permessage-deflate");
        let bits = || deflate().param("client_max_window_bits", Some("10"));
        for (text, expected) in [
            ("permessage-deflate", vec![deflate()]),
            ("permessage-deflate;client_max_window_bits=10", vec![bits()]),
            (" permessage-deflate ;\tclient_max_window_bits = \"10\" ", vec![bits()]),
            (r#"permessage-deflate; client_max_window_bits="1\0""#, vec![bits()]),
            (
                "foo, permessage-deflate; a; a; b=1 ,bar",
                vec![
                    Extension::new("foo"),
                    deflate().param("a", None).param("a", None).param("b", Some("1")),
                    Extension::new("bar"),
                ],
            ),
            (",, permessage-deflate,\t,", vec![deflate()]),
            ("x;y=z,x;y=z", vec![Extension::new("x").param("y", Some("z")); 2]),
        ] {
            assert_eq!(Extension::parse_list(text.as_bytes()).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn what_breaks_the_syntax_is_told_apart() {
        use ExtensionError::{Empty, NoSeparator, NotAToken, Unterminated};

        for (text, error) in [
            (&b""[..], Empty),
            (b" \t", Empty),
            (b" , ,", Empty),
            (b";", NotAToken),
            (b"a;", NotAToken),
            (b"a;;b", NotAToken),
            (b"a;,b", NotAToken),
            (b"a;=1", NotAToken),
            (b"a;b=", NotAToken),
            (b"a;b=,c", NotAToken),
            (b"a;b=\"\"", NotAToken),
            (b"a;b=\"1 2\"", NotAToken),
            (b"a;b=\"\xff\"", NotAToken),
            (b"\"a\"", NotAToken),
            (b"a;\"b\"", NotAToken),
            (b"\xc3\xa4", NotAToken),
            (b"a;b=\"1", Unterminated),
            (b"a;b=\"1\\", Unterminated),
            (b"a;b=\"1\\\"", Unterminated),
            (b"a b", NoSeparator),
            (b"a=1", NoSeparator),
            (b"a;b c", NoSeparator),
            (b"a;b=1 2", NoSeparator),
            (b"a;b=\"1\"2", NoSeparator),
            (b"a;b=1=2", NoSeparator),
            (b"a/b", NoSeparator),
            (b"a\0", NoSeparator),
        ] {
            let outcome = Extension::parse_list(text);
            assert_eq!(outcome, Err(error), "{}", text.escape_ascii());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_an_error_or_a_list_that_can_be_sent_again(
            bytes in prop_oneof![
                vec(any::<u8>(), 0..60),
                vec(prop::sample::select(b"ab;=,\" \\\t\x80".to_vec()), 0..20),
            ],
        ) {
            if let Ok(list) = Extension::parse_list(&bytes) {
                prop_assert!(!list.is_empty() && list.iter().all(Extension::is_valid));
                let again: Vec<_> = list.iter().map(ToString::to_string).collect();
                prop_assert_eq!(Extension::parse_list(again.join(",").as_bytes()), Ok(list));
            }
        }
    }
}
