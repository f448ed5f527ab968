//! A step is carried out, from where it was broken off.

use super::super::error::told;
use super::super::link::Link;
use super::super::schema::{install, is_lacking, serve, without_exclusions};
use super::{Fault, PATIENCE, PAUSES, Result, Spot, journal};
use crate::adapters::sql::journal::{Place, Step, checksum, text};
use crate::ports::migrations::Progress;
use ir::migration::{Run, ScriptStep};
use std::time::Instant;
use tokio_postgres::error::SqlState;

/// Carries out a step, and notes it in the journal.
pub(super) async fn step(
    spot: &Spot<'_>,
    step: &ScriptStep,
    now: i64,
    tell: Progress<'_>,
) -> Result<()> {
    spot.of.holds_lock()?;
    journal::make(spot).await?;
    let text = text(step);
    let sum = checksum(&text);
    let begun = journal::progress(spot, &sum).await?;
    let known = Step { name: &step.name, sum: &sum };
    for (at, run) in step.run.iter().enumerate().skip(begun.run) {
        spot.of.holds_lock()?;
        let from = if at == begun.run { begun.from } else { 0 };
        carry_out(spot, run, known, Place { run: at, from }, tell).await?;
    }
    transaction(&spot.link, async || journal::note(spot, step, &text, &sum, now).await).await
}

async fn carry_out(
    spot: &Spot<'_>,
    run: &Run,
    step: Step<'_>,
    at: Place,
    tell: Progress<'_>,
) -> Result<()> {
    let next = Place { run: at.run + 1, from: 0 };
    match run {
        Run::Together(all) => {
            let all = bearable(spot, all).await?;
            together(spot, &all, async || journal::set_progress(spot, step, next).await).await
        }
        Run::Alone(all) => {
            let all = bearable(spot, all).await?;
            alone(spot, &all).await?;
            journal::set_progress(spot, step, next).await
        }
        Run::Chunks { end, statement, step: size, rows } => {
            spot.sees_all().await?;
            let end = number(spot, end).await?;
            let rows = spot.as_login(async || number(spot, rows).await).await?;
            let (mut from, mut done) = (at.from, 0);
            while from < end {
                spot.of.holds_lock()?;
                let to = from.saturating_add(*size);
                let text = spot.text(statement).replace(":from", &from.to_string());
                let text = text.replace(":to", &to.to_string());
                let place = Place { run: at.run, from: to };
                // As who logs in, where that is somebody above row-level security.
                let first = ["SET LOCAL ROLE NONE".to_owned()];
                let change = async || {
                    let changed = spot.link.plain_changed(&text).await?;
                    journal::set_progress(spot, step, place).await?;
                    Ok(changed)
                };
                done += together(spot, &first, change).await?;
                from = to;
                tell(done, rows);
            }
            journal::set_progress(spot, step, next).await
        }
    }
}

async fn number(spot: &Spot<'_>, text: &str) -> Result<u64> {
    let rows = spot.link.query(&spot.text(text), &[]).await?;
    let number: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    Ok(number.unsigned_abs())
}

/// Statements in one transaction with what is noted of them.
async fn together<T>(
    spot: &Spot<'_>,
    all: &[String],
    note: impl AsyncFn() -> Result<T>,
) -> Result<T> {
    let run = async || {
        transaction(&spot.link, async || {
            for text in all {
                spot.link.plain(text).await?;
            }
            note().await
        })
        .await
    };
    patient(&spot.link, run).await
}

/// Statements of which each is a transaction; all again where one did not get what it needs. An
/// index that was not finished is dropped again.
async fn alone(spot: &Spot<'_>, all: &[String]) -> Result<()> {
    spot.sees_all().await?;
    let link = &spot.link;
    let run = async || {
        for text in all {
            // It waits for transactions, and nobody waits for it.
            let waits = text.contains("INDEX CONCURRENTLY");
            let wait = if waits { 0 } else { super::LOCK_WAIT_MS };
            link.plain(&format!("SET lock_timeout = '{wait}ms'")).await?;
            link.plain(text).await?;
        }
        Ok(link.plain(&format!("SET lock_timeout = '{}ms'", super::LOCK_WAIT_MS)).await?)
    };
    let done = spot.as_login(async || patient(link, run).await).await;
    let makes = |first: &&String| first.starts_with("DROP INDEX") && all.len() > 1;
    if let (Err(_), Some(first)) = (&done, all.first().filter(makes)) {
        // The fault of the index is what is told; the next attempt begins with this too.
        let _dropped = link.plain(first).await;
    }
    done
}

