//! The offer of permessage-deflate and the judgement on the answer (RFC 7692 sections 5 and 7.1).

use wscengine::transport::Limits;
use wscengine::{ConnectError, ConnectErrorKind};
use wscengine_dial::Extension;
use wscengine_frames::Buffers;

use crate::deflate::{Agreement, Deflate, WindowBits};
use crate::{Sockudo, SockudoConnection};

const NAME: &str = "permessage-deflate";
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_WINDOW: &str = "server_max_window_bits";
const CLIENT_WINDOW: &str = "client_max_window_bits";

/// Why an answer to the offer cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAnswer {
    #[error("the server accepted an extension that was not offered")]
    NotOffered,
    #[error("the server accepted permessage-deflate more than once")]
    Twice,
    #[error("the server's answer has a parameter that permessage-deflate does not know")]
    UnknownParameter,
    #[error("the server's answer has `{0}` more than once")]
    Duplicate(&'static str),
    #[error("the server's answer has a value for `{0}` that it cannot have")]
    BadValue(&'static str),
    #[error("the server's answer has a larger `{0}` than was offered")]
    Larger(&'static str),
    #[error("the server did not agree to `{0}`")]
    NotAgreed(&'static str),
}

impl From<BadAnswer> for ConnectError {
    fn from(answer: BadAnswer) -> Self {
        Self::with_source(ConnectErrorKind::Handshake, answer)
    }
}

impl Deflate {
    /// What to offer in the handshake, where that is made without [`SockudoTransport`](crate::SockudoTransport).
    ///
    /// # Examples
    /// ```
    /// use wscengine_sockudo::{Deflate, WindowBits};
    ///
    /// let offer = Deflate::new().server_window(WindowBits::MIN).offer();
    /// assert_eq!(
    ///     offer.to_string(),
    ///     "permessage-deflate; client_max_window_bits; server_max_window_bits=9"
    /// );
    /// ```
    pub fn offer(&self) -> Extension {
        // That we can do with a smaller window is worth saying even where we do not ask for one.
        let client = self.client_window.get().to_string();
        let client = (self.client_window < WindowBits::MAX).then_some(client.as_str());
        let mut offer = Extension::new(NAME).param(CLIENT_WINDOW, client);
        if self.server_window < WindowBits::MAX {
            offer = offer.param(SERVER_WINDOW, Some(&self.server_window.get().to_string()));
        }
        if !self.server_takeover {
            offer = offer.param(SERVER_NO_TAKEOVER, None);
        }
        if !self.client_takeover {
            offer = offer.param(CLIENT_NO_TAKEOVER, None);
        }
        offer
    }

    /// A connection over an upgraded byte stream, if the server has accepted [`offer`](Self::offer): `accepted` are the
    /// extensions of its answer, `leftover` the bytes that were read behind it.
    ///
    /// # Errors
    /// Of kind `Handshake` if the answer breaks RFC 7692 or goes beyond the offer, or has other extensions.
    ///
    /// # Examples
    /// ```
    /// use wscengine::transport::Limits;
    /// use wscengine_dial::Extension;
    /// use wscengine_sockudo::Deflate;
    ///
    /// let deflate = Deflate::new();
    /// // Any stream whose handshake has been made with `deflate.offer()`; here one without a network.
    /// let (client, _server) = tokio::io::duplex(4096);
    /// let accepted = Extension::parse_list(b"permessage-deflate")?;
    /// let connection = deflate.connection(client, b"", Limits::default(), &accepted)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn connection<S>(
        &self,
        stream: S,
        leftover: &[u8],
        limits: Limits,
        accepted: &[Extension],
    ) -> Result<SockudoConnection<S>, ConnectError> {
        let library = Sockudo::new(self.agree(accepted)?);
        let buffers = Buffers::default();
        Ok(SockudoConnection::with_library(stream, leftover, limits, buffers, library))
    }

    /// What was agreed on by this answer; `None` without the extension.
    pub(crate) fn agree(&self, answer: &[Extension]) -> Result<Option<Agreement>, BadAnswer> {
        match answer {
            [] => Ok(None),
            [extension] if extension.name == NAME => {
                self.judge(&Answer::read(&extension.params)?).map(Some)
            }
            [first, second, ..] if first.name == NAME && second.name == NAME => {
                Err(BadAnswer::Twice)
            }
            _ => Err(BadAnswer::NotOffered),
        }
    }

    fn judge(&self, answer: &Answer) -> Result<Agreement, BadAnswer> {
        let server_window = answer.server_window.unwrap_or(WindowBits::MAX.get());
        if server_window > self.server_window.get() {
            return Err(match answer.server_window {
                Some(_) => BadAnswer::Larger(SERVER_WINDOW),
                None => BadAnswer::NotAgreed(SERVER_WINDOW),
            });
        }
        if !self.server_takeover && !answer.server_no_takeover {
            return Err(BadAnswer::NotAgreed(SERVER_NO_TAKEOVER));
        }
        let client_window = answer.client_window.unwrap_or(self.client_window.get());
        if client_window > self.client_window.get() {
            return Err(BadAnswer::Larger(CLIENT_WINDOW));
        }
        Ok(Agreement {
            // With more than the server uses, what it sends can be inflated all the same.
            server_window: WindowBits::try_from(server_window).unwrap_or(WindowBits::MIN),
            client_window: WindowBits::try_from(client_window).ok(),
            server_takeover: !answer.server_no_takeover,
            client_takeover: self.client_takeover && !answer.client_no_takeover,
            level: self.level,
            threshold: self.threshold,
        })
    }
}

/// The parameters of an answer, each as it may be.
#[derive(Default)]
struct Answer {
    server_no_takeover: bool,
    client_no_takeover: bool,
    server_window: Option<u8>,
    client_window: Option<u8>,
}

impl Answer {
    fn read(params: &[(String, Option<String>)]) -> Result<Self, BadAnswer> {
        let mut answer = Self::default();
        for (name, value) in params {
            let value = value.as_deref();
            match name.as_str() {
                SERVER_NO_TAKEOVER => {
                    flag(&mut answer.server_no_takeover, SERVER_NO_TAKEOVER, value)?;
                }
                CLIENT_NO_TAKEOVER => {
                    flag(&mut answer.client_no_takeover, CLIENT_NO_TAKEOVER, value)?;
                }
                SERVER_WINDOW => window(&mut answer.server_window, SERVER_WINDOW, value)?,
                CLIENT_WINDOW => window(&mut answer.client_window, CLIENT_WINDOW, value)?,
                _ => return Err(BadAnswer::UnknownParameter),
            }
        }
        Ok(answer)
    }
}

fn flag(seen: &mut bool, name: &'static str, value: Option<&str>) -> Result<(), BadAnswer> {
    match value {
        Some(_) => Err(BadAnswer::BadValue(name)),
        None if *seen => Err(BadAnswer::Duplicate(name)),
        None => {
            *seen = true;
            Ok(())
        }
    }
}

fn window(seen: &mut Option<u8>, name: &'static str, value: Option<&str>) -> Result<(), BadAnswer> {
    if seen.is_some() {
        return Err(BadAnswer::Duplicate(name));
    }
    // In decimal, without leading zeros (section 7.1.2).
    *seen = match value {
        Some("8") => Some(8),
        Some("9") => Some(9),
        Some(value) if value.len() == 2 && !value.starts_with(['0', '+']) => value.parse().ok(),
        _ => None,
    };
    match seen {
        Some(8..=15) => Ok(()),
        _ => Err(BadAnswer::BadValue(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of an answer, as it stands in the header.
    fn agree(deflate: &Deflate, answer: &str) -> Result<Option<Agreement>, BadAnswer> {
        deflate.agree(&Extension::parse_list(answer.as_bytes()).expect("it is well formed"))
    }

    fn bits(bits: u8) -> WindowBits {
        WindowBits::try_from(bits).expect("it is in range")
    }

    #[test]
    fn what_is_not_the_default_is_offered() {
        assert_eq!(
            Deflate::new().offer().to_string(),
            "permessage-deflate; client_max_window_bits"
        );
        let all = Deflate::new()
            .client_window(bits(10))
            .server_window(bits(11))
            .server_context_takeover(false)
            .client_context_takeover(false);
        assert_eq!(
            all.offer().to_string(),
            "permessage-deflate; client_max_window_bits=10; server_max_window_bits=11; \
             server_no_context_takeover; client_no_context_takeover"
        );
    }

    #[test]
    fn no_answer_is_a_connection_without_compression() {
        assert_eq!(Deflate::new().agree(&[]), Ok(None));
    }

    #[test]
    fn a_bare_answer_leaves_windows_and_takeover_as_they_are() {
        let agreed =
            agree(&Deflate::new(), "permessage-deflate").expect("allowed").expect("agreed");
        assert_eq!((agreed.server_window, agreed.client_window), (bits(15), Some(bits(15))));
        assert!(agreed.server_takeover && agreed.client_takeover);
    }

    /// RFC 7692 sections 7.1.1 and 7.1.2: but for `client_max_window_bits`, all may come unasked.
    #[test]
    fn the_server_may_restrict_itself_and_us() {
        let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                      server_max_window_bits=10; client_max_window_bits=\"12\"";
        let agreed = agree(&Deflate::new(), answer).expect("allowed").expect("agreed");
        assert_eq!((agreed.server_window, agreed.client_window), (bits(10), Some(bits(12))));
        assert!(!agreed.server_takeover && !agreed.client_takeover);
    }

    #[test]
    fn windows_of_eight_bits_are_agreed_to_and_ours_is_not_used() {
        let answer = "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8";
        let agreed = agree(&Deflate::new(), answer).expect("allowed").expect("agreed");
        assert_eq!((agreed.server_window, agreed.client_window), (bits(9), None));
        assert!(agreed.encoder().is_none());
    }

    #[test]
    fn answers_that_break_rfc_7692_are_refused() {
        let cases = [
            ("x-webkit-deflate-frame", BadAnswer::NotOffered),
            ("permessage-deflate, permessage-deflate", BadAnswer::Twice),
            ("permessage-deflate; level=9", BadAnswer::UnknownParameter),
            ("permessage-deflate; Server_No_Context_Takeover", BadAnswer::UnknownParameter),
            (
                "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                BadAnswer::Duplicate(SERVER_NO_TAKEOVER),
            ),
            (
                "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
                BadAnswer::Duplicate(SERVER_WINDOW),
            ),
            (
                "permessage-deflate; client_no_context_takeover=1",
                BadAnswer::BadValue(CLIENT_NO_TAKEOVER),
            ),
        ];
        for (answer, wanted) in cases {
            assert_eq!(agree(&Deflate::new(), answer), Err(wanted), "{answer}");
        }
    }

    #[test]
    fn windows_without_a_value_or_out_of_range_are_refused() {
        for (name, value) in [SERVER_WINDOW, CLIENT_WINDOW].into_iter().flat_map(|name| {
            ["", "=7", "=16", "=08", "=010", "=1", "=99", "=x", "=1x"].map(|value| (name, value))
        }) {
            let answer = format!("permessage-deflate; {name}{value}");
            assert_eq!(agree(&Deflate::new(), &answer), Err(BadAnswer::BadValue(name)), "{answer}");
        }
    }

    #[test]
    fn what_was_offered_must_be_agreed_to() {
        let small = Deflate::new().server_window(bits(10)).client_window(bits(10));
        let cases = [
            ("permessage-deflate", BadAnswer::NotAgreed(SERVER_WINDOW)),
            ("permessage-deflate; server_max_window_bits=11", BadAnswer::Larger(SERVER_WINDOW)),
            (
                "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11",
                BadAnswer::Larger(CLIENT_WINDOW),
            ),
        ];
        for (answer, wanted) in cases {
            assert_eq!(agree(&small, answer), Err(wanted), "{answer}");
        }
        let forgetful = Deflate::new().server_context_takeover(false);
        assert_eq!(
            agree(&forgetful, "permessage-deflate"),
            Err(BadAnswer::NotAgreed(SERVER_NO_TAKEOVER))
        );
    }
}
