//! The server: one thread per core, each with its own runtime and, where the system allows it,
//! its own listener on the same address (`SO_REUSEPORT`).

mod full;
mod last;

use super::config::{Drain, Limits, ServerConfig};
use super::connection::{self, Phase, reached};
use super::door::Door;
use super::edge::{Edge, Surroundings};
use super::service::Service;
use super::tls::Tls;
use full::Spare;
use socket2::{Domain, Protocol, Socket, Type};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// Connections that wait to be accepted, per listener.
const BACKLOG: i32 = 1024;
/// Pause after an accept failed for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// At the end no connection begins any more; for those that had begun a listener stays so long.
const LAST_ARRIVALS: Duration = Duration::from_millis(150);
/// A thread that serves makes ready what it has for itself, such as connections to a database, for
/// so long at most before it accepts.
const WARM_MAX: Duration = Duration::from_secs(1);
/// Connections over the limit that are told so at one time; more are just closed.
const REFUSALS_MAX: usize = 64;
/// Threads per core for what would stall it: large compressions.
const BLOCKING_THREADS_MAX: usize = 4;

/// A running server. Dropping it ends it at once.
pub struct Server {
    address: SocketAddr,
    secure: bool,
    phase: watch::Sender<Phase>,
    threads: Vec<JoinHandle<()>>,
    cut: Arc<AtomicUsize>,
    edge: Arc<Edge>,
}

/// Ends a server from elsewhere.
#[derive(Debug, Clone)]
pub struct Stopper {
    phase: watch::Sender<Phase>,
}

impl Stopper {
    /// Begins the drain; a second call ends the server at once.
    pub fn drain(&self) {
        self.phase.send_modify(|phase| {
            *phase = if *phase == Phase::Serving { Phase::Leaving } else { Phase::Stopped };
        });
    }
}

/// Why there is no server; each holds a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotServed {
    /// The CORS policy cannot work.
    Cors(String),
    /// Limits contradict each other.
    Limits(String),
    /// The certificate cannot be used.
    Tls(String),
    /// The address is in use or not ours.
    Address(String),
    /// A thread could not start.
    Thread(String),
}

impl fmt::Display for NotServed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cors(why) | Self::Limits(why) | Self::Tls(why) => why,
            Self::Address(why) | Self::Thread(why) => why,
        })
    }
}

/// A server that has its address: connections wait until it serves.
pub struct Bound {
    config: ServerConfig,
    tls: Option<Arc<Tls>>,
    listeners: Vec<TcpListener>,
    address: SocketAddr,
}

/// Takes the address, so that what is made for a server is made for one that can serve.
///
/// # Errors
/// Whatever of its configuration cannot work.
pub fn bind(config: ServerConfig) -> Result<Bound, NotServed> {
    config.cors.check().map_err(NotServed::Cors)?;
    let Limits { body_bytes_max, bodies_bytes_max, .. } = config.limits;
    if bodies_bytes_max < body_bytes_max {
        return Err(NotServed::Limits(format!(
            "all bodies together may hold {bodies_bytes_max} bytes, one alone {body_bytes_max}"
        )));
    }
    let tls = config.tls.clone().map(Tls::open).transpose();
    let tls = tls.map_err(NotServed::Tls)?.map(Arc::new);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = if config.workers == 0 { cores } else { config.workers };
    let fault = |error: io::Error| {
        NotServed::Address(format!("cannot listen on {}: {error}", config.listen))
    };
    let listeners = listen(config.listen, workers).map_err(fault)?;
    let address = listeners[0].local_addr().map_err(fault)?;
    Ok(Bound { config, tls, listeners, address })
}

