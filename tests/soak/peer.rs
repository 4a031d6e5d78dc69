//! The server's end of one connection: bytes, and the ways in which a connection ends.

use std::io;

use e2e::{RawConnection, RawServer, frame};

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    /// RST in the place of an answer to the handshake.
    ResetUnanswered,
    /// Status 503.
    Refused,
    /// What is no HTTP.
    Garbage,
    Reset,
    /// FIN without a close frame.
    Eof,
    Closed,
    /// FIN in the middle of a frame.
    HalfFrame,
    /// A frame with a reserved bit: the engine answers with 1002.
    Violation,
    /// A message of text that is not UTF-8: the engine answers with 1007.
    InvalidText,
}

impl End {
    pub(crate) const ALL: [Self; 9] = [
        Self::ResetUnanswered,
        Self::Refused,
        Self::Garbage,
        Self::Reset,
        Self::Eof,
        Self::Closed,
        Self::HalfFrame,
        Self::Violation,
        Self::InvalidText,
    ];

    /// Those of a connection that is open.
    pub(crate) const OPEN: [Self; 6] =
        [Self::Reset, Self::Eof, Self::Closed, Self::HalfFrame, Self::Violation, Self::InvalidText];
}

/// Takes the next connection; opens it unless it is to end before.
pub(crate) async fn accept(server: &RawServer, end: End) -> io::Result<Option<RawConnection>> {
    if matches!(end, End::ResetUnanswered) {
        server.stream().await.set_zero_linger()?;
        return Ok(None);
    }
    let opening = server.try_opening().await?;
    match end {
        End::Refused => {
            let answer = b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            drop(opening.answer(answer).await);
            Ok(None)
        }
        End::Garbage => {
            drop(opening.answer(b"\x00\x01 this is not HTTP \xff\r\n\r\n").await);
            Ok(None)
        }
        _ => Ok(Some(opening.accept().await)),
    }
}

/// Ends an open connection.
pub(crate) async fn end(mut connection: RawConnection, end: End) {
    match end {
        End::Reset => return connection.reset(),
        End::Closed => connection.close(1012, "restarting").await,
        End::HalfFrame => connection.write(&frame(0x82, &[0; 100])[..50]).await,
        End::Violation => connection.write(&frame(0xf2, b"reserved")).await,
        End::InvalidText => connection.write(&frame(0x81, b"\xff")).await,
        End::Eof | End::ResetUnanswered | End::Refused | End::Garbage => {}
    }
    connection.finish().await;
}
