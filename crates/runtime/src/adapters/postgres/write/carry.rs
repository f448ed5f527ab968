//! How the steps of a set reach the server: as few round trips as it can be.

use super::steps::{Failed, Step, Value, Work};
use super::{Apply, Fault};
use crate::adapters::postgres::audit;
use crate::adapters::postgres::link::Sent;
use crate::ports::audit::{Along, Entry};
use crate::ports::store::WriteSet;
use tokio_postgres::{Error, Statement};

/// Entries that travel together.
const ALONG_SENT_MAX: usize = 64;

impl<'a> Apply<'a> {
    pub(super) async fn carry_out(
        &self,
        set: &WriteSet,
        work: &[Work<'a>],
    ) -> Result<(), Failed<'a>> {
        if let [Work::Step(step)] = work {
            return self.alone(&step.text, &[step]).await;
        }
        let steps: Option<Vec<&Step<'a>>> = work.iter().map(Work::unconditional).collect();
        if let Some(steps) = steps {
            return self.at_once(&steps).await;
        }
        match self.transaction(set, work).await {
            Ok(()) => self.link.plain("COMMIT").await.map_err(|error| Failed {
                fault: Fault::Unknown(error),
                row: None,
                several: false,
            }),
            Err(failed) => {
                self.link.plain("ROLLBACK").await?;
                Err(failed)
            }
        }
    }

    /// A statement is a transaction by itself. The first of its steps decides by the rows that were
    /// changed.
    pub(super) async fn alone(&self, text: &str, steps: &[&Step<'a>]) -> Result<(), Failed<'a>> {
        let entered = self.link.enter(&self.session).await;
        let statement = self.link.statement(text).await?;
        let values: Vec<&Value<'_>> = steps.iter().flat_map(|step| &step.values).collect();
        let sent = self.link.send(statement, values).await;
        answered(entered).await?;
        match sent.answer().await {
            Ok(rows) => steps[0].check(rows),
            // What the server refused was undone; what broke off may have been done.
            Err(error) if error.code().is_none() => {
                Err(Failed { row: None, fault: Fault::Unknown(error), several: false })
            }
            Err(error) => Err(steps[0].failed(Fault::Unknown(error))),
        }
    }

    /// Statements that either do what they should or fail: their transaction is one round trip,
    /// for the server makes of a `COMMIT` behind a failure a `ROLLBACK`.
    async fn at_once(&self, steps: &[&Step<'a>]) -> Result<(), Failed<'a>> {
        let entered = self.link.enter(&self.session).await;
        let mut statements = Vec::with_capacity(steps.len());
        for step in steps {
            statements.push(self.link.statement(&step.text).await?);
        }
        let begun = self.link.send_plain("BEGIN").await;
        let mut sent = Vec::with_capacity(steps.len());
        for (step, statement) in steps.iter().zip(&statements) {
            sent.push(self.send(statement, step).await);
        }
        let ended = self.link.send_plain("COMMIT").await;
        // From here on it may be committed, unless the server says of a statement that it failed.
        let broken = |error: Error| match error.code() {
            Some(_) => Fault::Undone(error),
            None => Fault::Unknown(error),
        };
        let lost = |error| Failed { row: None, fault: Fault::Unknown(error), several: false };
        answered(entered).await.map_err(lost)?;
        begun.answer().await.map_err(lost)?;
        for (step, sent) in steps.iter().zip(sent) {
            sent.answer().await.map_err(|error| step.failed(broken(error)))?;
        }
        ended.answer().await.map_err(lost)
    }

    async fn transaction(&self, set: &WriteSet, work: &[Work<'a>]) -> Result<(), Failed<'a>> {
        let mut along = Vec::new();
        let entered = self.link.enter(&self.session).await;
        for one in work {
            if let Work::Step(step) = one {
                self.link.statement(&step.text).await?;
            }
        }
        let begun = self.link.send_plain("BEGIN").await;
        let mut lead = Some((entered, begun));
        for part in work.chunk_by(|a, b| a.is_step() && b.is_step()) {
            let mut sent = Vec::with_capacity(part.len());
            for one in part {
                if let Work::Step(step) = one {
                    let statement = self.link.statement(&step.text).await?;
                    sent.push((step, self.send(&statement, step).await));
                }
            }
            if let Some((entered, begun)) = lead.take() {
                answered(entered).await?;
                begun.answer().await?;
            }
            for (step, sent) in sent {
                let answer = sent.answer().await;
                let rows = answer.map_err(|error| step.failed(Fault::Undone(error)))?;
                step.check(rows)?;
            }
            if let [Work::Delete { row, id, by }] = part {
                let failed = |fault| Failed { row: Some(*row), fault, several: false };
                let others = self.delete(*row, *id, by).await.map_err(failed)?;
                along.extend(others.into_iter().map(|one| (row.write, one)));
            }
        }
        self.append_along(set, &along).await
    }

    /// Entries of rows that went or changed with others, some at a time.
    async fn append_along(
        &self,
        set: &WriteSet,
        along: &[(usize, Along)],
    ) -> Result<(), Failed<'a>> {
        for entry in &set.audit {
            let of: Vec<&Along> = along
                .iter()
                .filter_map(|(write, along)| (entry.write == Some(*write)).then_some(along))
                .collect();
            for (chunk, some) in of.chunks(ALONG_SENT_MAX).enumerate() {
                let number = |at: usize| chunk * ALONG_SENT_MAX + at;
                let all = some.iter().enumerate();
                let all: Vec<Entry> = all.map(|(at, one)| entry.along(number(at), one)).collect();
                let steps: Vec<Step<'_>> = all.iter().map(|entry| self.append(entry)).collect();
                let statement = self.link.statement(audit::APPEND).await?;
                let mut sent = Vec::with_capacity(steps.len());
                for step in &steps {
                    sent.push(self.send(&statement, step).await);
                }
                for sent in sent {
                    sent.answer().await?;
                }
            }
        }
        Ok(())
    }

    async fn send<'s>(&'s self, statement: &Statement, step: &'s Step<'_>) -> Sent<'s, u64> {
        let values: Vec<&Value<'_>> = step.values.iter().collect();
        self.link.send(statement.clone(), values).await
    }
}

async fn answered(sent: Option<Sent<'_, u64>>) -> Result<(), Error> {
    match sent {
        Some(sent) => sent.answer().await.map(|_| ()),
        None => Ok(()),
    }
}
