//! The payload of a `join_ack`: a JSON array of the members' ids.

use super::MembersError;
use crate::json::push_string;

/// What an id mostly takes: a UUID, its quotes and a comma.
const ID: usize = 39;

/// Writes the list of members that a `join_ack` carries. The order is the iterator's; clients expect
/// none. The joiner belongs into the list.
///
/// # Examples
/// ```
/// use wscengine_rooms_protocol::wsrooms;
///
/// assert_eq!(wsrooms::encode_members(["a", "b"]), br#"["a","b"]"#);
/// ```
#[must_use]
pub fn encode_members<'a>(ids: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let ids = ids.into_iter();
    let mut out = Vec::with_capacity(2 + ID * ids.size_hint().0);
    out.push(b'[');
    for id in ids {
        if out.len() > 1 {
            out.push(b',');
        }
        push_string(&mut out, id);
    }
    out.push(b']');
    out
}

/// Reads the list of members that a `join_ack` carries.
///
/// # Errors
/// The payload is not a JSON array of texts.
pub fn decode_members(payload: &[u8]) -> Result<Vec<String>, MembersError> {
    serde_json::from_slice(payload).map_err(|error| {
        let before: usize = payload
            .split_inclusive(|byte| *byte == b'\n')
            .take(error.line().saturating_sub(1))
            .map(<[u8]>::len)
            .sum();
        let at = (before + error.column().saturating_sub(1)).min(payload.len());
        MembersError { at, reason: error.to_string() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_id_comes_back_as_it_was() {
        let ids = ["a", "", "\"<é\n", "b"];
        assert_eq!(decode_members(&encode_members(ids)).unwrap(), ids);
        assert_eq!(encode_members([]), b"[]");
        assert!(decode_members(b"[]").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_list_of_texts_is_an_error_that_says_where() {
        assert_eq!(decode_members(b"[\"a\",\n 5]").unwrap_err().at, 7);
        for wrong in [&b""[..], b"{}", b"[1]", b"[\"a\"", b"[\"a\"]x", b"[\"\xff\"]"] {
            assert!(decode_members(wrong).is_err(), "{wrong:?}");
        }
    }
}
