//! One server for all contestants: blocking threads, frames built and parsed by hand.
//!
//! | path | what |
//! |---|---|
//! | `/flood/SIZE/COUNT/text` or `/binary` | waits for one message, then writes so many from a prebuilt buffer |
//! | `/json/COUNT` | the same with the corpus, compressed where the client offers it |
//! | `/sink/COUNT` | counts messages by their headers only, then sends one |
//! | `/echo` | echoes data frames, one write for each read |
//! | `/idle` | keeps the connection, answers pings |
//! | `/victim` | the same, until somebody asks for `/cut` |
//! | `/wire` | bytes of all frames of the last `/json` or `/sink` |

mod feed;
mod serve;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use socket2::SockRef;

use crate::wire;

static VICTIMS: Mutex<Vec<TcpStream>> = Mutex::new(Vec::new());
static WIRE_BYTES: AtomicU64 = AtomicU64::new(0);

/// A thousand clients connect at once.
const BACKLOG: i32 = 4096;

/// Serves until standard input ends: it is the suite's, and goes with it.
pub(crate) fn serve() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    SockRef::from(&listener).listen(BACKLOG)?;
    println!("LISTEN {}", listener.local_addr()?.port());
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        process::exit(0);
    });
    for stream in listener.incoming() {
        let stream = stream?;
        thread::Builder::new().stack_size(128 << 10).spawn(move || client(stream))?;
    }
    Ok(())
}

/// A client that goes when it has what it wants is no failure, so nobody asks for the result.
fn client(mut stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let head = read_head(&mut stream)?;
    let path = target(&head)?;
    match path {
        "/cut" => return cut(),
        "/wire" => return Ok(write!(stream, "{}", WIRE_BYTES.load(Ordering::Acquire))?),
        _ => {}
    }
    let deflate = may_compress(path) && header(&head, "sec-websocket-extensions").is_some();
    let extensions = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let key = header(&head, "sec-websocket-key").context("no key")?;
    // Before the client can know that it is open.
    if path == "/victim" {
        VICTIMS.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
    }
    stream.write_all(wire::response(key, extensions).as_bytes())?;
    upgraded(stream, path, deflate)
}

fn upgraded(stream: TcpStream, path: &str, deflate: bool) -> Result<()> {
    let parts: Vec<_> = path.split('/').skip(1).collect();
    match *parts {
        ["flood", size, count, "text"] => {
            feed::flood(stream, wire::TEXT, size.parse()?, count.parse()?)
        }
        ["flood", size, count, _] => {
            feed::flood(stream, wire::BINARY, size.parse()?, count.parse()?)
        }
        ["json", count] if deflate => feed::json_compressed(stream, count.parse()?),
        ["json", count] => feed::json(stream, count.parse()?),
        ["sink", count] => serve::sink(stream, count.parse()?),
        ["echo"] => serve::echo(stream, 256 << 10),
        _ => serve::echo(stream, 1024),
    }
}

/// Where the client may send what is compressed, nobody here looks into it.
fn may_compress(path: &str) -> bool {
    ["/json", "/sink", "/idle"].iter().any(|beginning| path.starts_with(beginning))
}

fn read_head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    let mut piece = [0; 2048];
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            bail!("the client closed in the handshake");
        }
        head.extend_from_slice(&piece[..read]);
    }
    Ok(String::from_utf8(head)?)
}

/// The path that is asked for. fast_websocket_client sends the absolute form.
fn target(head: &str) -> Result<&str> {
    let target = head.split(' ').nth(1).context("no path")?;
    let Some(rest) = target.strip_prefix("ws://") else { return Ok(target) };
    Ok(rest.find('/').map_or("/", |at| &rest[at..]))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    fields
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
        .next()
}

fn cut() -> Result<()> {
    for victim in VICTIMS.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let _ = victim.shutdown(Shutdown::Both);
    }
    Ok(())
}
