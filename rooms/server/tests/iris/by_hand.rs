//! Upgrades that the application makes itself.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};
use wscengine_rooms_server::iris::{Conn, Iris, UpgradeError, Upgrader};
use wscengine_rooms_server::{Config, Rooms};

use crate::common::{Talker, host, http};
use crate::peer::{come, notes};

/// Everybody may come in who says a name.
async fn my_endpoint(State(upgrader): State<Upgrader>, request: Request) -> Response {
    let mut upgrade = match upgrader.upgrade(request).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => {
            let error = refusal.extensions().get::<UpgradeError>().map(ToString::to_string);
            return (refusal.status(), error.unwrap_or_default()).into_response();
        }
    };
    let Some(name) = upgrade.context().uri.query().map(str::to_owned) else {
        return StatusCode::PAYMENT_REQUIRED.into_response();
    };
    let id = upgrade.id().to_owned();
    upgrade.on_connection(move |conn: Conn| {
        assert_eq!(conn.id(), id);
        std::future::ready(conn.emit("hello", &*name).map_err(Into::into))
    });
    upgrade.on("e", async |conn: Conn, text: String| Ok(conn.emit("own", text)?));
    upgrade.on_message(async |conn: Conn, message| Ok(conn.emit_message(message)?));
    upgrade.wait()
}

#[tokio::test]
async fn an_upgrade_by_hand_is_checked_gets_listeners_and_then_waits() {
    let (pen, mut seen) = notes();
    let iris = Iris::new()
        .on("e", async |conn: Conn, text: String| Ok(conn.emit("shared", text)?))
        .on_disconnect(move |_| {
            pen.note("gone");
            std::future::ready(Ok(()))
        });
    let server = iris.server();
    let upgrader = Rooms::new(Config::default()).iris_upgrader(iris);
    let app = Router::new()
        .route("/mine", any(my_endpoint))
        .route("/theirs", upgrader.handler())
        .route("/other", get(|| async { "ok" }))
        .with_state(upgrader);
    let (addr, _host) = host(app).await;

    assert_eq!(Talker::connect(addr, "/mine", &[]).await.err(), Some(402));
    let plain = http(addr, "GET /mine HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(plain.starts_with("HTTP/1.1 426 ") && plain.contains("Upgrade header"), "{plain}");
    assert_eq!(server.total_connections(), 0);

    let mut a = come(addr, "/mine?ada").await;
    a.say("m:e;0;x").await;
    a.say("native").await;
    for expected in ["m:hello;0;ada", "m:shared;0;x", "m:own;0;x", "native"] {
        a.expect(expected).await;
    }
    let mut b = come(addr, "/theirs").await;
    b.say("m:e;0;y").await;
    b.expect("m:shared;0;y").await;
    assert_eq!(server.total_connections(), 2);
    a.abort();
    seen.expect(&["gone"]).await;
}
