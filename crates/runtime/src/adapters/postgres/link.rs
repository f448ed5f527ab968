//! A connection: whose rows it may see, how long a statement may take, what it has prepared.

use super::address::Address;
use super::error::told;
use crate::ports::store::Tenant;
use crate::worker;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use std::thread::ThreadId;
use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, RowStream, SimpleQueryMessage, Statement};

/// Statements kept by a connection.
const STATEMENTS_MAX: usize = 1_024;
/// Whose rows are seen, how long a statement may take, what a commit waits for: for all statements
/// that follow.
const SET: &str = "SELECT set_config('mainstay.tenant', $1, false), \
                   set_config('statement_timeout', $2, false), \
                   set_config('synchronous_commit', $3, false)";

/// The same for whose rows alone: it changes with every other call, the rest seldom.
const SET_TENANT: &str = "SELECT set_config('mainstay.tenant', $1, false)";

/// A server that is set not to wait for the disk is made to.
const COMMITS: &str = "SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' \
                       ELSE current_setting('synchronous_commit') END";

/// A parameter.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// One database of a server, and as whom it is used.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) address: Address,
    /// What the connections stand in for where the login is above row-level security.
    pub(super) role: Option<&'static str>,
    /// Where the connections are driven.
    pub(super) runtime: Handle,
}

/// What holds for the statements of a connection until it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) tenant: Tenant,
    /// Milliseconds that a statement may take.
    pub(super) millis: u64,
    /// A commit does not wait for the disk.
    pub(super) relaxed: bool,
}

/// What of a session is to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changes {
    Nothing,
    Tenant,
    All,
}

impl Session {
    /// What is to be set on a connection that is in another session, or in none.
    fn changes(&self, present: Option<&Self>) -> Changes {
        match present {
            Some(present) if present == self => Changes::Nothing,
            Some(present) if present.millis == self.millis && present.relaxed == self.relaxed => {
                Changes::Tenant
            }
            Some(_) | None => Changes::All,
        }
    }

    /// For things of our own.
    pub(super) fn plain(millis: u64) -> Self {
        Self { tenant: None, millis, relaxed: false }
    }
}

/// A connection.
pub(super) struct Link {
    client: Client,
    set: Statement,
    set_tenant: Statement,
    /// The thread that drives it.
    home: ThreadId,
    /// Reads that are on their way.
    reading: AtomicU32,
    /// What a commit waits for: the disk at least, more where the server is set so.
    commits: String,
    session: Mutex<Option<Session>>,
    statements: Mutex<HashMap<Arc<str>, Statement>>,
    /// Why the server ended it, where it said so.
    ending: Arc<OnceLock<SqlState>>,
}

impl Server {
    /// Where the caller runs, if that is a thread that serves.
    pub(super) fn runtime_here(&self) -> Handle {
        let here = Handle::try_current().ok().filter(|_| worker::serving().is_some());
        here.unwrap_or_else(|| self.runtime.clone())
    }

    /// The same with connections that are driven where the caller runs, if that is a thread that
    /// serves: one that is used by the thread that drives it wakes no other.
    pub(super) fn here(&self) -> Self {
        Self { runtime: self.runtime_here(), ..self.clone() }
    }

    /// Makes a connection.
    pub(super) async fn connect(&self) -> Result<Link, Error> {
        let (client, ending) = self.driven().await?;
        let role = self.role.map_or(String::new(), |role| format!("SET ROLE \"{role}\"; "));
        let settings = format!(
            "{role}SET TIME ZONE 'UTC'; SET client_min_messages = warning; \
             SET idle_in_transaction_session_timeout = '60s'; \
             SET default_transaction_isolation = 'read committed'"
        );
        client.batch_execute(&settings).await?;
        let commits = client.query_one(COMMITS, &[]).await?.try_get(0)?;
        let (set, set_tenant) =
            futures::try_join!(client.prepare(SET), client.prepare(SET_TENANT))?;
        let (session, statements) = (Mutex::default(), Mutex::default());
        let home = std::thread::current().id();
        let reading = AtomicU32::new(0);
        Ok(Link { client, set, set_tenant, home, reading, commits, session, statements, ending })
    }

    /// A bare connection, as who logs in.
    pub(super) async fn client(&self) -> Result<Client, Error> {
        self.driven().await.map(|(client, _)| client)
    }

