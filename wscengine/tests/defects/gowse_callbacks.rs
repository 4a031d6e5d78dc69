//! gowse: the order of callbacks, what they may do, and when they end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};
use wscengine::{OutcomeKind, SendErrorKind};

use crate::support::{Probe, setup, start, within};

#[tokio::test(start_paused = true)]
async fn g18_messages_are_handled_in_order_by_default_however_uneven_the_work() {
    let probe = Probe::new().on_message(|_, text| async move {
        let n: u64 = text.parse().unwrap();
        sleep(Duration::from_micros(n * 7919 % 13 * 100)).await;
    });
    let (builder, log, mut server) = setup(probe);
    let (engine, peer) = start(builder, &mut server).await;
    for n in 0..2_000 {
        peer.send(format!("{n}"));
    }
    log.wait("done 1999", 1).await;
    let handled: Vec<i32> =
        log.lines().iter().filter_map(|line| line.strip_prefix("done ")?.parse().ok()).collect();
    assert_eq!(handled, (0..2_000).collect::<Vec<i32>>());
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g19_on_close_waits_for_running_callbacks_and_stop_for_everything() {
    let running = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&running);
    let probe = Probe::new().on_message(move |_, _| {
        let running = counted.clone();
        async move {
            running.fetch_add(1, Ordering::SeqCst);
            sleep(Duration::from_secs(1)).await;
            running.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let (builder, log, mut server) = setup(probe);
    let (engine, peer) = start(builder.workers(4), &mut server).await;
    for n in 0..4 {
        peer.send(format!("{n}"));
    }
    log.wait("message", 4).await;
    within(engine.stop()).await;
    assert_eq!(running.load(Ordering::SeqCst), 0);
    let lines = log.lines();
    let close = lines.iter().position(|line| line.starts_with("close")).unwrap();
    assert_eq!(
        lines[..close].iter().filter(|line| line.starts_with("done")).count(),
        4,
        "{lines:?}"
    );
    assert_eq!(close, lines.len() - 1);
}

#[tokio::test(start_paused = true)]
async fn g22_on_close_pilots_the_connection_alike_whoever_asked_for_the_end() {
    let ways = [
        "engine.stop",
        "session.exit in on_message",
        "session.restart in on_message",
        "engine.restart",
    ];
    for way in ways {
        let probe = Probe::new().logging_out().on_message(|session, text| async move {
            match text.as_str() {
                "session.exit in on_message" => session.exit(),
                "session.restart in on_message" => session.restart(),
                _ => {}
            }
        });
        let (builder, log, mut server) = setup(probe);
        let (engine, mut peer) = start(builder, &mut server).await;
        peer.send(way);
        log.wait("done", 1).await;
        let asked = Instant::now();
        let stop = engine.clone();
        match way {
            "engine.stop" => drop(tokio::spawn(async move { stop.stop().await })),
            "engine.restart" => engine.restart(),
            _ => {}
        }
        assert_eq!(within(peer.next_message()).await.text(), Some("log out"), "{way}");
        peer.send("ok");
        log.wait("answer ok", 1).await;
        assert_eq!(log.count("pause Err(AlreadyHeld)"), 1, "{way}: {:?}", log.lines());
        assert!(asked.elapsed() < Duration::from_millis(10), "{way}: {:?}", asked.elapsed());
        drop(peer);
        engine.control().exit();
        within(engine.stopped()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn g23_a_slow_callback_of_an_old_session_never_writes_into_the_next() {
    let (tell, told) = oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let probe = Probe::new().on_message(move |session, _| {
        let tell = tell.lock().unwrap().take();
        async move {
            let Some(tell) = tell else { return };
            // Beyond the session, as a callback of gowse may.
            tokio::spawn(async move {
                sleep(Duration::from_secs(60)).await;
                let _ = tell.send([
                    session.send("stale").await,
                    session.try_send("stale"),
                    session.send_flushed("stale").await,
                ]);
            });
        }
    });
    let (builder, log, mut server) = setup(probe);
    let (engine, peer) = start(builder, &mut server).await;
    peer.send("begin");
    log.wait("done", 1).await;
    peer.reset();
    let mut next = within(server.accept()).await;
    log.wait("open restarting=true", 1).await;
    for sent in within(told).await.unwrap() {
        assert_eq!(sent.unwrap_err().kind(), SendErrorKind::SessionEnded);
    }
    engine.send("of this session").await.unwrap();
    assert_eq!(within(next.next_message()).await.text(), Some("of this session"));
    within(engine.stop()).await;
}

#[tokio::test(start_paused = true)]
async fn g24_a_panic_ends_neither_process_nor_session_and_a_stop_cancels_callbacks() {
    struct Cancelled(Option<oneshot::Sender<()>>);
    impl Drop for Cancelled {
        fn drop(&mut self) {
            let _ = self.0.take().unwrap().send(());
        }
    }
    let (dropped, was_dropped) = oneshot::channel();
    let guard = std::sync::Mutex::new(Some(Cancelled(Some(dropped))));
    let probe = Probe::new().on_message(move |_, text| {
        let guard = (text == "hang").then(|| guard.lock().unwrap().take());
        async move {
            let _guard = guard;
            match text.as_str() {
                "panic" => panic!("as the test wants it"),
                "hang" => std::future::pending().await,
                _ => {}
            }
        }
    });
    let (builder, log, mut server) = setup(probe);
    let (engine, peer) = start(builder, &mut server).await;
    peer.send("panic");
    peer.send("after");
    log.wait("done after", 1).await;
    assert_eq!((engine.stats().panics, server.dials()), (1, 1));
    peer.send("hang");
    log.wait("message hang", 1).await;
    assert_eq!(within(engine.stop()).await.kind(), OutcomeKind::Requested);
    within(was_dropped).await.unwrap();
    assert_eq!(log.count("close Local"), 1);
}
