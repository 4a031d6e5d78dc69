//! Proxies that the environment names, if the program asks it.

use std::env;

use e2e::{Adapter, Reporter, Sockudo, Tungstenite, within};
use tokio::task::spawn_blocking;
use wscengine::{AttemptError, ConnectErrorKind, StartError};
use wscengine_dial::{Dialer, Proxies, StaticResolver, TcpConnector};

use crate::harness::{CREDENTIALS, Forward, User, bound_to_us, echoes, over, rooms, started_over};

/// Where the echo is, to the test that runs in an environment of its own.
const URL: &str = "ECHO_URL";

#[tokio::test]
async fn the_variables_say_which_proxy_to_dial_through_and_for_which_hosts_none() {
    if let Ok(url) = env::var(URL) {
        return inside(&url).await;
    }
    let server = rooms("127.0.0.1:0").await;
    let url = format!("ws://localhost:{}/echo", server.local_addr().port());
    for (forward, variable) in [
        (Forward::Tinyproxy, "http_proxy"),
        (Forward::Squid, "HTTP_PROXY"),
        (Forward::Microsocks, "ALL_PROXY"),
        (Forward::Danted, "all_proxy"),
    ] {
        let proxy = forward.start().await;
        let value = forward.url(&proxy, CREDENTIALS);
        let variables = vec![(URL, url.clone()), (variable, value)];
        passes_with(variables.clone()).await;
        let except = ("NO_PROXY", "localhost".to_owned());
        passes_with([variables, vec![except]].concat()).await;
    }
}

/// Runs the test above in a process with these variables and no other: our own cannot be changed while threads run.
async fn passes_with(variables: Vec<(&'static str, String)>) {
    let mut command = bound_to_us(&env::current_exe().unwrap(), User::Ours);
    command
        .env_clear()
        .envs(variables.clone())
        .arg("--exact")
        .arg("environment::the_variables_say_which_proxy_to_dial_through_and_for_which_hosts_none");
    let output = within(spawn_blocking(move || command.output().unwrap())).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{variables:?}: {said}");
}

/// Who has no proxy has no way to the echo: no name is known here.
async fn inside(url: &str) {
    let excepted = env::var("NO_PROXY").is_ok();
    let tcp = TcpConnector::default().resolver(StaticResolver::new());
    let dialer = Dialer::default().tcp(tcp).proxy(Proxies::from_env().unwrap());
    if excepted {
        fails_by_name::<Tungstenite>(dialer, url).await;
    } else {
        echo::<Tungstenite>(dialer.clone(), url).await;
        echo::<Sockudo>(dialer, url).await;
    }
}

async fn echo<A: Adapter>(dialer: Dialer, url: &str) {
    let (engine, mut events) = started_over(A::transport(dialer), url, |builder| builder).await;
    echoes(&engine, &mut events).await;
    within(engine.stop()).await;
}

async fn fails_by_name<A: Adapter>(dialer: Dialer, url: &str) {
    let prepared = over(A::transport(dialer), url, Reporter::new().0).build().unwrap();
    let error = within(prepared.start()).await.unwrap_err();
    let StartError::Attempt(AttemptError::Connect(error)) = error else { panic!("{error:?}") };
    assert_eq!(error.kind(), ConnectErrorKind::Resolve);
}