    async fn driven(&self) -> Result<(Client, Arc<OnceLock<SqlState>>), Error> {
        let connecting = self.address.config.connect(self.address.tls.clone());
        let (client, mut connection) = connecting.await?;
        let ending = Arc::new(OnceLock::new());
        let told_to = Arc::clone(&ending);
        self.runtime.spawn(async move {
            if let Err(error) = (&mut connection).await {
                tracing::debug!(error = told(&error), "a connection to PostgreSQL ended");
                if let Some(code) = error.code() {
                    // The first reason is the only one.
                    let _known = told_to.set(code.clone());
                }
            }
            // Those that wait hear of the end after its reason is known.
            drop(connection);
        });
        Ok((client, ending))
    }
}

impl Link {
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// True where this thread drives it.
    pub(super) fn is_here(&self) -> bool {
        self.home == std::thread::current().id()
    }

    /// True where nothing is to be set for that session.
    pub(super) fn is_in(&self, session: &Session) -> bool {
        let present = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        present.as_ref() == Some(session)
    }

    /// How long a read in that session would wait, in reads before it: to enter another session
    /// takes about as long as two.
    pub(super) fn load(&self, session: &Session) -> u32 {
        let present = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let enters = present.as_ref() != Some(session);
        self.reading.load(Ordering::Relaxed).saturating_add(if enters { 2 } else { 0 })
    }

    fn commits(&self, session: &Session) -> &str {
        if session.relaxed { "off" } else { &self.commits }
    }

    /// What the server said of an error, or of the end of the connection.
    pub(super) fn reason(&self, error: &Error) -> Option<SqlState> {
        error.code().or_else(|| self.ending.get()).cloned()
    }

    /// The statement of a text, prepared once.
    pub(super) async fn statement(&self, text: &str) -> Result<Statement, Error> {
        match self.prepared(text) {
            Some(statement) => Ok(statement),
            None => self.prepare(text).await,
        }
    }

    fn prepared(&self, text: &str) -> Option<Statement> {
        self.known(|all| all.get(text).cloned())
    }

    async fn prepare(&self, text: &str) -> Result<Statement, Error> {
        let statement = self.client.prepare(text).await?;
        self.known(|all| {
            if all.len() >= STATEMENTS_MAX {
                all.clear();
            }
            all.insert(Arc::from(text), statement.clone());
        });
        Ok(statement)
    }

