//! Lists of extensions, as a server answers with them.

use wscengine_dial::Extension;

/// The value of a `Sec-WebSocket-Extensions` header.
///
/// What is parsed of it is what a plain reading of RFC 6455 section 9.1 gives, and can be sent again.
pub fn extensions(input: &[u8]) {
    let parsed = Extension::parse_list(input);
    assert_eq!(parsed.as_ref().ok(), plainly(input).as_ref(), "{parsed:?}");
    if let Ok(list) = parsed {
        let again: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(Extension::parse_list(again.join(", ").as_bytes()), Ok(list));
    }
}

/// By cutting it at commas, each part at semicolons, each of these at its first equals sign.
fn plainly(value: &[u8]) -> Option<Vec<Extension>> {
    let list: Option<Vec<_>> = parts(value, b',')
        .into_iter()
        .map(trimmed)
        .filter(|element| !element.is_empty())
        .map(extension)
        .collect();
    list.filter(|list| !list.is_empty())
}

fn extension(element: &[u8]) -> Option<Extension> {
    let mut parts = parts(element, b';').into_iter();
    let extension = Extension::new(token(parts.next()?)?);
    parts.try_fold(extension, |extension, part| match part.iter().position(|byte| *byte == b'=') {
        Some(at) => Some(extension.param(token(&part[..at])?, Some(&unquoted(&part[at + 1..])?))),
        None => Some(extension.param(token(part)?, None)),
    })
}

/// What stands between separators that are not in quotes.
fn parts(value: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if *byte == separator && !quoted => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    parts
}

fn unquoted(value: &[u8]) -> Option<String> {
    let Some(inside) = trimmed(value).strip_prefix(b"\"") else { return token(value) };
    let mut inside = inside.strip_suffix(b"\"")?.iter();
    let mut bytes = Vec::new();
    while let Some(byte) = inside.next() {
        match byte {
            // The quote at the end is then no end.
            b'\\' => bytes.push(*inside.next()?),
            b'"' => return None,
            byte => bytes.push(*byte),
        }
    }
    // White space in quotes is part of the value, and of no token.
    (trimmed(&bytes).len() == bytes.len()).then(|| token(&bytes)).flatten()
}

fn token(bytes: &[u8]) -> Option<String> {
    let token = str::from_utf8(trimmed(bytes)).ok()?;
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(char);
    (!token.is_empty() && token.chars().all(is_allowed)).then(|| token.to_owned())
}

fn trimmed(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
