//! A set from its turn to its end: tried again where others were in the way or a connection was
//! lost, never where it may have been committed.

use super::cells::Bound;
use super::error::{is_collision, is_lost, is_stale, unavailable};
use super::link::{Parameter, Session};
use super::place::{Held, Place, Places};
use super::pool::Lease;
use super::read::Value;
use super::readers::Readers;
use super::write::{Apply, Fault};
use super::{audit, shared, system};
use crate::adapters::sql::events::{POSTGRESQL, operations};
use crate::ports::clock::{Randomness, SystemRandomness};
use crate::ports::store::{Bindings, CommitError, Unavailable, Write, WriteSet};
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

/// Microseconds of the first pause before a set is tried again.
const PAUSE_MICROS: u64 = 2_000;
/// Microseconds of the longest.
const PAUSE_MICROS_MAX: u64 = 200_000;

/// Commits in a task of its own: whoever asked may go away, the set is done or not.
pub(super) async fn commit(
    places: &Arc<Places>,
    set: WriteSet,
    bindings: Bindings,
) -> Result<(), CommitError> {
    let (work, runtime) = (Arc::clone(places), places.home.server.runtime_here());
    let done = runtime.spawn(async move {
        let done = run(&work, &set, &bindings).await;
        if done.is_ok() && !set.outbox.is_empty() {
            work.listening.tell();
        }
        // Also where it is not known whether it was done.
        work.replicas.note(&set.tenant, bindings.me.as_deref());
        done
    });
    let done = done.await;
    done.unwrap_or_else(|_| {
        Err(CommitError::Unavailable(Unavailable::Broken("the store is closed".to_owned())))
    })
}

async fn run(places: &Places, set: &WriteSet, bindings: &Bindings) -> Result<(), CommitError> {
    let place = places.writing(set).await?;
    let mut may_be_done = false;
    for attempt in 1.. {
        let left = places.time_left(bindings.deadline).map_err(CommitError::Unavailable)?;
        let session = places.session(&set.tenant, bindings.deadline);
        let session = session.map_err(CommitError::Unavailable)?;
        let session = Session { relaxed: counts_alone(set), ..session };
        let lease = place.base.writers.lease_for(&session, left).await;
        let lease = lease.map_err(CommitError::Unavailable)?;
        let held = shared::hold(places, &place, set, left).await?;
        let done = once(places, &place, &lease, set, (session, bindings.now)).await;
        if let Some(held) = held {
            held.let_go().await;
        }
        let fault = match done {
            Ok(()) => {
                lease.ended();
                return Ok(());
            }
            Err(fault) => fault,
        };
        if may_be_done && is_done(places, &place, set).await {
            return Ok(());
        }
        let error = match fault {
            Fault::Refused(refused) => {
                lease.ended();
                return Err(refused);
            }
            Fault::Undone(error) => error,
            Fault::Unknown(error) => {
                let reason = lease.reason(&error);
                may_be_done |= !is_certain(reason.as_ref(), place.base.waits_for_standbys);
                error
            }
        };
        if may_be_done && is_done(places, &place, set).await {
            return Ok(());
        }
        if may_be_done && !names_itself(set) {
            return Err(unknown(&error));
        }
        if is_stale(&error) {
            lease.forget();
        }
        let again = is_collision(&error) || is_lost(&error) || is_stale(&error);
        if error.code().is_some() && !is_lost(&error) {
            lease.ended();
        } else {
            drop(lease);
        }
        if !again || attempt >= places.limits.attempts_max {
            let told = CommitError::Unavailable(unavailable(&error));
            return Err(if may_be_done { unknown(&error) } else { told });
        }
        tokio::time::sleep(pause(attempt)).await;
    }
    Err(CommitError::Unavailable(Unavailable::Busy))
}

/// A while that doubles, any part of it.
fn pause(attempt: u32) -> Duration {
    let longest = (PAUSE_MICROS << attempt.min(10)).min(PAUSE_MICROS_MAX);
    let mut bytes = [0; 8];
    SystemRandomness.fill(&mut bytes);
    Duration::from_micros(u64::from_le_bytes(bytes) % longest)
}

/// True where the server says that nothing was committed: it tells its end before it commits,
/// unless it was waiting for others to have the commit too.
fn is_certain(reason: Option<&SqlState>, waits_for_standbys: bool) -> bool {
    match reason {
        None | Some(&SqlState::CRASH_SHUTDOWN) => false,
        Some(&SqlState::ADMIN_SHUTDOWN) => !waits_for_standbys,
        Some(_) => true,
    }
}

