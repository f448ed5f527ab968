//! # E104 window that cannot be kept
//! A window of a view has a length that is none or too many overlap, events of several contexts, or
//! a name of its own taken; or `late` stands where there is no window.
//!
//! **Why**: an event is counted in each window that holds it, so there are at most 60, and none may
//! fall between two. Whether an event is late follows from those before it in one log: the logs of
//! two contexts have no common order, and a rebuild would not make the same rows. The rows have
//! `window_start`, `window_end` and `closed` beside the view's own members.
//!
//! Wrong:
//! ```yaml
//! window: 10 min sliding 15 min
//! ```
//! Right:
//! ```yaml
//! window: 10 min sliding 1 min
//! ```

use super::resolve::Resolved;
use ir::model::{View, Window, WindowKind};
use ir::source::Span;
use ir::{Code, Diagnostic};
use std::collections::BTreeSet;

pub(crate) const CODE: Code = Code("E104");

/// Shortest window, pause and step, in seconds.
const SECONDS_MIN: f64 = 1.0;
/// Longest, and the most that an event may be late: ten years.
const SECONDS_MAX: f64 = 10.0 * 366.0 * 86_400.0;
/// Windows that one event may be counted in.
const WINDOWS_MAX: f64 = 60.0;

/// The members that rows of a view with windows have beside its own.
pub(crate) const MEMBERS: [&str; 3] = ["window_start", "window_end", "closed"];

/// Looks at the windows of views.
pub(crate) fn check(resolved: &Resolved<'_>, found: &mut Vec<Diagnostic>) {
    for view in resolved.world.model.contexts.iter().flat_map(|context| &context.views) {
        let Some(window) = &view.window else {
            if let Some(late) = &view.late {
                let message = format!("`{}` says `late` and has no `window`", view.name);
                let fault = Diagnostic::error(CODE, late.span, message)
                    .why("without windows nothing is ever closed, and no event is late")
                    .help("leave it out, or write `window: 5 min tumbling`");
                found.push(fault);
            }
            continue;
        };
        lengths(view, window, found);
        for (member, _) in view.key.iter().chain(&view.set) {
            if MEMBERS.contains(&member.as_str()) {
                let message = format!("`{member}` of `{}` is a member of its windows", view.name);
                let fault = Diagnostic::error(CODE, member.span, message);
                found.push(fault.help("give it another name"));
            }
        }
        contexts(resolved, view, found);
    }
}

fn lengths(view: &View, window: &Window, found: &mut Vec<Diagnostic>) {
    let mut fault = |span: Span, what: String, help: &str| {
        let message = format!("the window of `{}` {what}", view.name);
        found.push(Diagnostic::error(CODE, span, message).help(help));
    };
    let size = &window.size;
    if !(SECONDS_MIN..=SECONDS_MAX).contains(&size.value) {
        fault(size.span, "is too short or too long".to_owned(), "from `1 s` to ten years");
    }
    if let Some(late) = view.late.as_ref().filter(|late| late.value > SECONDS_MAX) {
        fault(late.span, "is kept open for too long".to_owned(), "at most ten years");
    }
    let WindowKind::Sliding(every) = &window.kind else { return };
    if every.value < SECONDS_MIN {
        fault(every.span, "begins all the time".to_owned(), "every `1 s` at most");
    } else if every.value > size.value {
        let help = "let one begin before the other ends, or write `tumbling`";
        fault(every.span, "leaves out what happens between two".to_owned(), help);
    } else if size.value / every.value > WINDOWS_MAX {
        let what = format!("counts an event {} times", (size.value / every.value).ceil());
        fault(every.span, what, "at most 60 windows may overlap: let them begin more seldom");
    }
}

