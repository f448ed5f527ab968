//! The endpoints of webhooks, each a consumer of its own: those that come are worked for, those
//! that go or are disabled no more.

use super::hook::Hook;
use super::jobs::{Feed, Job, Kind};
use super::part::Work;
use super::turn::Turn;
use crate::engine::outage;
use crate::ports::store::Unavailable;
use crate::ports::webhooks::Endpoint;
use crate::webhooks::registry::{self, Ear};
use crate::webhooks::send::Client;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Between two looks for what other processes changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The work for one endpoint.
struct Worked {
    /// The endpoint as it is now.
    endpoint: watch::Sender<Arc<Endpoint>>,
    /// Ends it.
    stop: watch::Sender<bool>,
    ears: Vec<Ear>,
    tasks: Vec<AbortHandle>,
}

/// All that is worked for, and what is still coming to an end.
#[derive(Default)]
struct All {
    worked: BTreeMap<u128, Worked>,
    /// By endpoint: nobody else works for it before they have ended.
    ending: BTreeMap<u128, Vec<AbortHandle>>,
    tasks: JoinSet<()>,
}

/// Works for all endpoints until another plan is served.
pub(super) async fn run(turn: Turn) {
    let hooks = Arc::clone(&turn.backend().hooks);
    let mut changes = hooks.changes();
    let client = match Client::new(&hooks.guard) {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(error, "webhooks can't be delivered: there is no TLS");
            return;
        }
    };
    let mut all = All::default();
    loop {
        changes.mark_unchanged();
        if let Some(live) = turn.live().await {
            match wanted(&live.engine).await {
                Ok(wanted) => all.follow(&turn, &client, wanted),
                // Those that are known go on.
                Err(why) => outage::log(&why),
            }
        }
        while all.tasks.try_join_next().is_some() {}
        let ended = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            changed = changes.changed() => changed.is_err(),
            () = turn.ended() => true,
        };
        if ended {
            break;
        }
    }
    for worked in all.worked.values() {
        worked.stop.send_replace(true);
    }
    while all.tasks.join_next().await.is_some() {}
}

/// The endpoints that are to be worked for, with what they hear.
async fn wanted(engine: &crate::engine::Engine) -> Result<Vec<(Endpoint, Vec<Ear>)>, Unavailable> {
    let mut wanted = Vec::new();
    let places = registry::places(engine).await?;
    for endpoint in registry::all(engine).await?.into_iter().filter(|one| !one.disabled) {
        let ears = registry::ears_among(&engine.plan, &places, &endpoint);
        wanted.push((endpoint, ears));
    }
    Ok(wanted)
}

impl All {
    /// Works for those that are wanted, and for no others.
    fn follow(&mut self, turn: &Turn, client: &Client, wanted: Vec<(Endpoint, Vec<Ear>)>) {
        let Self { worked, ending, .. } = self;
        worked.retain(|id, worked| {
            let stays = wanted.iter().any(|(one, ears)| one.id == *id && *ears == worked.ears);
            if !stays {
                worked.stop.send_replace(true);
                ending.entry(*id).or_default().append(&mut worked.tasks);
            }
            stays
        });
        ending.retain(|_, tasks| {
            tasks.retain(|task| !task.is_finished());
            !tasks.is_empty()
        });
        for (endpoint, ears) in wanted {
            match self.worked.get(&endpoint.id) {
                Some(worked) if **worked.endpoint.borrow() != endpoint => {
                    worked.endpoint.send_replace(Arc::new(endpoint));
                }
                Some(_) => {}
                // Two that work for one endpoint have one name, which fences neither.
                None if self.ending.contains_key(&endpoint.id) => {}
                None => self.begin(turn, client, endpoint, ears),
            }
        }
    }

    fn begin(&mut self, turn: &Turn, client: &Client, endpoint: Endpoint, ears: Vec<Ear>) {
        let id = endpoint.id;
        let (stop, stopped) = watch::channel(false);
        let (sender, receiver) = watch::channel(Arc::new(endpoint));
        let mut tasks = Vec::with_capacity(ears.len());
        for Ear { source, place, part } in ears.clone() {
            let turn = turn.stopped_by(stopped.clone());
            let hook = Arc::new(Hook { endpoint: receiver.clone(), client: client.clone() });
            // What it has done and holds is kept beside the log that it reads.
            let (kind, feed) = (Kind::Webhook, Feed::Log);
            let job = Job { part, kind, consumer: 0, source, place, state: source, feed };
            tasks.push(self.tasks.spawn(Work::new(turn, job, hook).run()));
        }
        self.worked.insert(id, Worked { endpoint: sender, stop, ears, tasks });
    }
}
