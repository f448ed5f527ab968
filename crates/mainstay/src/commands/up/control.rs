//! Listens in the data directory to what is asked of the backend that runs on it.

use super::events::Event;
use crate::commands::control::{self, REQUEST_BYTES_MAX, Request, Step, Told};
use crate::failure::Failure;
use runtime::adapters::sqlite::CONTROL;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long whoever connects may take to ask, and to take an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two lines that tell how many rows were copied.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// The socket, removed at the end.
pub(super) struct Control {
    path: PathBuf,
}

/// Something that is asked, and who asked.
pub(super) struct Wish {
    pub(super) asked: Request,
    talk: Mutex<Talk>,
    gone: Arc<AtomicBool>,
    /// No second one meanwhile.
    turn: Turn,
}

struct Talk {
    stream: UnixStream,
    told: Option<Instant>,
}

/// Held while something that was asked is done.
struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Control {
    /// Listens in a directory; without it everything but a move while serving works.
    pub(super) fn listen(data: &Path, wishes: SyncSender<Event>) -> Option<Self> {
        let listening = control::listen(data).and_then(|listener| {
            let thread = std::thread::Builder::new().name("control".to_owned());
            thread.spawn(move || heed(&listener, &wishes)).map(|_| ())
        });
        match listening {
            Ok(()) => Some(Self { path: data.join(CONTROL) }),
            Err(error) => {
                tracing::warn!(%error, "no socket: `mainstay move` can't reach this backend");
                None
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        // One that stays is replaced at the next start.
        let _left = std::fs::remove_file(&self.path);
    }
}

/// Hands on what is asked, for ever.
fn heed(listener: &UnixListener, wishes: &SyncSender<Event>) {
    let busy = Arc::new(AtomicBool::new(false));
    for stream in listener.incoming() {
        let asked = stream.and_then(|stream| take(stream, &busy, wishes));
        if let Err(error) = asked {
            tracing::debug!(%error, "what was asked can't be read");
            // Out of descriptors: not again at once.
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn take(
    stream: UnixStream,
    busy: &Arc<AtomicBool>,
    wishes: &SyncSender<Event>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new((&stream).take(REQUEST_BYTES_MAX)).read_line(&mut line)?;
    let refuse = |mut stream: UnixStream, why: Failure| {
        stream.write_all(Told::Failed(why).line().as_bytes())
    };
    let Some(asked) = Request::read(&line) else {
        return refuse(stream, Failure::new("the backend does not know what is asked of it"));
    };
    if busy.swap(true, Ordering::AcqRel) {
        let failure = Failure::new("the data is being moved already");
        return refuse(stream, failure.hint("wait for that, or end it with Ctrl-C"));
    }
    let turn = Turn(Arc::clone(busy));
    let gone = Arc::new(AtomicBool::new(false));
    let (listens, tells) = (stream.try_clone()?, stream.try_clone()?);
    let talk = Mutex::new(Talk { stream: tells, told: None });
    let wish = Wish { asked, talk, gone: Arc::clone(&gone), turn };
    // Nothing more is said: whatever comes is the end.
    listens.set_read_timeout(None)?;
    std::thread::Builder::new().name("asked".to_owned()).spawn(move || {
        let _end = (&listens).read(&mut [0]);
        gone.store(true, Ordering::Release);
    })?;
    match wishes.try_send(Event::Move(Box::new(wish))) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
            refuse(stream, Failure::new("the backend is busy or ending").hint("try again"))
        }
    }
}

impl Wish {
    /// Who asked has gone, and nobody waits for it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Tells how far it is; counts of rows now and then.
    pub(super) fn tell(&self, step: Step) {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = matches!(step, Step::Copied(_) | Step::Proven(_));
        if counts && talk.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return;
        }
        talk.told = Some(Instant::now());
        if talk.stream.write_all(Told::Step(step).line().as_bytes()).is_err() {
            self.gone.store(true, Ordering::Release);
        }
    }

    /// Tells the end of it; whoever hears it may ask again at once.
    pub(super) fn end(self, told: &Told) {
        drop(self.turn);
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        // Who does not hear it finds it in the log.
        let _gone = talk.stream.write_all(told.line().as_bytes());
        let _gone = talk.stream.shutdown(std::net::Shutdown::Both);
    }
}
