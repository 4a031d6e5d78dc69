//! Routes: several routers, parameters, paths that end in `/`.

use wscengine_rooms_server::grows::{ClientHandler, Conn, Grows, Guest, RegisterError, Routes};

use crate::setup::App;

/// Answers `where` with its route and its parameters.
fn telling() -> ClientHandler {
    let tell = async |conn: Conn, _| {
        let params: Vec<_> = conn.params().map(|(name, value)| format!("{name}={value}")).collect();
        Ok(conn.write(&format!("{} {}", conn.route(), params.join(",")))?)
    };
    ClientHandler::new().on("where", tell).unwrap()
}

fn routes(paths: &[&str]) -> Result<Routes, RegisterError> {
    paths.iter().try_fold(Routes::new(), |routes, path| routes.route(path, telling()))
}

async fn at(app: &App, path: &str) -> Result<String, u16> {
    let mut client = app.enter(path).await?;
    client.say("where").await;
    Ok(client.receive().await.into_text().unwrap().to_string())
}

#[tokio::test]
async fn a_part_of_a_path_is_a_parameter() {
    let grows = Grows::new().router(routes(&["/user/:id", "/:a/of/:b"]).unwrap()).unwrap();
    let app = App::start(grows).await;
    assert_eq!(at(&app, "/user/42").await.unwrap(), "/user/:id id=42");
    assert_eq!(at(&app, "/user/a%20b%2Fc").await.unwrap(), "/user/:id id=a b/c");
    assert_eq!(at(&app, "/user/%ff").await.unwrap(), "/user/:id ", "no text");
    assert_eq!(at(&app, "/x/of/y?q").await.unwrap(), "/:a/of/:b a=x,b=y");
    assert_eq!(at(&app, "/user/:id").await.unwrap(), "/user/:id id=:id", "as in the original");
    for path in ["/user", "/user/", "/user/1/2", "/x/of"] {
        assert_eq!(at(&app, path).await, Err(404), "{path}");
    }
}

#[tokio::test]
async fn a_path_that_ends_in_a_slash_leads_to_all_that_is_below() {
    let app = routes(&["/files/", "/files/own", "/exact"]).unwrap();
    let app = App::start(Grows::new().router(app).unwrap()).await;
    assert_eq!(at(&app, "/files/").await.unwrap(), "/files/ ");
    assert_eq!(at(&app, "/files/a/b").await.unwrap(), "/files/ *=a/b");
    assert_eq!(at(&app, "/files/own").await.unwrap(), "/files/own ");
    assert_eq!(at(&app, "/exact/below").await, Err(404));
}

#[tokio::test]
async fn all_routers_count_and_their_middlewares_are_their_own() {
    let closed =
        routes(&["/closed"]).unwrap().handshake_middleware("*", async |_, _: Guest| false).unwrap();
    let grows = Grows::new().router(closed).unwrap().router(routes(&["/open"]).unwrap()).unwrap();
    let app = App::start(grows).await;
    assert_eq!(at(&app, "/closed").await, Err(403));
    assert_eq!(at(&app, "/open").await.unwrap(), "/open ");
}

#[tokio::test]
async fn the_clients_of_all_routes_are_one_crowd() {
    let grows = Grows::new().router(routes(&["/a"]).unwrap()).unwrap();
    let app = App::start(grows.router(routes(&["/b"]).unwrap()).unwrap()).await;
    let mut both = [app.enter("/a").await.unwrap(), app.enter("/b").await.unwrap()];
    assert_eq!(app.clients.broadcast_to_all("hi"), 2);
    for client in &mut both {
        client.expect("hi").await;
    }
}

#[test]
fn a_path_that_cannot_be_told_from_another_is_an_error() {
    for paths in [["/a", "/a"], ["/user/:id", "/user/:name"], ["/a/", "/a/"]] {
        let both = paths.map(|path| routes(&[path]).unwrap());
        let grows = both.into_iter().try_fold(Grows::new(), Grows::router);
        assert!(matches!(grows, Err(RegisterError::Path { .. })), "{paths:?}");
    }
    for path in ["no-slash", "", "/:", "/:a/:a", "/*"] {
        assert!(matches!(routes(&[path]), Err(RegisterError::Path { .. })), "{path}");
    }
}
