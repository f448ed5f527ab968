//! One commit for the sets of one file.

use super::{CAREFUL_GROUPS, Commit, LOCKS_OWN, Work};
use crate::adapters::sqlite::counters::{self, Counter};
use crate::adapters::sqlite::error::unavailable;
use crate::adapters::sqlite::layout::{File, Layout};
use crate::adapters::sqlite::link::{self, Link};
use crate::adapters::sqlite::write;
use crate::ports::store::{CommitError, Unavailable};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::PoisonError;

/// Sets of one file in one transaction.
pub(super) struct Group<'a> {
    pub(super) link: &'a Link,
    pub(super) layout: &'a Layout,
    pub(super) file: &'a File,
}

impl Group<'_> {
    pub(super) fn commit(
        &self,
        commits: &[Commit],
        raised: &BTreeMap<Counter, i64>,
        careful: &Cell<u32>,
    ) -> Result<Vec<Result<(), CommitError>>, Unavailable> {
        let lock = &self.layout.shared;
        let deletes = self.layout.per_tenant() && *self.file == File::Service;
        // Nothing inside is left half done by a panic, so a poisoned lock is as good as another.
        let _exclusive = deletes.then(|| lock.write().unwrap_or_else(PoisonError::into_inner));
        let _meanwhile = (!deletes).then(|| lock.read().unwrap_or_else(PoisonError::into_inner));
        if careful.get() == 0 {
            if let Some(answers) = self.at_once(commits, raised)? {
                return Ok(answers);
            }
            careful.set(CAREFUL_GROUPS);
        }
        careful.set(careful.get() - 1);
        self.begin(raised)?;
        let mut answers = Vec::with_capacity(commits.len());
        for commit in commits {
            if self.is_late(commit) {
                answers.push(Err(CommitError::Unavailable(Unavailable::Deadline)));
                continue;
            }
            self.step("SAVEPOINT one")?;
            let applied = self.apply(commit)?;
            if applied.is_err() {
                self.step("ROLLBACK TO one")?;
            }
            self.step("RELEASE one")?;
            answers.push(applied);
        }
        self.step("COMMIT")?;
        Ok(answers)
    }

    /// All sets without savepoints, which cost two statements each; none, and nothing written,
    /// where one of them is refused.
    fn at_once(
        &self,
        commits: &[Commit],
        raised: &BTreeMap<Counter, i64>,
    ) -> Result<Option<Vec<Result<(), CommitError>>>, Unavailable> {
        self.begin(raised)?;
        let mut answers = Vec::with_capacity(commits.len());
        for commit in commits {
            if self.is_late(commit) {
                answers.push(Err(CommitError::Unavailable(Unavailable::Deadline)));
                continue;
            }
            if self.apply(commit)?.is_err() {
                self.step("ROLLBACK")?;
                return Ok(None);
            }
            answers.push(Ok(()));
        }
        self.step("COMMIT")?;
        Ok(Some(answers))
    }

    fn step(&self, text: &str) -> Result<(), Unavailable> {
        let done = self.link.statement(text).and_then(|mut one| one.raw_execute());
        done.map(|_| ()).map_err(|error| unavailable(&error))
    }

    fn begin(&self, raised: &BTreeMap<Counter, i64>) -> Result<(), Unavailable> {
        match self.layout.sees_service(self.file) {
            // At once it would lock the service's file too, and tenants would wait for each other.
            true => self.step("BEGIN").and_then(|()| self.step(LOCKS_OWN))?,
            false => self.step("BEGIN IMMEDIATE")?,
        }
        counters::write(self.link, &self.layout.plan, raised).map_err(|error| unavailable(&error))
    }

    fn is_late(&self, commit: &Commit) -> bool {
        commit.deadline != 0 && self.layout.clock().now() >= commit.deadline
    }

    fn apply(&self, commit: &Commit) -> Result<Result<(), CommitError>, Unavailable> {
        let applied = match &commit.work {
            Work::Set(set) => write::apply(self.link, self.layout, self.file, set, commit.now),
            Work::Own(run) => {
                run(self.link).map_err(|error| CommitError::Unavailable(unavailable(&error)))
            }
        };
        if !self.link.connection.is_autocommit() {
            return Ok(applied);
        }
        // The whole transaction is gone: a full disk does that.
        Err(match applied {
            Err(CommitError::Unavailable(error)) => error,
            _ => Unavailable::Broken("sqlite gave up a transaction".to_owned()),
        })
    }

    pub(super) fn end(&self) {
        link::ends_snapshot(self.link);
    }
}

/// In the order of their coming, file by file.
pub(super) fn by_file(commits: Vec<Commit>) -> Vec<(File, Vec<Commit>)> {
    let mut groups: Vec<(File, Vec<Commit>)> = Vec::new();
    for commit in commits {
        match groups.iter_mut().find(|(file, _)| *file == commit.file) {
            Some((_, group)) => group.push(commit),
            None => groups.push((commit.file.clone(), vec![commit])),
        }
    }
    groups
}
