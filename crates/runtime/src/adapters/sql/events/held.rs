//! Events that consumers keep beside the log.

use super::{
    Asked, Cell, Cells, EVENT, Part, Tables, event_key, logged, nullable, part, part_key, text,
    uuid,
};
use crate::ports::events::{Attempt, Claim, Held, HeldQuery, Remedy, Settled, State};

/// Columns of a held event.
pub(crate) const HELD_COLUMNS: usize = 19;

/// Errors of an event that are kept: some of the first, and the last.
const ERRORS_FIRST: usize = 5;
const ERRORS_LAST: usize = 15;

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Behind => "behind",
            Self::Dead => "dead",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Retry, Self::Behind, Self::Dead].into_iter().find(|state| state.name() == name)
    }
}

impl Tables {
    /// Moves a part on; changes no row where the claim has ended.
    pub(crate) fn settle(self, claim: &Claim, settled: &Settled) -> Asked<'static> {
        let (Self { consumers, .. }, s) = (self, self.sign);
        let text = format!(
            "UPDATE {consumers} SET \"position\" = {s}2, \"until\" = {s}3 WHERE \"id\" = {s}1 AND \
             \"epoch\" = {s}4"
        );
        let cells = [
            part_key(&claim.part),
            Cell::Int(settled.position),
            Cell::Int(settled.until),
            Cell::Int(claim.epoch),
        ];
        Asked::with(text, cells)
    }

    /// Holds an event, or changes what is known of it. What a broker delivers again, behind its own
    /// first delivery, changes nothing.
    pub(crate) fn hold<'q>(self, part: &'q Part, held: &'q Held) -> Asked<'q> {
        let (Self { deliveries, .. }, s) = (self, self.sign);
        let values: Vec<_> = (1..=20).map(|at| format!("{s}{at}")).collect();
        let set = [
            "source", "part", "position", "data", "state", "attempts", "due", "since", "errors",
            "edited", "version",
        ]
        .map(|name| format!("\"{name}\" = excluded.\"{name}\""));
        let text_of = format!(
            "INSERT INTO {deliveries} (\"id\", \"consumer\", \"source\", \"part\", \"position\", \
             \"event_id\", \"tenant\", \"event\", \"resource\", \"row_id\", \"time\", \"data\", \
             \"trace\", \"state\", \"attempts\", \"due\", \"since\", \"errors\", \"edited\", \
             \"version\") VALUES ({}) ON CONFLICT (\"id\") DO UPDATE SET {} WHERE \
             excluded.\"state\" <> 'behind' OR excluded.\"position\" = {deliveries}.\"position\"",
            values.join(", "),
            set.join(", ")
        );
        let event = &held.event;
        let cells = [
            uuid(event_key(&part.consumer, event.id)),
            text(&part.consumer),
            text(&part.source),
            Cell::Int(part.number.into()),
            Cell::Int(event.position),
            uuid(event.id),
            nullable(&event.tenant),
            text(&event.event),
            text(&event.resource),
            uuid(event.row),
            Cell::Int(event.time),
            text(&event.data),
            nullable(&event.trace),
            text(held.state.name()),
            Cell::Int(held.attempts.into()),
            Cell::Int(held.due),
            Cell::Int(held.since),
            Cell::Text(errors(&held.errors).into()),
            Cell::Int(held.edited.into()),
            Cell::Int(event.version.into()),
        ];
        Asked::with(text_of, cells)
    }

    /// Held events.
    pub(crate) fn held<'q>(self, query: &'q HeldQuery) -> Asked<'q> {
        let Self { deliveries, .. } = self;
        let event = EVENT.replacen("\"id\"", "\"event_id\"", 1);
        let mut asked = Asked::new(format!(
            "SELECT \"consumer\", \"source\", \"part\", \"position\", {event}, \"state\", \
             \"attempts\", \"due\", \"since\", \"errors\", \"edited\" FROM {deliveries} d \
             WHERE 1 = 1"
        ));
        if let Some(part) = &query.part {
            asked.term(self, " AND \"consumer\" =", text(&part.consumer));
            asked.term(self, " AND \"source\" =", text(&part.source));
            asked.term(self, " AND \"part\" =", Cell::Int(part.number.into()));
        }
        if let Some(consumer) = &query.consumer {
            asked.term(self, " AND \"consumer\" =", text(consumer));
        }
        match &query.tenant {
            Some(Some(tenant)) => asked.term(self, " AND \"tenant\" =", text(tenant)),
            Some(None) => asked.text.push_str(" AND \"tenant\" IS NULL"),
            None => {}
        }
        if let Some(event) = query.event {
            asked.term(self, " AND \"event_id\" =", uuid(event));
        }
        if let Some((resource, row)) = &query.key {
            asked.term(self, " AND \"resource\" =", text(resource));
            asked.term(self, " AND \"row_id\" =", uuid(*row));
        }
        // States stand in the text: partial indexes are found by what it says.
        if let Some(state) = query.state {
            asked.text.push_str(&format!(" AND \"state\" = '{}'", state.name()));
        }
        if query.alive {
            asked.text.push_str(" AND \"state\" <> 'dead'");
        }
        if let Some(past) = query.past {
            asked.term(self, " AND \"position\" >", Cell::Int(past));
        }
        if let Some(due) = query.due {
            asked.text.push_str(" AND \"state\" <> 'dead'");
            asked.term(self, " AND \"due\" <=", Cell::Int(due));
        }
        if let Some((since, event)) = query.after {
            asked.term(self, " AND (\"since\", \"event_id\") > (", Cell::Int(since));
            asked.term(self, ",", uuid(event));
            asked.text.push(')');
        }
        self.in_order(&mut asked, query);
        asked
    }

    fn in_order(self, asked: &mut Asked<'_>, query: &HeldQuery) {
        let Self { deliveries, .. } = self;
        if query.heads {
            let alive = if query.alive { " AND e.\"state\" <> 'dead'" } else { "" };
            // Rows of two tenants may have one id.
            asked.text.push_str(&format!(
                " AND NOT EXISTS (SELECT 1 FROM {deliveries} e WHERE \
                 e.\"consumer\" = d.\"consumer\" AND e.\"source\" = d.\"source\" AND \
                 e.\"part\" = d.\"part\" AND e.\"resource\" = d.\"resource\" AND \
                 e.\"row_id\" = d.\"row_id\" AND e.\"tenant\" IS NOT DISTINCT FROM d.\"tenant\" \
                 AND (e.\"position\", e.\"event_id\") < (d.\"position\", d.\"event_id\"){alive})"
            ));
        }
        let order = if query.heads { "position" } else { "since" };
        let end = format!(" ORDER BY \"{order}\", \"event_id\" LIMIT");
        asked.term(self, &end, Cell::Int(query.rows_max.into()));
    }

    /// What comes before a remedy, in its transaction: the inbox remembers what is discarded, so
    /// that nobody who has it from the log does it later.
    pub(crate) fn before_remedy(
        self,
        consumer: &str,
        event: u128,
        remedy: &Remedy,
        now: i64,
    ) -> Option<Asked<'static>> {
        let (Self { deliveries, inbox, .. }, s) = (self, self.sign);
        if *remedy != Remedy::Discard {
            return None;
        }
        // The two have one key.
        let text_of = format!(
            "INSERT INTO {inbox} (\"id\", \"consumer\", \"event\", \"tenant\", \"time\") \
             SELECT \"id\", \"consumer\", \"event_id\", \"tenant\", {s}2 FROM {deliveries} \
             WHERE \"id\" = {s}1 AND \"state\" = 'dead' ON CONFLICT (\"id\") DO NOTHING"
        );
        Some(Asked::with(text_of, [uuid(event_key(consumer, event)), Cell::Int(now)]))
    }

    /// Does something about an event that is dead; changes no row where there is none such.
    pub(crate) fn remedy<'q>(
        self,
        consumer: &str,
        event: u128,
        remedy: &'q Remedy,
        now: i64,
    ) -> Asked<'q> {
        let (Self { deliveries, inbox, .. }, s) = (self, self.sign);
        let key = uuid(event_key(consumer, event));
        let dead = format!("WHERE \"id\" = {s}1 AND \"state\" = 'dead'");
        match remedy {
            Remedy::Discard => Asked::with(format!("DELETE FROM {deliveries} {dead}"), [key]),
            Remedy::Done => Asked::with(
                format!(
                    "DELETE FROM {deliveries} WHERE \"id\" = {s}1 AND EXISTS \
                     (SELECT 1 FROM {inbox} i WHERE i.\"id\" = {s}1)"
                ),
                [key],
            ),
            Remedy::Redrive { data } => {
                let edited = match data {
                    Some(_) => {
                        format!(", \"data\" = {s}3, \"edited\" = {s}4, \"version\" = {s}5")
                    }
                    None => String::new(),
                };
                let text_of = format!(
                    "UPDATE {deliveries} SET \"state\" = 'retry', \"attempts\" = 0, \
                     \"due\" = {s}2{edited} {dead}"
                );
                let mut asked = Asked::with(text_of, [key, Cell::Int(now)]);
                if let Some((data, version)) = data {
                    asked.cells.extend([text(data), Cell::Int(1), Cell::Int((*version).into())]);
                }
                asked
            }
        }
    }
}

/// A row of [`Tables::held`].
pub(crate) fn held(cells: &mut Cells<'_>) -> Option<Held> {
    Some(Held {
        part: part(cells)?,
        event: logged(cells)?,
        state: State::named(cells.text()?)?,
        attempts: u32::try_from(cells.int()?).ok()?,
        due: cells.int()?,
        since: cells.int()?,
        errors: serde_json::from_str(cells.text()?).ok()?,
        edited: cells.int()? != 0,
    })
}

/// As they are stored.
fn errors(all: &[Attempt]) -> String {
    let left_out = all.len().saturating_sub(ERRORS_FIRST + ERRORS_LAST);
    let kept: Vec<&Attempt> = match left_out {
        0 => all.iter().collect(),
        _ => all[..ERRORS_FIRST].iter().chain(&all[ERRORS_FIRST + left_out..]).collect(),
    };
    serde_json::to_string(&kept).unwrap_or_else(|_| "[]".to_owned())
}