/// The statements as the server can carry them out: extensions are made by who logs in, and what
/// one that is not there would do fast is done slowly.
async fn bearable(spot: &Spot<'_>, all: &[String]) -> Result<Vec<String>> {
    let mut all: Vec<String> = all.iter().map(|text| spot.text(text)).collect();
    let extensions = |text: &String| text.starts_with("CREATE EXTENSION");
    for extension in all.extract_if(.., |text| extensions(text)).collect::<Vec<_>>() {
        let client = spot.server.client().await?;
        match install(&client, &extension).await {
            Err(error) if !is_lacking(&error) => return Err(error.into()),
            Ok(()) => {}
            Err(_) if extension.ends_with(" btree_gist") => {
                all.retain(|text| !text.contains(" ADD EXCLUDE USING gist"));
                all.iter_mut().for_each(|text| *text = without_exclusions(text));
            }
            Err(_) => all.retain(|text| !text.contains(" gin_trgm_ops")),
        }
    }
    Ok(all)
}

/// All or nothing.
async fn transaction<T>(link: &Link, run: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    link.plain("BEGIN").await?;
    match run().await {
        Ok(done) => {
            link.plain("COMMIT").await?;
            Ok(done)
        }
        Err(fault) => {
            // A connection that is lost has ended it too.
            let _ended = link.plain("ROLLBACK").await;
            Err(fault)
        }
    }
}

/// Tries again, later and later, where others were in the way.
pub(super) async fn patient<T>(link: &Link, run: impl AsyncFn() -> Result<T>) -> Result<T> {
    let (end, mut pause) = (Instant::now() + PATIENCE, PAUSES.0);
    loop {
        let fault = match run().await {
            Err(Fault::Server(error)) if is_held(&error) => error,
            done => return done,
        };
        if Instant::now() >= end {
            return Err(Fault::Said(format!(
                "others held what the step needs for {} s ({}){}: end them, then run it again, it \
                 goes on where it was",
                PATIENCE.as_secs(),
                told(&fault),
                holders(link).await
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// The transactions that have been open for long.
async fn holders(link: &Link) -> String {
    let text = "SELECT format('; process %s of the server (%s) has had a transaction open for %s \
                s', pid, application_name, extract(epoch FROM now() - xact_start)::bigint) FROM \
                pg_stat_activity WHERE datname = current_database() AND xact_start < now() - \
                interval '10 s' AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 3";
    let rows = link.query(text, &[]).await.unwrap_or_default();
    rows.iter().filter_map(|row| row.try_get::<_, String>(0).ok()).collect()
}

fn is_held(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(
            &SqlState::LOCK_NOT_AVAILABLE
                | &SqlState::T_R_DEADLOCK_DETECTED
                | &SqlState::T_R_SERIALIZATION_FAILURE
        )
    )
}

/// Takes the last step back; its name.
pub(super) async fn undo(spot: &Spot<'_>) -> Result<Option<String>> {
    spot.of.holds_lock()?;
    let Some(last) = journal::last(spot).await? else { return Ok(None) };
    let note = async || {
        journal::remember(spot, &last.before).await?;
        serve(&spot.link, &spot.name, &last.serves).await?;
        journal::forget(spot, last.number).await
    };
    taken_back(spot, &last.name, last.undo.as_deref(), note).await?;
    Ok(Some(last.name))
}

/// Takes back what was carried out of a step that was broken off.
pub(super) async fn abandon(spot: &Spot<'_>, step: &ScriptStep) -> Result<()> {
    spot.of.holds_lock()?;
    if journal::progress(spot, &checksum(&text(step))).await? == Place::default() {
        return Ok(());
    }
    let note = async || journal::none_underway(spot).await;
    taken_back(spot, &step.name, step.undo.as_deref(), note).await
}

async fn taken_back(
    spot: &Spot<'_>,
    name: &str,
    undo: Option<&[String]>,
    note: impl AsyncFn() -> Result<()>,
) -> Result<()> {
    let Some(undo) = undo else {
        return Err(Fault::Said(format!("nothing takes `{name}` back: restore a backup")));
    };
    let undo: Vec<String> = undo.iter().map(|text| spot.text(text)).collect();
    let lonely =
        |text: &String| text.contains("INDEX CONCURRENTLY") || text.contains("VALIDATE CONSTRAINT");
    let end = undo.iter().rposition(lonely).map_or(0, |at| at + 1);
    for one in undo[..end].chunk_by(|a, b| !lonely(a) && !lonely(b)) {
        let one = bearable(spot, one).await?;
        match one.iter().any(lonely) {
            true => alone(spot, &one).await?,
            false => together(spot, &one, async || Ok(())).await?,
        }
    }
    let rest = bearable(spot, &undo[end..]).await?;
    together(spot, &rest, note).await
}
