//! A connection over a stream in memory.

use std::future::poll_fn;

use tokio::task::coop;

use super::*;
use crate::ws::Kind;

#[tokio::test]
async fn a_socket_that_takes_more_is_not_blocked_when_the_task_has_used_its_share_of_time() {
    let (mut io, _client) = tokio::io::duplex(1 << 10);
    let mut queue = Queue::default();
    queue.push(&Packet::message(Kind::Binary, b"hello"));
    let written = poll_fn(|cx| {
        while coop::has_budget_remaining() {
            let used = poll_fn(coop::poll_proceed);
            match pin!(used).poll(cx) {
                Poll::Ready(used) => used.made_progress(),
                Poll::Pending => break,
            }
        }
        Poll::Ready(poll_write_all(&mut io, &mut queue, cx).is_ready())
    });
    assert!(written.await);
    assert!(queue.is_empty());
}
