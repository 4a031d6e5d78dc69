//! haproxy and nginx: what each is started with.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use e2e::Authority;

use super::programs::User;
use super::proxy::{Proxy, Recipe};

/// A proxy in front of one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    Haproxy,
    Nginx,
}

impl Front {
    /// Starts one before `upstream`, which cuts connections that are idle for `idle`.
    pub(crate) async fn start(self, upstream: SocketAddr, idle: &str) -> Proxy {
        Proxy::start(self.recipe(upstream, idle, &Authority::new())).await
    }

    /// Starts one before `upstream` that takes TLS, as `localhost`.
    pub(crate) async fn start_tls(self, upstream: SocketAddr, authority: &Authority) -> Proxy {
        let mut recipe = self.recipe(upstream, "1h", authority);
        let tls = match self {
            Self::Haproxy => "ssl crt server.pem",
            Self::Nginx => "ssl",
        };
        recipe.values.insert("TLS", tls.to_owned());
        Proxy::start(recipe).await
    }

    fn recipe(self, upstream: SocketAddr, idle: &str, authority: &Authority) -> Recipe {
        let (program, arguments, template): (_, &[_], _) = match self {
            Self::Haproxy => ("haproxy", &["-db", "-f", "/dev/stdin"], "haproxy.cfg"),
            Self::Nginx => {
                ("nginx", &["-e", "stderr", "-p", "@FOLDER@", "-c", "/dev/stdin"], "nginx.conf")
            }
        };
        let values = BTreeMap::from([
            ("UPSTREAM", upstream.to_string()),
            ("IDLE", idle.to_owned()),
            ("TLS", String::new()),
        ]);
        let files = vec![("server.pem", authority.pem())];
        let template = Some(template);
        Recipe { program, arguments, template, user: User::Ours, values, files }
    }
}
