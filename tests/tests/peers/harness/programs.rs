//! Where the programs are that `tests/peers/set-up` sees to.

use std::env;
use std::path::{Path, PathBuf};

/// Where nginx, ip and iptables are is not in everybody's `PATH`.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A program of the system.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| not_set_up(name))
}

/// A file that is installed below `tests/.cache/peers`.
pub(crate) fn installed(name: &str) -> PathBuf {
    let file = package().join(".cache/peers").join(name);
    if file.exists() { file } else { not_set_up(&file.display().to_string()) }
}

/// A script or a configuration in `tests/peers`.
pub(crate) fn script(name: &str) -> PathBuf {
    package().join("peers").join(name)
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn not_set_up(what: &str) -> ! {
    panic!(
        "{what} is missing: run `tests/run e2e`, which sets up the real peers, or only `tests/peers/set-up`"
    )
}
