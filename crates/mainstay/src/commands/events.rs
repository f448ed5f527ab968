//! `mainstay events`: what happened, listed and followed beside a backend that may run.

use super::dead_letters::unavailable;
use super::place::{self, Use};
use super::up::stores::Stores;
use crate::arguments::events::Events;
use crate::failure::{Failure, Outcome};
use crate::pipeline::{self, Designed};
use runtime::cloudevents;
use runtime::consume::tail::{Tail, instant};
use runtime::plan::Plan;
use runtime::ports::events::Logged;
use runtime::upcast;
use std::time::Duration;

/// Between two looks for what is new.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Takes a CloudEvent as JSON on one line; false where nobody reads any more.
pub(crate) type Take<'a> = &'a dyn Fn(&str) -> bool;

/// Hands out the events that are asked for.
pub(crate) fn events(arguments: &Events, take: Take<'_>) -> Outcome<()> {
    let place = &arguments.place;
    let designed = pipeline::design_to_run(&place.model.path, place.model.env.as_deref())?;
    let wanted = wanted(&designed, arguments)?;
    let opened = place::served(&designed, place, Use::Read)?;
    let stores = Stores::alone(&designed.architecture, &opened.home)?;
    let plan = runtime::plan::plan(&designed.architecture);
    let handed = super::wait(hand_out(&plan, &stores, &wanted, arguments, take));
    stores.close();
    handed?
}

async fn hand_out(
    plan: &Plan,
    stores: &Stores,
    wanted: &Wanted<'_>,
    arguments: &Events,
    take: Take<'_>,
) -> Outcome<()> {
    let (mut tail, mut left) = (Tail::default(), arguments.limit.unwrap_or(u64::MAX));
    let ports = stores.ports();
    loop {
        let some = tail.next(plan, &ports).await;
        match some.map_err(|why| unavailable("can't read the events", why))? {
            Some(some) => {
                for event in some.iter().filter(|event| wanted.has(event)) {
                    left -= 1;
                    if !take(&cloudevents::text(plan, event)) || left == 0 {
                        return Ok(());
                    }
                }
            }
            None if arguments.follow => tokio::time::sleep(LOOK_EVERY).await,
            None => return Ok(()),
        }
    }
}

/// Which events.
struct Wanted<'a> {
    tenant: Option<&'a str>,
    /// Any of them; empty: all.
    types: Vec<&'a str>,
    since: i64,
}

impl Wanted<'_> {
    fn has(&self, event: &Logged) -> bool {
        event.time >= self.since
            && self.tenant.is_none_or(|tenant| event.tenant.as_deref() == Some(tenant))
            && (self.types.is_empty() || self.types.contains(&&*event.event))
    }
}

fn wanted<'a>(designed: &Designed, arguments: &'a Events) -> Outcome<Wanted<'a>> {
    let domain = &designed.architecture.domain;
    if let Some(name) = &arguments.tenant {
        place::tenant(designed, name)?;
    }
    let mut types: Vec<&str> = Vec::new();
    for text in &arguments.types {
        types.push(upcast::meant(domain, text).map_err(|now| {
            Failure::new(format!("`{text}` is told no more"))
                .hint(format!("what the log holds of it is read as `{now}`"))
        })?);
    }
    if let Some(other) = types.iter().find(|name| domain.event_named(name).is_none()) {
        let names: Vec<String> =
            domain.events.iter().map(|event| format!("`{}`", event.name)).collect();
        return Err(Failure::new(format!("there is no event `{other}`"))
            .hint(format!("the model has {}", names.join(", "))));
    }
    let since = match &arguments.since {
        None => i64::MIN,
        Some(text) => since(text, super::now()).ok_or_else(|| {
            Failure::new(format!("`{text}` is no time"))
                .hint("say `2026-01-31T12:00:00Z`, or how long ago: `90s`, `15m`, `2h`, `7d`")
        })?,
    };
    Ok(Wanted { tenant: arguments.tenant.as_deref(), types, since })
}

/// An instant, or so long before now; in microseconds since 1970.
fn since(text: &str, now: i64) -> Option<i64> {
    if let Some(at) = instant(text) {
        return Some(at);
    }
    let unit = text.chars().last()?;
    let number: i64 = text[..text.len() - unit.len_utf8()].parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let micros = number.checked_mul(seconds)?.checked_mul(SECOND)?;
    (number >= 0).then(|| now.saturating_sub(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_an_instant_or_so_long_ago() {
        let now = 10 * 86_400 * SECOND;
        assert_eq!(since("1970-01-02T00:00:00Z", now), Some(86_400 * SECOND));
        assert_eq!(since("15m", now), Some(now - 900 * SECOND));
        assert_eq!(since("7d", now), Some(3 * 86_400 * SECOND));
        for wrong in ["", "7", "d", "-1d", "1 week", "99999999999999999d", "7µ"] {
            assert_eq!(since(wrong, now), None, "{wrong}");
        }
    }
}
