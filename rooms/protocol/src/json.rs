//! JSON as the original servers write it, and JSON without white space.

use std::borrow::Cow;
use std::{fmt, io};

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Visitor};
use serde_json::ser::{Formatter, Serializer};
use serde_json::value::RawValue;

/// `value` as JSON the way the original servers write it: compact, `<`, `>`, `&`, U+2028 and U+2029
/// escaped, so that the text may stand inside HTML, and numbers with a point as 64-bit floats of the
/// fewest digits, in exponent form only below 1e-6 and from 1e21 on.
///
/// # Errors
/// The value cannot be written as JSON: it says so itself, or a key of a map is no text.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::json;
///
/// assert_eq!(json::encode(&"<a&b>")?.get(), r#""\u003ca\u0026b\u003e""#);
/// assert_eq!(json::encode(&[1.0, 1.5, 1e23])?.get(), "[1,1.5,1e+23]");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn encode(value: &(impl Serialize + ?Sized)) -> Result<Box<RawValue>, serde_json::Error> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut text, Original))?;
    let text = String::from_utf8(text).map_err(serde::ser::Error::custom)?;
    RawValue::from_string(text)
}

/// The same JSON without white space between its parts; borrowed where there is none.
///
/// # Examples
/// ```
/// use serde_json::value::RawValue;
/// use wscengine_rooms_protocol::json;
///
/// let spaced: &RawValue = serde_json::from_str(r#"{"a b": [1, 2]}"#)?;
/// assert_eq!(json::compact(spaced).get(), r#"{"a b":[1,2]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn compact(json: &RawValue) -> Cow<'_, RawValue> {
    let text = json.get();
    // Most JSON that comes over the wire has no white space at all, not even inside its strings.
    if !text.bytes().any(is_white_space) {
        return Cow::Borrowed(json);
    }
    let mut parts = Parts { inside_string: false, escaped: false };
    let kept: String = text.chars().filter(|c| parts.keep(*c)).collect();
    if kept.len() == text.len() {
        return Cow::Borrowed(json);
    }
    // White space between tokens is all that went, so that the rest is JSON still.
    RawValue::from_string(kept).map_or(Cow::Borrowed(json), Cow::Owned)
}

/// The text that a JSON string stands for; nothing for other JSON, and for half a surrogate pair.
///
/// # Examples
/// ```
/// use serde_json::value::RawValue;
/// use wscengine_rooms_protocol::json;
///
/// let room: &RawValue = serde_json::from_str(r#""lobby""#)?;
/// assert_eq!(json::text(room).as_deref(), Some("lobby"));
/// assert_eq!(json::text(RawValue::TRUE), None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = serde_json::from_str(json.get()).ok()?;
    Some(text)
}

/// Appends `text` as a JSON string.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        return out.push(b'"');
    }
    let mut serializer = Serializer::with_formatter(out, Original);
    // Neither a text nor a vector to write to has a way to fail.
    let _written: Result<(), _> = text.serialize(&mut serializer);
}

/// Whether a JSON string is the text itself between quotes, as it is for nearly all text.
fn is_plain(text: &str) -> bool {
    // Looks at all bytes without a way out, so that the compiler takes many at a time.
    let special =
        |byte| byte < b' ' || matches!(byte, b'"' | b'\\') || is_escaped_by_originals(byte);
    !text.bytes().fold(false, |found, byte| found | special(byte))
}

/// Whether a character that the originals escape, and JSON does not ask for, begins with `byte`: one of
/// `<`, `>`, `&`, or U+2028 and U+2029, which begin with 0xE2 as many others do.
fn is_escaped_by_originals(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'&' | 0xE2)
}

fn is_white_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where in JSON text a reader stands.
struct Parts {
    inside_string: bool,
    escaped: bool,
}

impl Parts {
    fn keep(&mut self, c: char) -> bool {
        if !self.inside_string {
            self.inside_string = c == '"';
            return !c.is_ascii() || !is_white_space(c as u8);
        }
        let ends = c == '"' && !self.escaped;
        self.escaped = c == '\\' && !self.escaped;
        self.inside_string = !ends;
        true
    }
}

/// The notation of the originals' JSON writer.
struct Original;

impl Formatter for Original {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size != 0.0 && !(1e-6..1e21).contains(&size) {
            let text = format!("{value:e}");
            let sign = if text.contains("e-") { "e" } else { "e+" };
            return writer.write_all(text.replacen('e', sign, 1).as_bytes());
        }
        write!(writer, "{value}")
    }

    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut rest = fragment;
        while let Some((at, escape)) = next_escape(rest) {
            let (before, from) = rest.split_at(at);
            writer.write_all(before.as_bytes())?;
            writer.write_all(escape.as_bytes())?;
            rest = from.get(from.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
        }
        writer.write_all(rest.as_bytes())
    }
}

/// The first character that the originals escape and JSON does not ask for.
fn next_escape(text: &str) -> Option<(usize, &'static str)> {
    if !text.bytes().any(is_escaped_by_originals) {
        return None;
    }
    let found = |at, c| match c {
        '<' => Some((at, "\\u003c")),
        '>' => Some((at, "\\u003e")),
        '&' => Some((at, "\\u0026")),
        '\u{2028}' => Some((at, "\\u2028")),
        '\u{2029}' => Some((at, "\\u2029")),
        _ => None,
    };
    text.char_indices().find_map(|(at, c)| found(at, c))
}

/// A JSON string, borrowed where it has no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: impl Serialize) -> String {
        encode(&value).unwrap().get().to_owned()
    }

    #[test]
    fn numbers_are_written_as_the_originals_write_them() {
        let cases = [
            (1.0, "1"),
            (-0.0, "-0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (-1.5e-7, "-1.5e-7"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for (value, expected) in cases {
            assert_eq!(written(value), expected);
        }
        assert_eq!(written(f64::NAN), "null");
        assert_eq!(written(u64::MAX), "18446744073709551615");
    }

    #[test]
    fn html_and_line_separators_are_escaped_wherever_they_stand() {
        assert_eq!(written("<\u{2028}x\u{2029}&é"), "\"\\u003c\\u2028x\\u2029\\u0026é\"");
        assert_eq!(written("a\"\n<"), "\"a\\\"\\n\\u003c\"");
        assert_eq!(written("plain"), "\"plain\"");
    }

    #[test]
    fn the_quick_way_to_write_a_string_gives_the_same_as_the_other() {
        for c in (0..=0x2100).filter_map(char::from_u32) {
            let text = format!("a{c}b");
            let mut quick = Vec::new();
            push_string(&mut quick, &text);
            assert_eq!(String::from_utf8(quick).unwrap(), written(&text));
        }
    }

    #[test]
    fn compact_json_keeps_the_white_space_of_its_strings() {
        let cases = [
            ("[ 1,\t2 ]", "[1,2]"),
            ("{\"a \\\" b\" :\r\n\" \\\\\" , \"c\": 1}", "{\"a \\\" b\":\" \\\\\",\"c\":1}"),
            ("\" \"", "\" \""),
            ("7", "7"),
        ];
        for (json, expected) in cases {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(compact(raw).get(), expected);
        }
    }
}
