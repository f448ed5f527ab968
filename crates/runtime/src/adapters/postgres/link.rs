//! A connection: whose rows it may see, how long a statement may take, what it has prepared.

use super::address::Address;
use super::error::told;
use crate::ports::store::Tenant;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Poll;
use tokio::runtime::Handle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, RowStream, Statement};

/// Statements kept by a connection.
const STATEMENTS_MAX: usize = 1_024;
/// Whose rows are seen, how long a statement may take, what a commit waits for: for all statements
/// that follow.
const SET: &str = "SELECT set_config('mainstay.tenant', $1, false), \
                   set_config('statement_timeout', $2, false), \
                   set_config('synchronous_commit', $3, false)";

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

impl Session {
    /// For things of our own.
    pub(super) fn plain(millis: u64) -> Self {
        Self { tenant: None, millis, relaxed: false }
    }
}

/// A connection.
pub(super) struct Link {
    client: Client,
    set: Statement,
    /// What a commit waits for: the disk at least, more where the server is set so.
    commits: String,
    session: Mutex<Option<Session>>,
    statements: Mutex<HashMap<Arc<str>, Statement>>,
    /// Why the server ended it, where it said so.
    ending: Arc<OnceLock<SqlState>>,
}

impl Server {
    /// Makes a connection; it is driven on the store's own threads, wherever it is used.
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
        let set = client.prepare(SET).await?;
        let (session, statements) = (Mutex::default(), Mutex::default());
        Ok(Link { client, set, commits, session, statements, ending })
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
        let mut query = pin!(self.client.query_raw(&statement, parameters.iter().copied()));
        let (mut was_set, mut answer) = (None, None);
        let changes = poll_fn(|context| {
            let mut present = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let changes = present.as_ref() != Some(session);
            if changes {
                if let Poll::Ready(done) = set.as_mut().poll(context) {
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
        if changes {
            let done = match was_set {
                Some(done) => done,
                None => set.await,
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
        let (tenant, millis) = (session.tenant.clone(), session.millis.to_string());
        let commits = self.commits(session);
        let setting = async move {
            let tenant = tenant.as_deref().unwrap_or_default();
            let values: [Parameter<'_>; 3] = [&tenant, &millis, &commits];
            self.client.execute_raw(&self.set, values).await
        };
        let mut setting: Option<Answer<'_, u64>> = Some(Box::pin(setting));
        poll_fn(|context| {
            let mut present = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            let changes = present.as_ref() != Some(session);
            let Some(mut waiting) = setting.take().filter(|_| changes) else {
                return Poll::Ready(None);
            };
            *present = Some(session.clone());
            Poll::Ready(Some(match waiting.as_mut().poll(context) {
                Poll::Ready(answer) => Sent::Answered(answer),
                Poll::Pending => Sent::Waiting(waiting),
            }))
        })
        .await
    }

    /// Sends texts that have no parameters, as one.
    pub(super) async fn send_plain(&self, text: &'static str) -> Sent<'_, ()> {
        sent(self.client.batch_execute(text)).await
    }

    /// Runs texts that have no parameters.
    pub(super) async fn plain(&self, text: &str) -> Result<(), Error> {
        self.client.batch_execute(text).await
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