/// Begins to serve; returns when it listens.
///
/// # Errors
/// Where a thread cannot start.
pub fn serve(
    bound: Bound,
    service: Arc<dyn Service>,
    around: Surroundings,
) -> Result<Server, NotServed> {
    let Bound { config, tls, listeners, address } = bound;
    let (phase, _) = watch::channel(Phase::Serving);
    let (secure, signals, drain) = (tls.is_some(), config.signals, config.drain.clone());
    let edge = Arc::new(Edge::new(config, around, service));
    let cut = Arc::new(AtomicUsize::new(0));
    let threads = Vec::new();
    let mut server = Server { address, secure, phase, threads, cut, edge: Arc::clone(&edge) };
    for (index, listener) in listeners.into_iter().enumerate() {
        let worker = Worker {
            listener: Some(listener),
            edge: edge.clone(),
            tls: tls.clone(),
            phase: server.phase.clone(),
            drain: drain.clone(),
            first: index == 0,
            signals,
            cut: server.cut.clone(),
        };
        let thread = std::thread::Builder::new().name(format!("serve-{index}"));
        let started = thread.spawn(move || {
            crate::worker::serves(index);
            worker.run();
        });
        let fault = |error| NotServed::Thread(format!("cannot start a thread: {error}"));
        server.threads.push(started.map_err(fault)?);
    }
    Ok(server)
}

