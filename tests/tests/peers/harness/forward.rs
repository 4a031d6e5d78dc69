//! tinyproxy, squid, microsocks and danted: what each is started with.

use std::collections::BTreeMap;

use super::programs::{User, program};
use super::proxy::{Proxy, Recipe};

/// User and password of those that let in nobody else.
pub(crate) const CREDENTIALS: &str = "engine:sesame";

/// A proxy that its client tells where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forward {
    /// HTTP CONNECT, with a password
    Tinyproxy,
    /// HTTP CONNECT, with a password and a forbidden port
    Squid,
    /// SOCKS5, with a password
    Microsocks,
    /// SOCKS5, without authentication, with a forbidden port
    Danted,
}

impl Forward {
    /// Starts one, which knows nothing of the port that those with rules forbid.
    pub(crate) async fn start(self) -> Proxy {
        // Nobody connects to "discard" here.
        self.start_forbidding(9).await
    }

    /// Starts one that makes no connection to `port`, if it has such a rule.
    pub(crate) async fn start_forbidding(self, port: u16) -> Proxy {
        let (user, password) = CREDENTIALS.split_once(':').unwrap();
        let values = BTreeMap::from([
            ("USER", user.to_owned()),
            ("PASSWORD", password.to_owned()),
            ("FORBIDDEN", port.to_string()),
            ("SED", program("sed").display().to_string()),
        ]);
        Proxy::start(self.recipe(values)).await
    }

    /// What a client needs to be told. `credentials` are a user and a password, or nothing.
    pub(crate) fn url(self, running: &Proxy, credentials: &str) -> String {
        let scheme = match self {
            Self::Tinyproxy | Self::Squid => "http",
            Self::Microsocks | Self::Danted => "socks5",
        };
        let at = if credentials.is_empty() { "" } else { "@" };
        format!("{scheme}://{credentials}{at}{}", running.address())
    }

    fn recipe(self, values: BTreeMap<&'static str, String>) -> Recipe {
        let recipe = |program, arguments, template, user| Recipe {
            program,
            arguments,
            template,
            user,
            values,
            files: Vec::new(),
        };
        match self {
            Self::Tinyproxy => {
                recipe("tinyproxy", &["-d", "-c", "/dev/stdin"], Some("tinyproxy.conf"), User::Ours)
            }
            // Squid and danted give up what rights they have, and with them the signal at our end, unless they have
            // none from the beginning.
            Self::Squid => recipe(
                "squid",
                &["-N", "-d", "1", "-f", "/dev/stdin"],
                Some("squid.conf"),
                User::Nobody,
            ),
            Self::Microsocks => recipe(
                "microsocks",
                &["-i", "@HOST@", "-p", "@PORT@", "-u", "@USER@", "-P", "@PASSWORD@"],
                None,
                User::Ours,
            ),
            Self::Danted => recipe(
                "danted",
                &["-f", "/dev/stdin", "-p", "/dev/null"],
                Some("danted.conf"),
                User::Nobody,
            ),
        }
    }
}
