//! The few Linux calls this program needs. Sockets do not block, and epoll is level-triggered.

use std::io::{self, Read, Write};
use std::net::SocketAddrV4;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::epoll::{self, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::ClockId;
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};

pub(crate) const NOTHING: EpollFlags = EpollFlags::empty();
pub(crate) const READABLE: EpollFlags = EpollFlags::EPOLLIN;
pub(crate) const WRITABLE: EpollFlags = EpollFlags::EPOLLOUT;
pub(crate) const HANG_UP: EpollFlags =
    EpollFlags::EPOLLHUP.union(EpollFlags::EPOLLERR).union(EpollFlags::EPOLLRDHUP);

/// How many events one wait takes.
const EVENTS: usize = 1024;
const BACKLOG: i32 = 4096;

/// What is ready, each with the token it was added with.
pub(crate) type Ready = Vec<(usize, EpollFlags)>;

pub(crate) struct Epoll {
    epoll: epoll::Epoll,
    events: Vec<EpollEvent>,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self { epoll, events: vec![EpollEvent::empty(); EVENTS] })
    }

    pub(crate) fn add(
        &self,
        socket: &Socket,
        interest: EpollFlags,
        token: usize,
    ) -> io::Result<()> {
        Ok(self.epoll.add(socket, EpollEvent::new(interest, token as u64))?)
    }

    pub(crate) fn modify(
        &self,
        socket: &Socket,
        interest: EpollFlags,
        token: usize,
    ) -> io::Result<()> {
        Ok(self.epoll.modify(socket, &mut EpollEvent::new(interest, token as u64))?)
    }

    /// Waits at most `timeout_ms` (0: does not wait, `None`: without an end) and appends what is ready.
    pub(crate) fn wait(&mut self, timeout_ms: Option<u16>, ready: &mut Ready) {
        let timeout = timeout_ms.map_or(EpollTimeout::NONE, EpollTimeout::from);
        // An interrupted wait is one in which nothing got ready.
        let count = self.epoll.wait(&mut self.events, timeout).unwrap_or(0);
        let events = self.events.iter().take(count);
        ready.extend(events.map(|event| (event.data() as usize, event.events())));
    }
}

fn socket() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))
}

/// Starts a connection; the socket is writable once it stands.
pub(crate) fn connect(addr: SocketAddrV4, receive_buffer: Option<usize>) -> io::Result<Socket> {
    let socket = socket()?;
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    match socket.connect(&addr.into()) {
        Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

pub(crate) fn listen(addr: SocketAddrV4) -> io::Result<Socket> {
    let socket = socket()?;
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

pub(crate) fn accept(listener: &Socket) -> io::Result<Socket> {
    let (socket, _) = listener.accept()?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// Whether a connection attempt went wrong (asked once the socket is writable).
pub(crate) fn connect_failed(socket: &Socket) -> bool {
    !matches!(socket.take_error(), Ok(None))
}

pub(crate) fn read(mut socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
    socket.read(buffer)
}

pub(crate) fn write(mut socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
    socket.write(bytes)
}

/// Closes with a reset, so that no TIME_WAIT is left behind.
pub(crate) fn abort(socket: Socket) {
    // Where it cannot be set, the connection is closed as any other.
    let _ = socket.set_linger(Some(Duration::ZERO));
    drop(socket);
}

/// Nanoseconds since the first call.
pub(crate) fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

/// CPU time of another process in nanoseconds, threads that ended included.
pub(crate) fn process_cpu(pid: i32) -> Option<u64> {
    let clock = ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).ok()?;
    let time = Duration::from(clock.now().ok()?);
    Some(time.as_nanos() as u64).filter(|&nanoseconds| nanoseconds > 0)
}

/// Keeps this process, and what it becomes, on these CPUs.
pub(crate) fn pin_to(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &cpu in cpus {
        set.set(cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// Raises the limit of open files to what the system allows.
pub(crate) fn raise_file_limit() -> io::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
