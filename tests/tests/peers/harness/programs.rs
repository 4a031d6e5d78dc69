//! Where the programs are that `tests/peers/set-up` sees to.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

/// Where the proxies, ip and iptables are is not in everybody's `PATH`.
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

/// As whom a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// As the test does.
    Ours,
    /// Without rights, even if the test has those of root.
    Nobody,
}

/// A command that the system ends with our thread, however that ends, and even if the program is frozen then. The
/// program may not change its user: the system would forget about it.
pub(crate) fn bound_to_us(file: &Path, user: User) -> Command {
    let mut command = Command::new(program("setpriv"));
    if user == User::Nobody && geteuid().is_root() {
        // By number: the name of the group differs.
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(file);
    command
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
