//! What can be set from outside: by flags, then by the environment, then by a file.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use wscengine_rooms_server::{Config, Origins, Redis, RedisUrlError, SlowClients};

const LISTEN: &str = "127.0.0.1:8080";
const HISTORY_MESSAGES: usize = 1000;
const HISTORY_TIME: Duration = Duration::from_secs(60 * 60);
const DRAIN: Duration = Duration::from_secs(5);

/// A room server for WebSocket clients.
///
/// / is a chat for browsers, /status shows what goes on. /ws/wsrooms, /ws/grows/example, /ws/easy, /ws/iris and
/// /ws/gowsal speak the protocols of wsrooms, groWs, go-easy-websocket and iris, /echo sends everything back;
/// /healthz, /readyz and /metrics are for the operator. Prints `listening on http://ADDR` when ready. SIGTERM and SIGINT drain it: new connections are
/// refused with 503, the others closed one after the other with code 1012, and it ends.
///
/// Everything but --config may also be set in the environment, as named below, or in a file of that name:
/// a flag counts more than the environment, the environment more than the file. Times are written like 500ms,
/// 10s or 2m.
#[derive(Debug, Parser)]
#[command(name = "rooms-server", version)]
pub(crate) struct Args {
    /// A TOML file with any of the settings below, named as the flags are: `max-rooms = 100`
    #[arg(long, value_name = "FILE", env = "ROOMS_SERVER_CONFIG")]
    config: Option<PathBuf>,

    #[command(flatten)]
    settings: Settings,
}

/// The settings, where they are set.
#[derive(Debug, Default, clap::Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Address to listen on; port 0 lets the system choose a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "ROOMS_SERVER_LISTEN")]
    listen: Option<String>,

    /// Certificates in PEM form, the server's first; serves over TLS
    #[arg(long, value_name = "FILE", env = "ROOMS_SERVER_TLS_CERT")]
    tls_cert: Option<PathBuf>,

    /// The private key of the first certificate, in PEM form
    #[arg(long, value_name = "FILE", env = "ROOMS_SERVER_TLS_KEY")]
    tls_key: Option<PathBuf>,

    /// Time over which a server that ends closes its connections [default: 5s]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_DRAIN")]
    drain: Option<Time>,

    /// Time for a closing handshake, after which the connection is cut [default: 5s]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_CLOSE_TIMEOUT")]
    close_timeout: Option<Time>,

    /// Time for TLS, and for the head of a request [default: 10s]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_HANDSHAKE_TIMEOUT")]
    handshake_timeout: Option<Time>,

    /// Time that a client may take nothing although something waits for it [default: 10s]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_WRITE_TIMEOUT")]
    write_timeout: Option<Time>,

    /// Time between pings to wsrooms, groWs and go-easy clients [default: 54s]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_PING_INTERVAL")]
    ping_interval: Option<Time>,

    /// Time that a wsrooms, groWs or go-easy client may be silent, its pongs included [default: 60s]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_IDLE_TIMEOUT")]
    idle_timeout: Option<Time>,

    /// Largest message of a wsrooms, groWs or go-easy client, in bytes [default: 65536]
    #[arg(long, value_name = "BYTES", env = "ROOMS_SERVER_MAX_MESSAGE")]
    max_message: Option<NonZeroUsize>,

    /// Largest message to /echo, in bytes [default: 16777216]
    #[arg(long, value_name = "BYTES", env = "ROOMS_SERVER_MAX_ECHO")]
    max_echo: Option<NonZeroUsize>,

    /// Longest name of a room or an event, in bytes [default: 256]
    #[arg(long, value_name = "BYTES", env = "ROOMS_SERVER_MAX_NAME")]
    max_name: Option<NonZeroUsize>,

    /// Rooms that one connection may be in [default: 1024]
    #[arg(long, value_name = "N", env = "ROOMS_SERVER_MAX_ROOMS")]
    max_rooms: Option<NonZeroUsize>,

    /// Connections that one address may have [default: no limit]
    #[arg(long, value_name = "N", env = "ROOMS_SERVER_MAX_CONNECTIONS_PER_ADDRESS")]
    max_connections_per_address: Option<NonZeroUsize>,

    /// Messages that one connection may send each second [default: no limit]
    #[arg(long, value_name = "N", env = "ROOMS_SERVER_MAX_MESSAGES_PER_SECOND")]
    max_messages_per_second: Option<NonZeroU32>,

    /// Messages that may wait for a client that does not read [default: 256]
    #[arg(long, value_name = "N", env = "ROOMS_SERVER_QUEUE_MESSAGES")]
    queue_messages: Option<NonZeroUsize>,

    /// Bytes that may wait for a client that does not read [default: 1048576]
    #[arg(long, value_name = "BYTES", env = "ROOMS_SERVER_QUEUE_BYTES")]
    queue_bytes: Option<NonZeroUsize>,

    /// What happens to a client whose queue is full [default: close]
    #[arg(long, value_enum, env = "ROOMS_SERVER_SLOW_CLIENTS")]
    slow_clients: Option<Slow>,

    /// Whether the members of room `root` are told who comes and goes [default: true]
    #[arg(long, value_name = "BOOL", env = "ROOMS_SERVER_ANNOUNCE_ROOT")]
    announce_root: Option<bool>,

    /// Web pages that may connect, such as `https://example.com`; `same-host` for those of this host [default: all]
    #[arg(long, value_name = "ORIGIN", env = "ROOMS_SERVER_ORIGINS", value_delimiter = ',')]
    origins: Option<Vec<String>>,

    /// Messages of each room that are kept for clients that come back [default: none, 1000 with --history-time]
    #[arg(long, value_name = "N", env = "ROOMS_SERVER_HISTORY_MESSAGES")]
    history_messages: Option<NonZeroUsize>,

    /// How long they are kept at most [default: 1h with --history-messages]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_HISTORY_TIME")]
    history_time: Option<Time>,

    /// A Redis, such as redis://:password@10.0.0.5:6379/0, through which several servers are one [default: none]
    #[arg(long, value_name = "URL", env = "ROOMS_SERVER_REDIS", hide_env_values = true)]
    redis: Option<Secret>,

    /// The name of this server among them [default: a random one]
    #[arg(long, value_name = "NAME", env = "ROOMS_SERVER_NODE")]
    node: Option<String>,

    /// Time after which one of them that is silent is taken for dead, the same for all [default: 10s]
    #[arg(long, value_name = "TIME", env = "ROOMS_SERVER_NODE_EXPIRY")]
    node_expiry: Option<Time>,

    /// Threads that serve [default: one for each core]
    #[arg(long, value_name = "N", env = "ROOMS_SERVER_THREADS")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// What is logged: a level, or a list such as `info,wscengine_rooms_server=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "ROOMS_SERVER_LOG")]
    pub(crate) log: Option<String>,

    /// How it is logged, to stderr [default: text]
    #[arg(long, value_enum, env = "ROOMS_SERVER_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// Whether there are pages: the chat at /, /status, and /rooms.js, the client for browsers [default: true]
    #[arg(long, value_name = "BOOL", env = "ROOMS_SERVER_PAGES")]
    pages: Option<bool>,

    /// Offer /bench/wsrooms, /bench/grows, /bench/easy, /bench/iris and /bench/raw, for a load generator
    #[arg(long, env = "ROOMS_SERVER_BENCH")]
    bench: bool,
}

