//! What goes wrong with a server, in words that say what to do; never with a password.

use crate::adapters::sql::demand::Unmet;
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
    /// The tables are those of another model.
    Model {
        /// The server, without password.
        server: String,
    },
    /// Tables of somebody else are in the way.
    Schema {
        /// The server, without password.
        server: String,
        /// What differs, one line each.
        differences: Vec<String>,
    },
    /// Tables that somebody else makes are not as they must be.
    Unmet(Unmet),
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
            Self::Model { server } => write!(
                f,
                "{server} was written for another model: `mainstay migrate plan` says what \
                 differs, `mainstay migrate apply` goes the way"
            ),
            Self::Schema { server, differences } => {
                write!(f, "{server} holds something else already")?;
                for difference in differences {
                    write!(f, "\n  {difference}")?;
                }
                write!(f, "\ngive a database of its own with `--database`")
            }
            Self::Unmet(unmet) => unmet.fmt(f),
            Self::Plan(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "threads of the store could not start ({error})"),
        }
    }
}

impl std::error::Error for OpenError {}

/// The error of a server as a reason not to open.
pub(super) fn refused(server: &str, error: &Error) -> OpenError {
    let (server, cause) = (server.to_owned(), told(error));
    if let Some(hint) = proof(error) {
        return OpenError::Refused { server, cause, hint };
    }
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
        // Whatever language the server speaks, it names the file.
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION if cause.contains("pg_hba.conf") => {
            "its `pg_hba.conf` lets this user in only in other ways: where it demands TLS, give \
             `sslmode=require` or `sslmode=verify-full`; else it needs a line for this user, \
             database and host"
        }
        &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            "give a user and password that may log in"
        }
        &SqlState::INVALID_CATALOG_NAME => "make it with `createdb`, or name another",
        &SqlState::INSUFFICIENT_PRIVILEGE => {
            "this user lacks the right: give it with `GRANT CREATE ON DATABASE name TO user` \
             (schemas) or `GRANT ... ON TABLE name TO user` (rows), or ask the owner to start the \
             backend once"
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

/// What to do where the server did not prove who it is, or does not speak TLS.
fn proof(error: &Error) -> Option<&'static str> {
    use rustls::{CertificateError as Fault, Error as Tls};
    const NAME: &str = "its certificate is for other names: give the host by one of them, or give \
                        it a certificate for this one";
    let found = broken_tls(error)?;
    Some(match found {
        Tls::InvalidCertificate(Fault::UnknownIssuer | Fault::BadSignature) => {
            "its certificate was not signed by `sslrootcert`: give the file with the root that \
             signed it"
        }
        Tls::InvalidCertificate(Fault::NotValidForName | Fault::NotValidForNameContext { .. }) => {
            NAME
        }
        Tls::InvalidCertificate(Fault::Expired | Fault::ExpiredContext { .. }) => {
            "its certificate has expired: give the server a new one"
        }
        Tls::InvalidCertificate(_) => {
            "its certificate proves nothing: look at it and `sslrootcert`"
        }
        _ => "TLS can't be agreed on: look at the server's `ssl_*` settings",
    })
}

/// The fault of TLS within an error: the driver and the socket each wrap it.
fn broken_tls(error: &Error) -> Option<&rustls::Error> {
    let mut source = error.source();
    while let Some(cause) = source {
        let within = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let within = within.and_then(|inner| inner.downcast_ref());
        if let Some(fault) = cause.downcast_ref().or(within) {
            return Some(fault);
        }
        source = cause.source();
    }
    None
}

/// The whole of what an error says, without a password: the driver never repeats one.
pub(super) fn told(error: &Error) -> String {
    if let Some(db) = error.as_db_error() {
        let code = db.code().code();
        // What refuses a value repeats it, and values may be personal: of a data exception
        // (class 22) even the message, of a broken rule (23, 44) the detail.
        let detail = db.detail().filter(|_| !matches!(&code[..2], "22" | "23" | "44"));
        let detail = detail.map_or(String::new(), |detail| format!("; {detail}"));
        let message = if code.starts_with("22") { "a value does not fit" } else { db.message() };
        return format!("{code} {message}{detail}");
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
            let cut = error.is_closed() || error.source().is_some_and(io);
            cut && broken_tls(error).is_none()
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

/// True where the server would not have a row as it is: it breaks a constraint, a column can't hold
/// it, or it is another tenant's.
pub(super) fn is_refusal(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        let class = code.code().get(..2);
        matches!(class, Some("22" | "23")) || *code == SqlState::INSUFFICIENT_PRIVILEGE
    })
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
