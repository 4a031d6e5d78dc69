//! The payload of close frames (RFC 6455 sections 5.5.1 and 7.4).

use std::str::Utf8Error;

use wscengine::{CloseCode, CloseFrame, ReadError, ReadErrorKind};

/// What a close frame breaks.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadClose {
    #[error("a close frame has a payload of one byte")]
    OneByte,
    #[error("a close frame has the code {0}, which must not be sent")]
    Code(CloseCode),
    #[error("the reason of a close frame is not UTF-8")]
    Reason(#[source] Utf8Error),
}

impl From<BadClose> for ReadError {
    fn from(bad: BadClose) -> Self {
        let kind = match bad {
            BadClose::Reason(_) => ReadErrorKind::InvalidUtf8,
            BadClose::OneByte | BadClose::Code(_) => ReadErrorKind::Protocol,
        };
        Self::with_source(kind, bad)
    }
}

/// What the payload of a close frame says; `None` if it is empty.
pub(crate) fn decode(payload: &[u8]) -> Result<Option<CloseFrame>, BadClose> {
    if payload.is_empty() {
        return Ok(None);
    }
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Err(BadClose::OneByte);
    };
    let code = CloseCode(u16::from_be_bytes(*code));
    if !code.may_be_sent() {
        return Err(BadClose::Code(code));
    }
    let reason = std::str::from_utf8(reason).map_err(BadClose::Reason)?;
    Ok(Some(CloseFrame::received(code, reason)))
}

/// The payload that says so.
pub(crate) fn encode(frame: Option<&CloseFrame>) -> Vec<u8> {
    frame.map_or_else(Vec::new, |frame| {
        [&frame.code().0.to_be_bytes(), frame.reason().as_bytes()].concat()
    })
}

/// Whether RFC 6455 lets us send it.
pub(crate) fn may_be_sent(frame: &CloseFrame) -> bool {
    frame.code().may_be_sent() && frame.reason().len() <= CloseFrame::MAX_REASON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_frame_is_read_as_it_was_written() {
        for (code, reason) in [(1000, ""), (1014, "gateway"), (3000, "ÄÖ"), (4999, "x")] {
            let frame = CloseFrame::received(code, reason);
            assert_eq!(decode(&encode(Some(&frame))).ok(), Some(Some(frame)));
        }
        assert_eq!(decode(&encode(None)).ok(), Some(None));
    }

    #[test]
    fn close_payloads_are_judged_by_length_code_and_reason() {
        assert!(matches!(decode(&[3]), Err(BadClose::OneByte)));
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535_u16] {
            let decoded = decode(&code.to_be_bytes());
            assert!(matches!(decoded, Err(BadClose::Code(CloseCode(got))) if got == code));
        }
        let bad_reason = decode(&[3, 0xe8, 0xff]).expect_err("it is not UTF-8");
        assert_eq!(ReadError::from(bad_reason).kind(), ReadErrorKind::InvalidUtf8);
    }
}
