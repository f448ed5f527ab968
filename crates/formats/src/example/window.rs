//! Bounds of a window of time in an example: those of a window that holds the examples' morning.

use super::{Examples, MORNING};
use ir::domain::{Field, ResourceId, Windows};
use ir::value::Value;

impl Examples<'_> {
    /// What a bound of a view's window is; none for any other field.
    pub(super) fn bound(self, resource: ResourceId, field: &Field) -> Option<Value> {
        let view = self.domain.view_of(resource)?;
        let window = view.window?;
        let (start, end) = around(window.windows);
        let named = |id| view.rows.field(id).name == field.name;
        let micros = if named(window.start) {
            start
        } else if named(window.end) {
            end
        } else {
            return None;
        };
        Some(Value::Timestamp(micros))
    }
}

/// First moment, and the first behind it, in microseconds since 1970.
fn around(windows: Windows) -> (i64, i64) {
    let from = |every: i64| MORNING - MORNING.rem_euclid(every.max(1));
    match windows {
        Windows::Tumbling { size_micros } => (from(size_micros), from(size_micros) + size_micros),
        Windows::Sliding { size_micros, every_micros } => {
            (from(every_micros), from(every_micros) + size_micros)
        }
        Windows::Session { gap_micros } => (MORNING, MORNING + gap_micros),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_an_example_holds_its_morning_and_begins_where_windows_begin() {
        let (hour, minute) = (3_600_000_000, 60_000_000);
        let half = MORNING - hour / 2;
        for (windows, bounds) in [
            (Windows::Tumbling { size_micros: hour }, (half, half + hour)),
            (
                Windows::Sliding { size_micros: hour, every_micros: minute },
                (MORNING, MORNING + hour),
            ),
            (Windows::Session { gap_micros: minute }, (MORNING, MORNING + minute)),
        ] {
            assert_eq!(around(windows), bounds);
        }
    }
}
