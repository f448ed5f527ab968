//! Windows of hand-made events, and of any events in any order.

use super::*;
use std::collections::BTreeMap;

const TUMBLING: Windows = Windows::Tumbling { size_micros: 10 };
const SLIDING: Windows = Windows::Sliding { size_micros: 10, every_micros: 4 };
const SESSION: Windows = Windows::Session { gap_micros: 10 };

fn spans(windows: Windows, time: i64) -> Vec<(i64, i64)> {
    holding(windows, time).into_iter().map(|span| (span.start, span.end)).collect()
}

#[test]
fn an_event_is_in_every_window_that_holds_its_time() {
    assert_eq!(spans(TUMBLING, 9), [(0, 10)]);
    assert_eq!(spans(TUMBLING, 10), [(10, 20)]);
    assert_eq!(spans(TUMBLING, -1), [(-10, 0)]);
    assert_eq!(spans(SLIDING, 9), [(0, 10), (4, 14), (8, 18)]);
    assert_eq!(spans(SLIDING, 10), [(4, 14), (8, 18)]);
    assert_eq!(spans(SESSION, 3), [(3, 13)]);
    for windows in [TUMBLING, SLIDING, SESSION] {
        for time in -50..50 {
            let held = holding(windows, time);
            assert!(!held.is_empty() && held.len() <= windows_max(windows), "{windows:?} {time}");
            assert!(held.iter().all(|span| span.start <= time && time < span.end));
            assert!(held.windows(2).all(|two| two[0] < two[1]));
        }
    }
    assert_eq!(holding(SLIDING, i64::MIN).len(), 1, "the beginning of time is no fault");
    assert_eq!(spans(TUMBLING, i64::MAX).len(), 0, "nor is its end");
}

/// Count, sum, least and greatest of each row.
type Rows = BTreeMap<(Span, u8), (u32, i64, i64, i64)>;

/// A view in memory, as it is kept in a store.
#[derive(Debug, Clone)]
struct View {
    windows: Windows,
    watermark: Watermark,
    rows: Rows,
    late: usize,
}

fn merged(one: (u32, i64, i64, i64), other: (u32, i64, i64, i64)) -> (u32, i64, i64, i64) {
    (one.0 + other.0, one.1 + other.1, one.2.min(other.2), one.3.max(other.3))
}

impl View {
    fn new(windows: Windows, late: i64) -> Self {
        let watermark = Watermark::new(late, None);
        Self { windows, watermark, rows: Rows::new(), late: 0 }
    }

    fn fold(&mut self, (time, key): (i64, u8)) {
        let one = (1, time, time, time);
        if let Windows::Session { gap_micros } = self.windows {
            let own = self.rows.keys().filter(|(_, of)| *of == key).map(|(span, _)| *span);
            let own: Vec<Span> = own.collect();
            match join(gap_micros, time, own.iter().copied(), &self.watermark) {
                Joined::Late => {
                    self.late += 1;
                    return;
                }
                Joined::Session { span, of } => {
                    let parts = of.iter().filter_map(|at| self.rows.remove(&(own[*at], key)));
                    let row = parts.fold(one, merged);
                    self.rows.insert((span, key), row);
                }
            }
        } else {
            let held = holding(self.windows, time).into_iter();
            let open: Vec<Span> =
                held.clone().filter(|span| !self.watermark.has_passed(span.end)).collect();
            self.late += usize::from(open.len() < held.len());
            for span in &open {
                let row = self.rows.entry((*span, key)).or_insert((0, 0, i64::MAX, i64::MIN));
                *row = merged(*row, one);
            }
            if open.is_empty() {
                return;
            }
        }
        self.watermark.see(time);
    }

    /// What a store would know after a restart: the greatest time in its rows.
    fn restarted(&self) -> Self {
        let seen = self.rows.values().map(|row| row.3).max();
        Self { watermark: Watermark::new(self.watermark.late_micros, seen), ..self.clone() }
    }
}

/// An even draw below `below`; the state goes on.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

fn some_windows(state: &mut u64) -> Windows {
    let size_micros = 1 + draw(state, 20) as i64;
    match draw(state, 3) {
        0 => Windows::Tumbling { size_micros },
        1 => {
            let every_micros = 1 + draw(state, size_micros as u64) as i64;
            Windows::Sliding { size_micros, every_micros }
        }
        _ => Windows::Session { gap_micros: size_micros },
    }
}

