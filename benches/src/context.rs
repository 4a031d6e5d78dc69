//! What a contestant is given for one job.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::contestant::{Kind, Work};
use crate::corpus;
use crate::job::Job;
use crate::meter::Meter;
use crate::wire;

pub(crate) type Cx = Arc<Context>;

/// How long things may settle before memory is looked at.
const SETTLE: Duration = Duration::from_millis(150);

/// Between two cuts: nobody is still busy with the last.
const CALM: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) job: Job,
    pub(crate) address: SocketAddr,
    pub(crate) meter: Meter,
    /// The contestant's, to say from its handler that all is done.
    pub(crate) done: Notify,
    messages: Vec<Bytes>,
    opens: AtomicU64,
    opened: Notify,
}

impl Context {
    pub(crate) fn new(job: &Job) -> Cx {
        let messages = match job.work {
            Work::JsonOut => corpus::messages(),
            _ => vec![Bytes::from(wire::payload(job.size))],
        };
        Arc::new(Self {
            job: job.clone(),
            address: (Ipv4Addr::LOCALHOST, job.port).into(),
            meter: Meter::default(),
            done: Notify::new(),
            messages,
            opens: AtomicU64::new(0),
            opened: Notify::new(),
        })
    }

    pub(crate) fn path(&self) -> String {
        let Job { size, count, .. } = self.job;
        match self.job.work {
            Work::Flood if self.job.kind == Kind::Text => format!("/flood/{size}/{count}/text"),
            Work::Flood => format!("/flood/{size}/{count}/binary"),
            Work::Blast | Work::JsonOut => format!("/sink/{count}"),
            Work::JsonIn => format!("/json/{count}"),
            Work::Echo | Work::Call => "/echo".to_owned(),
            Work::Idle | Work::IdleDeflate => "/idle".to_owned(),
            Work::Reopen => "/victim".to_owned(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}{}", self.address, self.path())
    }

    /// A message of the size that the job asks for.
    pub(crate) fn payload(&self) -> Bytes {
        self.messages[0].clone()
    }

    /// The messages to send in `blast`.
    pub(crate) fn outgoing(&self) -> impl Iterator<Item = &Bytes> + Send {
        self.messages.iter().cycle().take(self.job.count as usize)
    }

    /// Lets things settle, then notes what is resident.
    pub(crate) async fn mark_resident(&self) {
        tokio::time::sleep(SETTLE).await;
        self.meter.mark_resident();
    }

    /// A connection is open.
    pub(crate) fn opened(&self) {
        self.opens.fetch_add(1, Ordering::AcqRel);
        self.opened.notify_one();
    }

    pub(crate) async fn wait_opens(&self, opens: u64) {
        while self.opens.load(Ordering::Acquire) < opens {
            self.opened.notified().await;
        }
    }

    /// Once all clients are open: the server cuts every TCP connection, all open again; as often as the job says.
    pub(crate) async fn drive_reopen(&self) -> Result<()> {
        let clients = self.job.connections as u64;
        self.wait_opens(clients).await;
        for cut in 1..=self.job.cuts as u64 {
            tokio::time::sleep(CALM).await;
            let mut control = TcpStream::connect(self.address).await?;
            let begun = Instant::now();
            control.write_all(&wire::control("/cut")).await?;
            self.wait_opens(clients * (cut + 1)).await;
            self.meter.reopened(begun.elapsed().as_secs_f64() * 1e6);
        }
        Ok(())
    }

    /// Asks the server what went over the wire in frames, where the job is about that.
    pub(crate) async fn fetch_wire_bytes(&self) -> Result<()> {
        if !matches!(self.job.work, Work::JsonIn | Work::JsonOut) {
            return Ok(());
        }
        let mut control = TcpStream::connect(self.address).await?;
        control.write_all(&wire::control("/wire")).await?;
        let mut answer = String::new();
        control.read_to_string(&mut answer).await?;
        self.meter.wire(answer.trim().parse()?);
        Ok(())
    }

    /// TCP to the server, no delay.
    pub(crate) async fn dial(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// TCP and a minimal upgrade by hand, for libraries that take over a socket.
    pub(crate) async fn dial_upgraded(&self) -> Result<TcpStream> {
        self.dial_offering("").await
    }

    /// The same, with header lines of the caller's, each ended by CR LF.
    pub(crate) async fn dial_offering(&self, headers: &str) -> Result<TcpStream> {
        let mut stream = self.dial().await?;
        let request = wire::request(&self.path(), &self.address.to_string(), headers);
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            // After its answer the server is silent until it gets a frame: nothing is read too far.
            if stream.read_buf(&mut head).await? == 0 {
                bail!("the server closed in the handshake");
            }
        }
        if !head.starts_with(b"HTTP/1.1 101") {
            bail!("no upgrade");
        }
        Ok(stream)
    }
}