    fn known<T>(&self, run: impl FnOnce(&mut HashMap<Arc<str>, Statement>) -> T) -> T {
        run(&mut self.statements.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets what was prepared.
    pub(super) fn forget(&self) {
        self.known(HashMap::clear);
    }

    /// Reads in a session. Others may do so at the same time: both requests are on their way
    /// before anybody else's, so that nobody's session comes between.
    pub(super) async fn read(
        &self,
        session: &Session,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        let _reading = Reading::new(&self.reading);
        let statement = match self.prepared(text) {
            Some(statement) => statement,
            None => {
                // A table that is locked holds up the preparation too.
                if let Some(entered) = self.enter(session).await {
                    entered.answer().await?;
                }
                self.prepare(text).await?
            }
        };
        let tenant = session.tenant.as_deref().unwrap_or_default();
        let millis = session.millis.to_string();
        let commits = self.commits(session);
        let values: [Parameter<'_>; 3] = [&tenant, &millis, &commits];
        let mut set = pin!(self.client.execute_raw(&self.set, values));
        let mut set_tenant = pin!(self.client.execute_raw(&self.set_tenant, [tenant]));
        let mut query = pin!(self.client.query_raw(&statement, parameters.iter().copied()));
        let (mut was_set, mut answer) = (None, None);
        let changes = poll_fn(|context| {
            let mut present = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let changes = session.changes(present.as_ref());
            let polled = match changes {
                Changes::Nothing => Poll::Pending,
                Changes::Tenant => set_tenant.as_mut().poll(context),
                Changes::All => set.as_mut().poll(context),
            };
            if changes != Changes::Nothing {
                if let Poll::Ready(done) = polled {
                    was_set = Some(done);
                }
                *present = Some(session.clone());
            }
            if let Poll::Ready(done) = query.as_mut().poll(context) {
                answer = Some(done);
            }
            Poll::Ready(changes)
        })
        .await;
        if changes != Changes::Nothing {
            let done = match (was_set, changes) {
                (Some(done), _) => done,
                (None, Changes::Tenant) => set_tenant.await,
                (None, _) => set.await,
            };
            if let Err(error) = done {
                *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
                return Err(error);
            }
        }
        let rows = match answer {
            Some(answer) => answer?,
            None => query.await?,
        };
        all(rows).await
    }

    /// Sets the session, without waiting for the answer.
    pub(super) async fn enter(&self, session: &Session) -> Option<Sent<'_, u64>> {
        poll_fn(|context| {
            let mut present = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let changes = session.changes(present.as_ref());
            if changes == Changes::Nothing {
                return Poll::Ready(None);
            }
            let mut waiting: Answer<'_, u64> = Box::pin(self.set(session.clone(), changes));
            *present = Some(session.clone());
            Poll::Ready(Some(match waiting.as_mut().poll(context) {
                Poll::Ready(answer) => Sent::Answered(answer),
                Poll::Pending => Sent::Waiting(waiting),
            }))
        })
        .await
    }

    async fn set(&self, session: Session, changes: Changes) -> Result<u64, Error> {
        let tenant = session.tenant.as_deref().unwrap_or_default();
        if changes == Changes::Tenant {
            return self.client.execute_raw(&self.set_tenant, [tenant]).await;
        }
        let (millis, commits) = (session.millis.to_string(), self.commits(&session));
        let values: [Parameter<'_>; 3] = [&tenant, &millis, &commits];
        self.client.execute_raw(&self.set, values).await
    }

    /// Sends texts that have no parameters, as one.
    pub(super) async fn send_plain(&self, text: &'static str) -> Sent<'_, ()> {
        sent(self.client.batch_execute(text)).await
    }

    /// Runs texts that have no parameters.
    pub(super) async fn plain(&self, text: &str) -> Result<(), Error> {
        self.client.batch_execute(text).await
    }

    /// The same for one statement: the rows that it changed.
    pub(super) async fn plain_changed(&self, text: &str) -> Result<u64, Error> {
        let said = self.client.simple_query(text).await?;
        let changed = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::CommandComplete(rows) => *rows,
            _ => 0,
        };
        Ok(said.iter().map(changed).sum())
    }

    /// Sends a statement without waiting for the answer: the number of rows it changed.
    pub(super) async fn send<'a, P: ToSql + Send + Sync + 'a>(
        &'a self,
        statement: Statement,
        parameters: Vec<P>,
    ) -> Sent<'a, u64> {
        let run = async move {
            let parameters = parameters.iter().map(|one| one as Parameter<'_>);
            self.client.execute_raw(&statement, parameters).await
        };
        sent(run).await
    }

    /// Runs a statement on a connection that nobody else uses.
    pub(super) async fn query(
        &self,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, Error> {
        let statement = self.statement(text).await?;
        all(self.client.query_raw(&statement, parameters.iter().copied()).await?).await
    }

    /// Runs a statement for its effect on a connection that nobody else uses.
    pub(super) async fn execute(
        &self,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, Error> {
        let statement = self.statement(text).await?;
        self.client.execute_raw(&statement, parameters.iter().copied()).await
    }
}

/// A read that is on its way, counted until it ends or is given up.
struct Reading<'a>(&'a AtomicU32);

impl<'a> Reading<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn all(rows: RowStream) -> Result<Vec<Row>, Error> {
    use futures::TryStreamExt;
    rows.try_collect().await
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// A request that is on its way.
pub(super) enum Sent<'a, T> {
    /// Not answered yet.
    Waiting(Answer<'a, T>),
    /// Answered, or never sent.
    Answered(Result<T, Error>),
}

impl<T> Sent<'_, T> {
    /// The answer. Those of one connection are to be awaited in the order of the requests.
    pub(super) async fn answer(self) -> Result<T, Error> {
        match self {
            Self::Waiting(answer) => answer.await,
            Self::Answered(answer) => answer,
        }
    }
}

/// The driver sends when a request is first polled.
async fn sent<'a, T>(request: impl Future<Output = Result<T, Error>> + Send + 'a) -> Sent<'a, T> {
    let mut request: Option<Answer<'a, T>> = Some(Box::pin(request));
    poll_fn(|context| {
        let Some(mut waiting) = request.take() else { return Poll::Pending };
        Poll::Ready(match waiting.as_mut().poll(context) {
            Poll::Ready(answer) => Sent::Answered(answer),
            Poll::Pending => Sent::Waiting(waiting),
        })
    })
    .await
}