impl Server {
    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:8080`
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The way in for what comes by a broker.
    pub fn door(&self) -> Door {
        Door::new(&self.edge, self.phase.subscribe())
    }

    /// Something to end it with.
    pub fn stopper(&self) -> Stopper {
        Stopper { phase: self.phase.clone() }
    }

    /// Waits for its end, by signal or [`Stopper`]. The number of connections that were cut when
    /// the grace was over: 0 after a clean drain.
    pub fn wait(mut self) -> usize {
        for thread in std::mem::take(&mut self.threads) {
            // A panic of a worker was told by the panic hook.
            let _ = thread.join();
        }
        self.cut.load(Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.threads.is_empty() {
            self.phase.send_replace(Phase::Stopped);
        }
    }
}

/// Tells a supervisor that the server listens: the URL and a line end to an inherited file
/// descriptor.
///
/// # Errors
/// When the descriptor is not open for writing.
pub fn announce(fd: u32, url: &str) -> io::Result<()> {
    let mut out = std::fs::OpenOptions::new().write(true).open(format!("/dev/fd/{fd}"))?;
    io::Write::write_all(&mut out, format!("{url}\n").as_bytes())
}

/// One listener for each worker. They share the address where the system can do that; where it
/// cannot they share one listener.
fn listen(address: SocketAddr, workers: usize) -> io::Result<Vec<TcpListener>> {
    // Without SO_REUSEPORT this fails where another server listens, which with it would go
    // unnoticed: the two would share the connections.
    let probe = socket(address, false)?;
    let address = probe.local_addr()?;
    drop(probe);
    let shared: io::Result<Vec<_>> = (0..workers).map(|_| socket(address, true)).collect();
    match shared {
        Ok(listeners) => Ok(listeners),
        Err(_) => {
            let one = socket(address, false)?;
            (0..workers).map(|_| one.try_clone()).collect()
        }
    }
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(shared)?;
    #[cfg(not(unix))]
    if shared {
        return Err(io::ErrorKind::Unsupported.into());
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// One thread's share of the server.
struct Worker {
    /// Taken when the worker begins: the one handle, so that to drop it is to close it.
    listener: Option<TcpListener>,
    edge: Arc<Edge>,
    tls: Option<Arc<Tls>>,
    phase: watch::Sender<Phase>,
    drain: Drain,
    /// The one that does what is done once per process.
    first: bool,
    signals: bool,
    cut: Arc<AtomicUsize>,
}

/// What a worker counts of its connections.
struct Open {
    /// Every connection holds a clone: the receiver ends with the last of them.
    alive: mpsc::Sender<Infallible>,
    count: Arc<AtomicUsize>,
    refusals: Arc<AtomicUsize>,
}

impl Worker {
    fn run(self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .build();
        match runtime {
            Ok(runtime) => {
                let served = runtime.block_on(self.serve());
                // What still runs is dropped where it waits.
                runtime.shutdown_background();
                if let Err(error) = served {
                    tracing::error!("a listener could not be used: {error}");
                }
            }
            Err(error) => tracing::error!("a runtime could not be made: {error}"),
        }
    }

    async fn serve(mut self) -> io::Result<()> {
        let listener = self.listener.take().ok_or(io::ErrorKind::NotConnected)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        if self.first {
            self.begin_chores();
        }
        // Whoever asks meanwhile waits in the listener's queue, not for longer than this.
        let _warm = tokio::time::timeout(WARM_MAX, self.edge.warm()).await;
        let (alive, mut all_gone) = mpsc::channel(1);
        let open = Open { alive, count: Arc::default(), refusals: Arc::default() };
        self.accept_until(&listener, &open, Phase::Leaving, None).await;
        self.edge.leave();
        self.accept_until(&listener, &open, Phase::Stopping, Some(self.drain.wait)).await;
        self.phase.send_if_modified(|phase| {
            let earlier = *phase < Phase::Stopping;
            *phase = (*phase).max(Phase::Stopping);
            earlier
        });
        if last::deafen(&listener) {
            self.accept_until(&listener, &open, Phase::Stopped, Some(LAST_ARRIVALS)).await;
        }
        // Who was let in by the system already is served, not reset.
        for (socket, peer) in last::waiting(listener)? {
            self.accept(socket, peer, &open);
        }
        let Open { alive, count, .. } = open;
        drop(alive);
        let mut phase = self.phase.subscribe();
        tokio::select! {
            _ = all_gone.recv() => {}
            () = tokio::time::sleep(self.drain.grace) => {}
            () = reached(&mut phase, Phase::Stopped) => {}
        }
        self.cut.fetch_add(count.load(Relaxed), Relaxed);
        Ok(())
    }

    /// What is done once per process, in the background.
    fn begin_chores(&self) {
        let health = self.edge.health().clone();
        tokio::spawn(async move { health.watch().await });
        if let Some(tls) = self.tls.clone() {
            tokio::spawn(tls.watch());
        }
        if self.signals {
            let stopper = Stopper { phase: self.phase.clone() };
            tokio::spawn(super::signals::heed(stopper, self.tls.clone()));
        }
    }

    async fn accept_until(
        &self,
        listener: &tokio::net::TcpListener,
        open: &Open,
        end: Phase,
        longest: Option<Duration>,
    ) {
        let mut phase = self.phase.subscribe();
        let mut ended = pin!(reached(&mut phase, end));
        let mut over = pin!(async {
            match longest {
                Some(longest) => tokio::time::sleep(longest).await,
                None => std::future::pending().await,
            }
        });
        let mut spare = Spare::default();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, peer)) => self.accept(socket, peer, open),
                    Err(error) => {
                        self.edge.accept_fault(&error);
                        spare.refuse_one(listener, &self.edge, self.tls.is_some()).await;
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                () = ended.as_mut() => return,
                () = over.as_mut() => return,
            }
        }
    }

    fn accept(&self, socket: TcpStream, peer: SocketAddr, open: &Open) {
        let (connected, count) = self.edge.metrics().connect();
        if count > self.edge.limits.connections_max {
            if self.tls.is_none() && open.refusals.load(Relaxed) < REFUSALS_MAX {
                let (edge, refusals) = (self.edge.clone(), open.refusals.clone());
                refusals.fetch_add(1, Relaxed);
                tokio::spawn(async move {
                    full::refuse(socket, &edge, full::PATIENCE).await;
                    refusals.fetch_sub(1, Relaxed);
                });
            }
            return;
        }
        let (edge, tls, phase) = (self.edge.clone(), self.tls.clone(), self.phase.subscribe());
        let counted = Counted::new(&open.count, open.alive.clone());
        tokio::spawn(async move {
            connection::serve(socket, peer, edge, tls, phase).await;
            drop((connected, counted));
        });
    }
}

/// A connection of a worker, counted while it lives, also when its task is dropped.
struct Counted {
    count: Arc<AtomicUsize>,
    _alive: mpsc::Sender<Infallible>,
}

impl Counted {
    fn new(count: &Arc<AtomicUsize>, alive: mpsc::Sender<Infallible>) -> Self {
        count.fetch_add(1, Relaxed);
        Self { count: count.clone(), _alive: alive }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Relaxed);
    }
}