fn contexts(resolved: &Resolved<'_>, view: &View, found: &mut Vec<Diagnostic>) {
    let mut all = BTreeSet::new();
    for name in &view.from {
        let Some((_, event)) = resolved.domain.event_named(name.as_str()) else { continue };
        all.extend(event.emitters.iter().map(|id| resolved.domain.resource(*id).context));
        if all.len() > 1 {
            let message = format!("`{}` counts events of several contexts in windows", view.name);
            let fault = Diagnostic::error(CODE, name.span, message)
                .why("their logs have no common order, so that none could say which is late")
                .help("make a view for each context");
            found.push(fault);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::{Expect, expect};

    fn window(members: &str, expected: Expect) {
        let model = format!(
            "
system: test
actors: {{ staff: oidc }}
contexts:
  sales:
    resources:
      Order:
        fields: {{ total: int }}
        emit: [created]
        allow: {{ read: staff, write: staff }}
    views:
      Sold:
        from: order.created
        key: {{ id: event.id }}
        set: {{ orders: count() }}
        {members}
        allow: {{ read: [staff when closed] }}
"
        );
        check(&model, expected);
    }

    #[test]
    fn windows_follow_one_another_overlap_or_end_with_a_pause() {
        for right in ["5 min tumbling", "1 h sliding 1 min", "30 min session\n        late: 10 s"] {
            window(&format!("window: {right}"), expect![[""]]);
        }
    }

    #[test]
    fn windows_have_lengths_that_leave_nothing_out() {
        window(
            "window: 10 min sliding 15 min",
            expect![[r#"
            error[E104]: the window of `Sold` leaves out what happens between two
              --> mainstay.yaml:15:32
               |
            15 |         window: 10 min sliding 15 min
               |                                ^^^^^^
               = help: let one begin before the other ends, or write `tumbling`
        "#]],
        );
        window(
            "window: 2 h sliding 1 min",
            expect![[r#"
            error[E104]: the window of `Sold` counts an event 120 times
              --> mainstay.yaml:15:29
               |
            15 |         window: 2 h sliding 1 min
               |                             ^^^^^
               = help: at most 60 windows may overlap: let them begin more seldom
        "#]],
        );
        window(
            "window: 10 ms tumbling",
            expect![[r#"
            error[E104]: the window of `Sold` is too short or too long
              --> mainstay.yaml:15:17
               |
            15 |         window: 10 ms tumbling
               |                 ^^^^^
               = help: from `1 s` to ten years
        "#]],
        );
        window(
            "window: 10 min",
            expect![[r#"
            error[E011]: `tumbling`, `sliding` or `session` is missing in `window`
              --> mainstay.yaml:15:17
               |
            15 |         window: 10 min
               |                 ^
        "#]],
        );
        window(
            "window: 10 min tumbling session",
            expect![[r#"
            error[E011]: `window` has more than one of `tumbling`, `sliding` or `session`
              --> mainstay.yaml:15:33
               |
            15 |         window: 10 min tumbling session
               |                                 ^^^^^^^
               |                        -------- set here
               = help: keep one of them
        "#]],
        );
    }

    #[test]
    fn lateness_without_a_window_and_names_of_windows_are_told() {
        window(
            "late: 1 min",
            expect![[r#"
            error[E104]: `Sold` says `late` and has no `window`
              --> mainstay.yaml:15:15
               |
            15 |         late: 1 min
               |               ^^^^^
               = why: without windows nothing is ever closed, and no event is late
               = help: leave it out, or write `window: 5 min tumbling`

            error[E036]: unknown name `closed` in `allow.read` of `Sold`
              --> mainstay.yaml:16:36
               |
            16 |         allow: { read: [staff when closed] }
               |                                    ^^^^^^
               = help: known here: `id`, `orders`, `now`
        "#]],
        );
    }

    #[test]
    fn events_of_two_contexts_have_no_common_order() {
        let model = "
system: test
actors: { staff: oidc }
contexts:
  sales:
    resources:
      Order:
        fields: { total: int }
        emit: [created]
        allow: { read: staff, write: staff }
    views:
      Sold:
        from: [order.created, bill.created]
        key: { closed: event.total }
        set: { orders: count() }
        window: 5 min tumbling
        allow: { read: staff }
  money:
    resources:
      Bill:
        fields: { total: int }
        emit: [created]
        allow: { read: staff, write: staff }
";
        check(
            model,
            expect![[r#"
            error[E104]: `Sold` counts events of several contexts in windows
              --> mainstay.yaml:12:31
               |
            12 |         from: [order.created, bill.created]
               |                               ^^^^^^^^^^^^
               = why: their logs have no common order, so that none could say which is late
               = help: make a view for each context

            error[E104]: `closed` of `Sold` is a member of its windows
              --> mainstay.yaml:13:16
               |
            13 |         key: { closed: event.total }
               |                ^^^^^^
               = help: give it another name
        "#]],
        );
    }
}
