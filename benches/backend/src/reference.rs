//! The reference: a server for the shop's orders, written by hand to be as fast as we can make it.
//!
//! It does for one model what Mainstay does for any: the same tables, checks, answers and
//! durability. Each core has a runtime, a listener (`SO_REUSEPORT`), its verified tokens and its
//! connections; nothing is shared but the thread or pool that writes, ids and running keys.

mod cursor;
mod json;
mod observed;
mod order;
mod postgres;
mod problem;
mod requests;
mod sqlite;
mod store;
pub(crate) mod token;
mod writes;

use crate::arguments::Reference;
use cursor::CursorKey;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use requests::Core;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::HashSet;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use store::Store;
use token::{Key, Verifier};

/// Connections that wait to be accepted, per listener.
const BACKLOG: i32 = 1_024;

/// What the cores share.
pub(crate) struct Shared {
    key: Key,
    cursor_key: CursorKey,
    /// Idempotency keys whose first call has not ended.
    running: Mutex<HashSet<[u8; 32]>>,
    last_id: AtomicU64,
}

impl Shared {
    /// The next UUIDv7; `random` are 62 bits of it.
    pub(crate) fn next_id(&self, now: i64, random: u64) -> u128 {
        let micros = u64::try_from(now).unwrap_or(0);
        let wanted = ((micros / 1_000) << 12) | ((micros % 1_000) * 4_096 / 1_000);
        let step = |last: u64| Some(wanted.max(last + 1));
        let last = self.last_id.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        let time = wanted.max(last.unwrap_or_else(|last| last) + 1);
        let high = u128::from(time >> 12) << 80 | 7 << 76 | u128::from(time & 0xfff) << 64;
        high | 0b10 << 62 | u128::from(random >> 2)
    }
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until it is killed.
///
/// # Errors
/// A sentence for people.
pub(crate) fn serve(arguments: &Reference) -> Result<(), String> {
    let data = &arguments.data;
    let kept = arguments.database.as_deref().and_then(postgres::cursor_key);
    let cursor_key = match kept {
        Some(kept) => kept,
        None => std::fs::read(data.join("cursor.key")).map_err(|why| why.to_string())?,
    };
    let shared = Arc::new(Shared {
        key: Key::open(data)?,
        cursor_key: CursorKey::new(&cursor_key),
        running: Mutex::default(),
        last_id: AtomicU64::new(0),
    });
    let first = listener(arguments.listen).map_err(|why| why.to_string())?;
    let address = first.local_addr().map_err(|why| why.to_string())?;
    let writer = match arguments.database {
        Some(_) => None,
        None => Some(sqlite::Writer::start(data).map_err(|why| why.to_string())?),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut threads = Vec::new();
    let mut listeners = vec![first];
    for _ in 1..cores {
        listeners.push(listener(address).map_err(|why| why.to_string())?);
    }
    for listener in listeners {
        let place = match (&arguments.database, &writer) {
            (Some(url), _) => Place::Postgres(url.clone()),
            (None, Some(writer)) => {
                Place::Sqlite(data.clone(), writer.clone(), arguments.map_bytes)
            }
            (None, None) => return Err("there is no store".to_owned()),
        };
        let (shared, observed) = (Arc::clone(&shared), arguments.observed);
        threads.push(std::thread::spawn(move || core(listener, place, shared, observed)));
    }
    crate::table::progress(&format!("the reference listens on {address}"));
    for thread in threads {
        thread.join().map_err(|_| "a core failed".to_owned())??;
    }
    Ok(())
}

enum Place {
    Sqlite(PathBuf, sqlite::Writer, u64),
    Postgres(String),
}

fn core(
    listener: TcpListener,
    place: Place,
    shared: Arc<Shared>,
    observed: bool,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| why.to_string())?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let store = match place {
            Place::Sqlite(data, writer, map_bytes) => {
                let reader =
                    sqlite::Reader::open(&data, map_bytes).map_err(|why| why.to_string())?;
                Store::Sqlite(Box::new(reader), writer)
            }
            Place::Postgres(url) => {
                let store = postgres::Postgres::open(&url).await;
                Store::Postgres(store.map_err(|why| why.to_string())?)
            }
        };
        let verifier = Verifier::new(&shared.key);
        let log = observed.then(observed::Log::start);
        let core = Rc::new(Core::new(shared, store, verifier, log));
        let listener = tokio::net::TcpListener::from_std(listener);
        let listener = listener.map_err(|why| why.to_string())?;
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            // Without it a small answer waits for the acknowledgement of the one before.
            let _slow = stream.set_nodelay(true);
            let core = Rc::clone(&core);
            tokio::task::spawn_local(async move {
                let service = service_fn(move |request| {
                    let core = Rc::clone(&core);
                    async move { Ok::<_, std::convert::Infallible>(core.answer(request).await) }
                });
                let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // A client that hangs up is no fault.
                let _gone = serving.await;
            });
        }
    })
}
