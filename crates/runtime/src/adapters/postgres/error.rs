//! What goes wrong with a server, in words that say what to do; never with a password.

use crate::adapters::sql::plan::PlanError;
use crate::ports::store::Unavailable;
use std::error::Error as _;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Why the store does not open.
#[derive(Debug)]
pub enum OpenError {
    /// The address can't be read as one.
    Address(String),
    /// Nobody answers, or the connection breaks.
    Unreachable {
        /// The server, without password.
        server: String,
        /// What the system says.
        cause: String,
    },
    /// The server answers and refuses.
    Refused {
        /// The server, without password.
        server: String,
        /// What it says.
        cause: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A server that we can't run on.
    Server {
        /// The server, without password.
        server: String,
        /// What is wrong with it.
        fault: String,
    },
    /// The database holds something else than the model has.
    Schema {
        /// The server, without password.
        server: String,
        /// What differs, one line each.
        differences: Vec<String>,
    },
    /// The schema does not fit the model.
    Plan(PlanError),
    /// Threads for the connections could not be started.
    Thread(std::io::Error),
}

impl OpenError {
    /// True where the same may go well in a moment.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(fault) => write!(
                f,
                "{fault}: give the database as \
                 `postgres://user:password@host:5432/name?sslmode=prefer`"
            ),
            Self::Unreachable { server, cause } => write!(
                f,
                "no server answers at {server} ({cause}): start PostgreSQL, or give another \
                 address with `--database`"
            ),
            Self::Refused { server, cause, hint } => {
                write!(f, "{server} refuses ({cause}): {hint}")
            }
            Self::Server { server, fault } => write!(f, "{server} {fault}"),
            Self::Schema { server, differences } => {
                write!(f, "the data in {server} belongs to another model")?;
                for difference in differences {
                    write!(f, "\n  {difference}")?;
                }
                write!(
                    f,
                    "\nin development give a new database with `--database`;\
                     \nelse run the model that the data was written for"
                )
            }
            Self::Plan(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "threads of the store could not start ({error})"),
        }
    }
}

impl std::error::Error for OpenError {}

/// The error of a server as a reason not to open.
pub(super) fn refused(server: &str, error: &Error) -> OpenError {
    let (server, cause) = (server.to_owned(), told(error));
    let Some(code) = error.code() else {
        return match is_lost(error) {
            true => OpenError::Unreachable { server, cause },
            false => {
                let hint = "look at `sslmode`, user and password of `--database`";
                OpenError::Refused { server, cause, hint }
            }
        };
    };
    let hint = match code {
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "give a user and password that may log in"
        }
        &SqlState::INVALID_CATALOG_NAME => "make it with `createdb`, or name another",
        &SqlState::INSUFFICIENT_PRIVILEGE => {
            "give this user the right to make schemas and roles in the database, or ask its \
             owner to start the backend once"
        }
        &SqlState::READ_ONLY_SQL_TRANSACTION => {
            "it takes no writes: is it a standby? Name the primary"
        }
        &SqlState::DISK_FULL => "its disk is full: free some room",
        &SqlState::TOO_MANY_CONNECTIONS => {
            "raise its `max_connections`, or give this backend fewer"
        }
        code if passes(code) => return OpenError::Unreachable { server, cause },
        _ => "look at the server's log",
    };
    OpenError::Refused { server, cause, hint }
}

/// The whole of what an error says, without a password: the driver never repeats one.
pub(super) fn told(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        let detail = db.detail().map_or(String::new(), |detail| format!("; {detail}"));
        return format!("{} {}{detail}", db.code().code(), db.message());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// True where the connection is gone; what ran on it may run again on another.
pub(super) fn is_lost(error: &Error) -> bool {
    match error.code() {
        Some(code) => passes(code),
        None => {
            let io = |cause: &(dyn std::error::Error + 'static)| cause.is::<std::io::Error>();
            error.is_closed() || error.source().is_some_and(io)
        }
    }
}

/// The server goes or comes.
fn passes(code: &SqlState) -> bool {
    code.code().starts_with("57P0") || code.code().starts_with("08")
}

/// True where the same transaction may go well the next time: others were in the way.
pub(super) fn is_collision(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED)
    )
}

/// True where a statement prepared earlier no longer fits the tables.
pub(super) fn is_stale(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::FEATURE_NOT_SUPPORTED | &SqlState::INVALID_SQL_STATEMENT_NAME)
    )
}

/// What an error means to the port.
pub(super) fn unavailable(error: &Error) -> Unavailable {
    match error.code() {
        Some(&SqlState::QUERY_CANCELED | &SqlState::LOCK_NOT_AVAILABLE) => Unavailable::Deadline,
        Some(&SqlState::DISK_FULL) => Unavailable::Full,
        Some(&SqlState::READ_ONLY_SQL_TRANSACTION) => Unavailable::ReadOnly,
        Some(&SqlState::TOO_MANY_CONNECTIONS | &SqlState::OUT_OF_MEMORY) => Unavailable::Busy,
        Some(_) | None => Unavailable::Broken(format!("postgresql: {}", told(error))),
    }
}

/// A value in the database, or of the program, that does not have its column's shape.
pub(super) fn misshapen(table: &str) -> Unavailable {
    Unavailable::Broken(format!("a value of `{table}` is not of its column's type"))
}