/// Events in order of their times.
fn some_events(state: &mut u64) -> Vec<(i64, u8)> {
    let mut time = draw(state, 40) as i64 - 20;
    let mut events = Vec::new();
    for _ in 0..draw(state, 30) {
        time += draw(state, 12) as i64;
        events.push((time, draw(state, 3) as u8));
    }
    events
}

#[test]
fn any_order_within_the_lateness_makes_the_same_rows() {
    let mut state = 5;
    for round in 0..4_000 {
        let (windows, late) = (some_windows(&mut state), draw(&mut state, 30) as i64);
        let in_order = some_events(&mut state);
        let mut ordered = View::new(windows, late);
        in_order.iter().for_each(|event| ordered.fold(*event));
        assert_eq!(ordered.late, 0, "round {round}: nothing is late in order");
        // Each arrives no later than what is `late` younger.
        let delayed =
            |event: &(i64, u8)| (event.0 + draw(&mut state, late as u64 + 1) as i64, *event);
        let mut arriving: Vec<_> = in_order.iter().map(delayed).collect();
        arriving.sort_by_key(|(at, _)| *at);
        let mut view = View::new(windows, late);
        arriving.iter().for_each(|(_, event)| view.fold(*event));
        assert_eq!(view.late, 0, "round {round}: {windows:?} late {late} {arriving:?}");
        assert_eq!(view.rows, ordered.rows, "round {round}: {windows:?} {arriving:?}");
    }
}

#[test]
fn no_event_changes_a_closed_window_and_a_replay_makes_the_same_rows() {
    let (mut state, mut late_events) = (7, 0);
    for round in 0..4_000 {
        let (windows, late) = (some_windows(&mut state), draw(&mut state, 10) as i64);
        let mut events = some_events(&mut state);
        for at in (1..events.len()).rev() {
            events.swap(at, draw(&mut state, at as u64 + 1) as usize);
        }
        let (mut view, mut again) = (View::new(windows, late), View::new(windows, late));
        for event in &events {
            let passed = |view: &View| -> Rows {
                let rows =
                    view.rows.iter().filter(|((span, _), _)| view.watermark.has_passed(span.end));
                rows.map(|(key, row)| (*key, *row)).collect()
            };
            let closed = passed(&view);
            view.fold(*event);
            let after = passed(&view);
            let kept = closed.iter().all(|(key, row)| after.get(key) == Some(row));
            assert!(kept, "round {round}: {windows:?} {event:?} changed a closed window");
            again = again.restarted();
            again.fold(*event);
        }
        assert_eq!(again.rows, view.rows, "round {round}: {windows:?} {events:?}");
        assert_eq!(again.late, view.late);
        late_events += view.late;
        if let Windows::Session { gap_micros } = windows {
            for key in 0..3 {
                let own: Vec<Span> =
                    view.rows.keys().filter(|(_, of)| *of == key).map(|(span, _)| *span).collect();
                let apart = |two: &[Span]| two[0].end <= two[1].start;
                assert!(own.windows(2).all(apart), "round {round}: {gap_micros} {own:?}");
            }
        }
    }
    assert!(late_events > 1_000, "there is something to be late: {late_events}");
}

#[test]
fn an_event_between_two_sessions_makes_one_of_them() {
    let mut view = View::new(SESSION, 100);
    for time in [0, 18, 9] {
        view.fold((time, 0));
    }
    let span = Span { start: 0, end: 28 };
    assert_eq!(view.rows, Rows::from([((span, 0), (3, 27, 0, 18))]));
    view.fold((28, 0));
    assert_eq!(view.rows.len(), 2, "a pause of the gap ends a session");
}

#[test]
fn an_event_that_would_join_a_closed_session_is_late() {
    let mut view = View::new(SESSION, 5);
    for time in [0, 20] {
        view.fold((time, 0));
    }
    let before = view.rows.clone();
    assert!(view.watermark.has_passed(10), "the first is closed");
    view.fold((8, 0));
    assert_eq!((view.rows.clone(), view.late), (before, 1));
    view.fold((12, 0));
    assert_eq!(view.rows.len(), 2, "what no closed one holds joins the open one");
}