/// Counters alone are not worth a wait for the disk: a crash may lose what came last.
fn counts_alone(set: &WriteSet) -> bool {
    let counts = |write: &Write| matches!(write, Write::Count { .. });
    let bare = set.answer.is_none()
        && set.outbox.is_empty()
        && set.audit.is_empty()
        && set.consumed.is_none()
        && set.projected.is_none()
        && set.operated.is_none();
    bare && set.writes.iter().all(counts)
}

async fn once(
    places: &Places,
    place: &Place<'_>,
    lease: &Lease,
    set: &WriteSet,
    (session, now): (Session, i64),
) -> Result<(), Fault> {
    let unavailable = |why| Fault::Refused(CommitError::Unavailable(why));
    let deletes = |write: &Write| matches!(write, Write::Delete { .. });
    let elsewhere = match &place.base {
        Held::Home(_) if set.writes.iter().any(deletes) => places.all_tenants().await,
        Held::Home(_) | Held::Tenant(_) => Ok(Vec::new()),
    };
    let apply = Apply {
        link: lease,
        plan: &places.plan,
        chains: &places.chains,
        tenant: set.tenant.as_deref(),
        schema: place.schema.as_deref(),
        session,
        elsewhere: elsewhere.map_err(unavailable)?,
        by_database: places.by_database(),
        looks_for_overlaps: places.looks_for_overlaps(),
        apart: places.are_apart(),
        now,
        audited: !set.audit.is_empty(),
    };
    apply.run(set).await
}

/// True for a set that can't be done twice: its answer, its event in the inbox, its new rows or its
/// entries in the audit trail would be there already, or its checkpoint elsewhere.
fn names_itself(set: &WriteSet) -> bool {
    let inserts = |write: &Write| matches!(write, Write::Insert { .. });
    let follows = set.consumed.is_some() || set.projected.is_some() || set.operated.is_some();
    follows || set.answer.is_some() || !set.audit.is_empty() || set.writes.iter().any(inserts)
}

/// True where a set whose connection broke was committed after all: the answer that it keeps is
/// kept, its event is in the inbox, its checkpoint is where it put it, what the audit trail says of
/// it, or the row that it makes is there.
async fn is_done(places: &Places, place: &Place<'_>, set: &WriteSet) -> bool {
    let Ok(session) = places.session(&set.tenant, 0) else { return false };
    let readers = &place.base.readers;
    if let Some(there) = has_followed(readers, &session, set).await {
        return there;
    }
    if let Some(answer) = &set.answer {
        let kept = system::answer(readers, &session, &answer.scope, 0).await;
        return kept.is_ok_and(|kept| kept.as_ref() == Some(answer));
    }
    if let Some(entry) = set.audit.first() {
        let there = audit::has(readers, &session, entry, set.tenant.as_deref()).await;
        return there.unwrap_or(false);
    }
    let new = set.writes.iter().find_map(|write| match write {
        Write::Insert { resource, record } => Some((*resource, record.id)),
        Write::Update { .. } | Write::Delete { .. } | Write::Count { .. } | Write::Clear { .. } => {
            None
        }
    });
    let Some((resource, id)) = new else { return false };
    let read = places.texts.read(&places.plan, resource, &[]);
    let ids = [id];
    let (text, values) = read.by_ids(set.tenant.as_deref(), &ids);
    let values: Vec<_> = values.iter().map(Value::parameter).collect();
    let found = readers.read(&session, &place.text(&text), &values).await;
    found.is_ok_and(|rows| !rows.is_empty())
}

/// True where the events that a set follows from are known to be done; none where it follows from
/// none.
async fn has_followed(readers: &Readers, session: &Session, set: &WriteSet) -> Option<bool> {
    let (asked, position) = match (&set.consumed, &set.projected) {
        _ if set.operated.is_some() => {
            let operated = set.operated.as_ref()?;
            (operations::POSTGRESQL.is_operated(operated), None)
        }
        (Some(consumed), _) => (POSTGRESQL.is_consumed(&consumed.consumer, consumed.event), None),
        (None, Some(projected)) => {
            let (consumer, source) = (&projected.consumer, &projected.source);
            (POSTGRESQL.reached(&set.tenant, consumer, source), Some(projected.position))
        }
        (None, None) => return None,
    };
    let values: Vec<_> = asked.cells.into_iter().map(Bound).collect();
    let values: Vec<_> = values.iter().map(|one| one as Parameter<'_>).collect();
    let rows = readers.read(session, &asked.text, &values).await.unwrap_or_default();
    Some(rows.first().is_some_and(|row| match position {
        Some(position) => row.get::<_, i64>(0) == position,
        None => true,
    }))
}

/// A set that may have been committed and does not tell is never done twice.
fn unknown(error: &Error) -> CommitError {
    CommitError::Unavailable(match unavailable(error) {
        Unavailable::Broken(why) => {
            Unavailable::Broken(format!("{why}; whether the changes were committed is not known"))
        }
        other => other,
    })
}