/// A time as people write it.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub(crate) struct Time(Duration);

impl FromStr for Time {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text).map(Self)
    }
}

impl TryFrom<String> for Time {
    type Error = humantime::DurationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// What is not to be shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

/// What happens to a client whose queue is full.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Slow {
    /// It is closed with code 1013
    Close,
    /// The oldest of what waits is dropped
    DropOldest,
}

/// How is logged.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object for each line
    Json,
}

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("{}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{}: {source}", path.display())]
    Pem { path: PathBuf, source: rustls::pki_types::pem::Error },
    #[error("--tls-cert and --tls-key belong together")]
    HalfTls,
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    #[error("--node and --node-expiry are for servers that a --redis joins")]
    NodeAlone,
    #[error("--redis: {0}")]
    Redis(#[from] RedisUrlError),
    #[error("the certificate or its key cannot be used: {0}")]
    Tls(#[from] rustls::Error),
}

impl Args {
    /// All settings, from wherever they come.
    pub(crate) fn settings(self) -> Result<Settings, SettingsError> {
        let Some(path) = self.config else { return Ok(self.settings) };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(source) => return Err(SettingsError::Read { path, source }),
        };
        match toml::from_str(&text) {
            Ok(file) => Ok(self.settings.or(file)),
            Err(source) => Err(SettingsError::Toml { path, source: Box::new(source) }),
        }
    }
}

