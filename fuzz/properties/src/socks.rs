//! The replies of a SOCKS5 proxy, whatever they are.

use wscengine::ConnectErrorKind;
use wscengine_dial::{Proxy, Target};

use crate::script::{LIMIT, Script, on_a_paused_clock, split_cuts};

/// A byte that says what is asked for and with which credentials, a list of pieces, and all that the proxy says.
///
/// It has the result of a plain reading of RFC 1928 and RFC 1929, whatever the pieces; so much is read and no byte more,
/// so much is written as the proxy asks for.
pub fn socks(input: &[u8]) {
    let Some((&options, rest)) = input.split_first() else { return };
    let (cuts, replies) = split_cuts(rest);
    let with_credentials = options & 1 != 0;
    let (host, address) = match options >> 1 & 3 {
        0 => ("example.com", [&[3, 11][..], b"example.com"].concat()),
        1 => ("192.0.2.1", vec![1, 192, 0, 2, 1]),
        _ => ("2001:db8::1", [&[4, 0x20, 0x01, 0x0d, 0xb8][..], &[0; 11], &[1]].concat()),
    };
    let mut plain = Plain { replies, read: 0, written: Vec::new() };
    let expected = plain.tunnel(with_credentials, &address);

    let url = if with_credentials { "socks5://user:sesame@proxy" } else { "socks5://proxy" };
    let proxy: Proxy = url.parse().expect("a proxy");
    let mut script = Script::new(replies, cuts);
    let result = on_a_paused_clock(proxy.tunnel(&mut script, &Target::new(host, 443), LIMIT));
    assert_eq!(result.map_err(|error| error.kind()), expected);
    assert_eq!(script.written, plain.written);
    assert_eq!(script.input.rest().len(), replies.len() - plain.read);
}

struct Plain<'a> {
    replies: &'a [u8],
    read: usize,
    written: Vec<u8>,
}

impl Plain<'_> {
    fn tunnel(&mut self, with_credentials: bool, address: &[u8]) -> Result<(), ConnectErrorKind> {
        self.written = if with_credentials { vec![5, 2, 0, 2] } else { vec![5, 1, 0] };
        match (self.take(2)?, with_credentials) {
            (&[5, 0], _) => {}
            (&[5, 2], true) => {
                self.written.extend(b"\x01\x04user\x06sesame");
                match self.take(2)? {
                    [1, 0] => {}
                    [1, _] => return Err(ConnectErrorKind::ProxyAuth),
                    _ => return Err(ConnectErrorKind::Proxy),
                }
            }
            (&[5, 0xff], _) => return Err(ConnectErrorKind::ProxyAuth),
            _ => return Err(ConnectErrorKind::Proxy),
        }
        self.written.extend([&[5, 1, 0], address, &443_u16.to_be_bytes()].concat());
        if !matches!(self.take(3)?, [5, 0, _]) {
            return Err(ConnectErrorKind::Proxy);
        }
        let len = match self.take(1)? {
            [1] => 4,
            [4] => 16,
            [3] => usize::from(self.take(1)?[0]),
            _ => return Err(ConnectErrorKind::Proxy),
        };
        self.take(len + 2).map(drop)
    }

    /// The next bytes; what is cut short is read too.
    fn take(&mut self, count: usize) -> Result<&[u8], ConnectErrorKind> {
        let start = self.read;
        self.read = self.replies.len().min(start + count);
        self.replies.get(start..start + count).ok_or(ConnectErrorKind::Proxy)
    }
}
