//! Every interleaving of two processes that stand by for one schedule, with time that goes by and a
//! crash.

use super::*;
use crate::explore::{World, explore};

/// What is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Mutation {
    None,
    /// A run is dealt with as soon as it begins.
    KeptAtBegin,
    /// Nobody asks whether another has the claim.
    NoClaim,
}

/// A process that has the claim.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Runner {
    runs: Recurrence,
    running: Option<i64>,
    /// What is dealt with is not kept yet.
    dirty: bool,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Clockwork {
    mutation: Mutation,
    policy: (Overlap, CatchUp),
    crashes: u8,
    /// Seconds.
    now: i64,
    /// Who has the claim, and until when nobody else may.
    claim: Option<(usize, i64)>,
    position: i64,
    runners: [Option<Runner>; 2],
    /// How often the run of a second has ended.
    ended: [u8; SECONDS_MAX],
    /// Seconds that came while runs went on.
    busy: [bool; SECONDS_MAX],
}

const SECONDS: i64 = 5;
const LEASE: i64 = 2;
const SECONDS_MAX: usize = SECONDS as usize + 1;

fn every_second() -> Due {
    Due::Every { period_micros: SECOND_MICROS }
}

fn micros(seconds: i64) -> i64 {
    seconds * SECOND_MICROS
}

impl Clockwork {
    fn time_passes(&self) -> Option<(String, Self)> {
        let mut next = self.clone();
        // Whoever has a claim renews it in time.
        if let Some((who, until)) = &mut next.claim
            && self.runners[*who].is_some()
        {
            *until = self.now + LEASE;
        }
        next.now += 1;
        // Runs that are made up for one after the other are together what others may overlap.
        let busy = self.runners.iter().flatten().any(|runner| !runner.runs.runs.is_empty());
        *next.busy.get_mut(usize::try_from(next.now).ok()?)? = busy;
        Some((format!("it is {}", next.now), next))
    }

    /// At the end of the seconds that are counted.
    fn claim_passes(&self) -> Option<(String, Self)> {
        let (who, _) = self.claim.filter(|_| self.now == SECONDS)?;
        let left = Self { claim: None, ..self.clone() };
        self.runners[who].is_none().then(|| (format!("the claim of {who} is over"), left))
    }

    fn claims(&self, who: usize) -> Option<(String, Self)> {
        let free = self.claim.is_none_or(|(_, until)| until <= self.now);
        let mut next = self.clone();
        if !free && self.mutation != Mutation::NoClaim {
            return None;
        }
        next.claim = Some((who, self.now + LEASE));
        let runs = Recurrence::claimed(self.position, self.policy);
        next.runners[who] = Some(Runner { runs, running: None, dirty: false });
        Some((format!("{who} claims it at {}", self.position / SECOND_MICROS), next))
    }

    fn acts(&self, who: usize, runner: &Runner) -> Option<(String, Self)> {
        let (mut next, due) = (self.clone(), every_second());
        let at = next.runners[who].as_mut()?;
        if let Some(running) = runner.running {
            at.running = None;
            at.runs.ended(&due, micros(self.now));
            at.dirty = true;
            next.ended[usize::try_from(running / SECOND_MICROS).ok()?] += 1;
            return Some((format!("{who} ends the run of {}", running / SECOND_MICROS), next));
        }
        if runner.dirty {
            at.dirty = false;
            next.position = runner.runs.position();
            return Some((format!("{who} keeps {}", next.position / SECOND_MICROS), next));
        }
        match at.runs.next(&due, micros(self.now)) {
            Next::Wait { .. } if at.runs.position() == self.position => None,
            Next::Wait { .. } => {
                at.dirty = true;
                Some((format!("{who} looks"), next))
            }
            Next::Run { due } => {
                at.running = Some(due);
                if self.mutation == Mutation::KeptAtBegin {
                    next.position = micros(self.now);
                }
                Some((format!("{who} begins the run of {}", due / SECOND_MICROS), next))
            }
        }
    }
}

impl World for Clockwork {
    fn next(&self) -> Vec<(String, Self)> {
        let mut all: Vec<_> = self.time_passes().into_iter().chain(self.claim_passes()).collect();
        for (who, runner) in self.runners.iter().enumerate() {
            let Some(runner) = runner else {
                all.extend(self.claims(who));
                continue;
            };
            all.extend(self.acts(who, runner));
            if self.crashes > 0 {
                let mut next = self.clone();
                next.crashes -= 1;
                next.runners[who] = None;
                all.push((format!("{who} crashes"), next));
            }
        }
        all
    }

    fn wrong(&self) -> Option<String> {
        let running = self.runners.iter().flatten().filter(|runner| runner.running.is_some());
        if running.count() > 1 {
            return Some("both run".to_owned());
        }
        let twice = self.ended.iter().position(|times| *times > 2 - self.crashes.min(1));
        if let Some(second) = twice {
            return Some(format!("the run of {second} was made too often"));
        }
        let lost = (1..=self.position / SECOND_MICROS).find(|second| {
            let at = usize::try_from(*second).unwrap_or_default();
            self.ended[at] == 0 && !self.busy[at]
        });
        lost.map(|second| format!("the run of {second} is lost"))
    }

    fn is_end(&self) -> bool {
        self.position >= micros(SECONDS)
    }
}

fn clockwork(mutation: Mutation, overlap: Overlap) -> Clockwork {
    Clockwork {
        mutation,
        policy: (overlap, CatchUp::All { runs_max: 9 }),
        crashes: 1,
        now: 0,
        claim: None,
        position: 0,
        runners: [None, None],
        ended: [0; SECONDS_MAX],
        busy: [false; SECONDS_MAX],
    }
}

#[test]
fn every_due_time_has_its_run_unless_it_came_while_one_went_on() {
    for overlap in [Overlap::Skip, Overlap::Wait] {
        let found = explore(clockwork(Mutation::None, overlap), 400_000);
        assert!(found.as_ref().is_ok_and(|found| found.ends > 100), "{overlap:?}: {found:?}");
    }
}

#[test]
fn a_run_that_is_dealt_with_as_it_begins_is_lost_by_a_crash() {
    let story = explore(clockwork(Mutation::KeptAtBegin, Overlap::Skip), 400_000).unwrap_err();
    assert!(story.ends_with("is lost\n"), "{story}");
}

#[test]
fn without_a_claim_both_run() {
    let story = explore(clockwork(Mutation::NoClaim, Overlap::Skip), 400_000).unwrap_err();
    assert!(story.ends_with("both run\n"), "{story}");
}