impl Settings {
    /// These, and where they are not set, the others.
    fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            tls_cert: self.tls_cert.or(other.tls_cert),
            pages: self.pages.or(other.pages),
            tls_key: self.tls_key.or(other.tls_key),
            drain: self.drain.or(other.drain),
            close_timeout: self.close_timeout.or(other.close_timeout),
            handshake_timeout: self.handshake_timeout.or(other.handshake_timeout),
            write_timeout: self.write_timeout.or(other.write_timeout),
            ping_interval: self.ping_interval.or(other.ping_interval),
            idle_timeout: self.idle_timeout.or(other.idle_timeout),
            max_message: self.max_message.or(other.max_message),
            max_echo: self.max_echo.or(other.max_echo),
            max_name: self.max_name.or(other.max_name),
            max_rooms: self.max_rooms.or(other.max_rooms),
            max_connections_per_address: self
                .max_connections_per_address
                .or(other.max_connections_per_address),
            max_messages_per_second: self.max_messages_per_second.or(other.max_messages_per_second),
            queue_messages: self.queue_messages.or(other.queue_messages),
            queue_bytes: self.queue_bytes.or(other.queue_bytes),
            slow_clients: self.slow_clients.or(other.slow_clients),
            announce_root: self.announce_root.or(other.announce_root),
            origins: self.origins.or(other.origins),
            history_messages: self.history_messages.or(other.history_messages),
            history_time: self.history_time.or(other.history_time),
            redis: self.redis.or(other.redis),
            node: self.node.or(other.node),
            node_expiry: self.node_expiry.or(other.node_expiry),
            threads: self.threads.or(other.threads),
            log: self.log.or(other.log),
            log_format: self.log_format.or(other.log_format),
            bench: self.bench || other.bench,
        }
    }

    pub(crate) fn listen(&self) -> &str {
        self.listen.as_deref().unwrap_or(LISTEN)
    }

    /// The options of the library.
    ///
    /// # Errors
    /// A time is zero that may not be, or settings do not go together.
    pub(crate) fn config(&self) -> Result<Config, SettingsError> {
        self.check_times()?;
        let mut config =
            Config::default().bench(self.bench).drain(self.drain.map_or(DRAIN, Time::get));
        config = config.pages(self.pages.unwrap_or(true));
        let set = &mut config;
        apply(set, self.close_timeout.map(Time::get), Config::close_timeout);
        apply(set, self.handshake_timeout.map(Time::get), Config::handshake_timeout);
        apply(set, self.write_timeout.map(Time::get), Config::write_timeout);
        apply(set, self.ping_interval.map(Time::get), Config::ping_interval);
        apply(set, self.idle_timeout.map(Time::get), Config::idle_timeout);
        apply(set, self.max_message.map(NonZeroUsize::get), Config::max_room_message);
        apply(set, self.max_echo.map(NonZeroUsize::get), Config::max_message);
        apply(set, self.max_name.map(NonZeroUsize::get), Config::max_name);
        apply(set, self.max_rooms.map(NonZeroUsize::get), Config::max_rooms);
        apply(
            set,
            self.max_connections_per_address.map(NonZeroUsize::get),
            Config::max_connections_per_address,
        );
        apply(
            set,
            self.max_messages_per_second.map(NonZeroU32::get),
            Config::max_messages_per_second,
        );
        apply(set, self.queue_messages.map(NonZeroUsize::get), Config::queue_messages);
        apply(set, self.queue_bytes.map(NonZeroUsize::get), Config::queue_bytes);
        apply(set, self.slow_clients.map(Slow::policy), Config::slow_clients);
        apply(set, self.announce_root, Config::announce_root);
        apply(set, self.origins.as_deref().map(origins), Config::origins);
        apply(set, self.redis()?, Config::redis);
        if self.history_messages.is_some() || self.history_time.is_some() {
            let messages = self.history_messages.map_or(HISTORY_MESSAGES, NonZeroUsize::get);
            let time = self.history_time.map_or(HISTORY_TIME, Time::get);
            apply(set, Some(()), |config, ()| config.history(messages, time));
        }
        Ok(config)
    }

    fn check_times(&self) -> Result<(), SettingsError> {
        let times = [
            ("--handshake-timeout", self.handshake_timeout),
            ("--write-timeout", self.write_timeout),
            ("--ping-interval", self.ping_interval),
            ("--idle-timeout", self.idle_timeout),
            ("--history-time", self.history_time),
            ("--node-expiry", self.node_expiry),
        ];
        let zero = times.iter().find(|(_, time)| time.is_some_and(|time| time.get().is_zero()));
        zero.map_or(Ok(()), |(flag, _)| Err(SettingsError::Zero(flag)))
    }

    fn redis(&self) -> Result<Option<Redis>, SettingsError> {
        let Some(Secret(url)) = &self.redis else {
            let alone = self.node.is_none() && self.node_expiry.is_none();
            return if alone { Ok(None) } else { Err(SettingsError::NodeAlone) };
        };
        let mut redis = Redis::new(url)?;
        if let Some(node) = &self.node {
            redis = redis.node(node.as_str());
        }
        if let Some(expiry) = self.node_expiry {
            redis = redis.expiry(expiry.get());
        }
        Ok(Some(redis))
    }

    /// The configuration of TLS, if there is to be any.
    pub(crate) fn tls(&self) -> Result<Option<Arc<rustls::ServerConfig>>, SettingsError> {
        let (cert, key) = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => (cert, key),
            (None, None) => return Ok(None),
            _ => return Err(SettingsError::HalfTls),
        };
        let pem = |path: &Path, source| SettingsError::Pem { path: path.to_owned(), source };
        let certs = CertificateDer::pem_file_iter(cert)
            .and_then(Iterator::collect)
            .map_err(|error| pem(cert, error))?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certs, key)?;
        Ok(Some(Arc::new(config)))
    }
}

fn apply<T>(config: &mut Config, value: Option<T>, set: impl FnOnce(Config, T) -> Config) {
    if let Some(value) = value {
        *config = set(std::mem::take(config), value);
    }
}

fn origins(listed: &[String]) -> Origins {
    match listed {
        [only] if only == "same-host" => Origins::SameHost,
        _ => Origins::Listed(listed.to_vec()),
    }
}

impl Time {
    fn get(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Slow {
    fn policy(self) -> SlowClients {
        match self {
            Self::Close => SlowClients::Close,
            Self::DropOldest => SlowClients::DropOldest,
        }
    }
}
