//! # E111 job that can't be asked for or run
//! A job has attempts or a concurrency out of bounds; it calls a command and does not say of which
//! row, or calls a system outside and names a row; its `by` is empty, lists `anyone`, or has a
//! condition; an input is secret.
//!
//! **Why**: a job does one call beside the requests, as often as it is tried. Who asked owns the
//! operation, so somebody must be known; no row is looked at when it is asked for, so a condition
//! has nothing to speak of; what was given is kept for days as it came.
//!
//! Wrong:
//! ```yaml
//! jobs: { bill: { do: payments.charge, for: order, by: anyone, retry: 100 } }
//! ```
//! Right: a command of a row, or an operation with what it takes.
//! ```yaml
//! jobs: { bill: { input: { order: ordering.Order }, do: Order.bill, for: order, by: staff } }
//! jobs: { pay: { input: { sum: money }, do: payments.charge, with: { amount: sum }, by: staff } }
//! ```

use ir::expr::Expression;
use ir::model::Job;
use ir::source::Spanned;
use ir::{Code, Diagnostic};

pub(crate) const CODE: Code = Code("E111");

/// Attempts at most: with the longest pauses the last comes nearly two hours after the first.
const ATTEMPTS_MAX: u32 = 20;
/// Jobs of a kind at once at most.
const CONCURRENCY_MAX: u32 = 100;

/// Tells numbers that are out of bounds, and inputs that can't be kept.
pub(crate) fn bounds(job: &Job, found: &mut Vec<Diagnostic>) {
    let mut within = |said: Option<&Spanned<u32>>, key: &str, most: u32| {
        let Some(said) = said.filter(|said| !(1..=most).contains(&said.value)) else { return };
        let message = format!("`{key}` of the job `{}` is {}", job.name, said.value);
        let fault = Diagnostic::error(CODE, said.span, message);
        found.push(fault.help(format!("write a number from 1 to {most}")));
    };
    within(job.retry.as_ref(), "retry", ATTEMPTS_MAX);
    within(job.concurrency.as_ref(), "concurrency", CONCURRENCY_MAX);
    for (name, span) in job.input.iter().filter_map(|field| Some((&field.name, field.secret?))) {
        let message = format!("the input `{name}` of the job `{}` is secret", job.name);
        let fault = Diagnostic::error(CODE, span, message);
        found.push(
            fault
                .why("what was given is kept with the operation as it came")
                .help("keep the secret in a row, and give the row"),
        );
    }
}

/// Tells who can't be the one who asks.
pub(crate) fn callers(job: &Job, found: &mut Vec<Diagnostic>) {
    if job.by.is_empty() {
        let message = format!("nobody may ask for the job `{}`", job.name);
        let fault = Diagnostic::error(CODE, job.name.span, message);
        found.push(fault.help("list an actor, or `system`, in `by`"));
    }
    for grant in &job.by {
        if grant.actor == "anyone" {
            let message = format!("`anyone` may ask for the job `{}`", job.name);
            let fault = Diagnostic::error(CODE, grant.span, message);
            found.push(
                fault
                    .why("an operation belongs to who asked for it")
                    .help("list actors instead: each proves who it is"),
            );
        }
        if let Some(when) = &grant.when {
            let message = format!("`by` of the job `{}` has a condition", job.name);
            let fault = Diagnostic::error(CODE, when.span, message);
            found.push(
                fault
                    .why("no row is looked at when the job is asked for")
                    .help("let `require` of the command say when it may be done"),
            );
        }
    }
}

/// The row that a command is of; tells where none is named.
pub(crate) fn row<'j>(job: &'j Job, found: &mut Vec<Diagnostic>) -> Option<&'j Expression> {
    if job.row.is_none() {
        let message = format!("the job `{}` does not say of which row `{}` is", job.name, job.run);
        let fault = Diagnostic::error(CODE, job.run.span, message);
        found.push(fault.help("give it the row: `input: { order: sales.Order }, for: order`"));
    }
    job.row.as_ref()
}

/// Tells a row where the call is of none.
pub(crate) fn no_row(job: &Job, found: &mut Vec<Diagnostic>) {
    let Some(row) = &job.row else { return };
    let message =
        format!("`for` of the job `{}` names a row, but `{}` is called outside", job.name, job.run);
    let fault = Diagnostic::error(CODE, row.span, message);
    found.push(
        fault
            .why("an operation of an integration is of no row")
            .help("leave out `for`; give what it takes by `with`"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::testing::check;
    use expect_test::{Expect, expect};

    fn job(job: &str, expected: Expect) {
        let model = format!(
            "
system: test
actors: {{ user: oidc, staff: oidc roles boss }}
contexts:
  sales:
    resources:
      Order:
        fields: {{ state: draft | sent, copies: int 0..9 = 0 }}
        commands:
          send: {{ state: draft -> sent, input: {{ copies: int 1..9 }}, set: {{ copies: copies }}, by: system }}
          drop: {{ state: sent -> draft, by: user }}
        allow: {{ read: user, write: user }}
integrations:
  mail: {{ http: \"https://mail.example\", operations: {{ send: {{ post: /letters }}, note: {{ put: /notes, body: {{ to: string }} }} }} }}
jobs:
  {job}
"
        );
        check(&model, expected);
    }

    #[test]
    fn a_job_without_fault() {
        job(
            "send: { input: { order: sales.Order, few: int 1..5 = 1 }, do: Order.send, for: order, \
             with: { copies: few }, by: [staff.boss, system], retry: 20, concurrency: 100 }",
            expect![""],
        );
    }

    #[test]
    fn a_job_whose_command_is_unknown_or_one_of_a_system_outside() {
        job(
            "send: { input: { order: sales.Order }, do: Order.sned, for: order, by: staff }",
            expect![[r#"
                error[E039]: unknown command `sned` of `Order` in `do` of `send`
                  --> mainstay.yaml:15:52
                   |
                15 |   send: { input: { order: sales.Order }, do: Order.sned, for: order, by: staff }
                   |                                                    ^^^^
                   = help: did you mean `send`?
                15 +   send: { input: { order: sales.Order }, do: Order.send, for: order, by: staff }
            "#]],
        );
        job(
            "send: { do: mail.sned, with: { to: x }, by: staff }",
            expect![[r#"
                error[E040]: unknown operation `sned` of `mail` in `do` of `send`
                  --> mainstay.yaml:15:20
                   |
                15 |   send: { do: mail.sned, with: { to: x }, by: staff }
                   |                    ^^^^
                   = help: did you mean `send`?
                15 +   send: { do: mail.send, with: { to: x }, by: staff }
            "#]],
        );
        job(
            "mail: { input: { to: string }, do: mail.note, with: { to: to }, by: staff }\n  \
             send: { input: { order: sales.Order }, do: Order.send, with: { copies: 1 }, by: staff }",
            expect![[r#"
                error[E111]: the job `send` does not say of which row `Order.send` is
                  --> mainstay.yaml:16:46
                   |
                16 |   send: { input: { order: sales.Order }, do: Order.send, with: { copies: 1 }, by: staff }
                   |                                              ^^^^^^^^^^
                   = help: give it the row: `input: { order: sales.Order }, for: order`
            "#]],
        );
        job(
            "send: { input: { order: sales.Order }, do: mail.note, for: order, \
             with: { to: order }, by: staff }",
            expect![[r#"
                warning[E072]: nothing calls `Order.send`
                 --> mainstay.yaml:9:11
                  |
                9 |           send: { state: draft -> sent, input: { copies: int 1..9 }, set: { copies: copies }, by…
                  |           ^^^^
                  = why: only `system` may, and no workflow, schedule, job or reaction does: `draft -> sent` never happens
                  = help: call it from a workflow, or add an actor to `by`

                error[E111]: `for` of the job `send` names a row, but `mail.note` is called outside
                  --> mainstay.yaml:15:62
                   |
                15 | …der: sales.Order }, do: mail.note, for: order, with: { to: order }, by: staff }
                   |                                          ^^^^^
                   = why: an operation of an integration is of no row
                   = help: leave out `for`; give what it takes by `with`
            "#]],
        );
    }

    #[test]
    fn a_job_whose_inputs_do_not_fit() {
        job(
            "send: { input: { few: int }, do: Order.send, for: few, with: { cop: few }, by: staff }",
            expect![[r#"
                error[E081]: `Order.send` in `with` of `send` is called without `copies`
                  --> mainstay.yaml:15:36
                   |
                15 |   send: { input: { few: int }, do: Order.send, for: few, with: { cop: few }, by: staff }
                   |                                    ^^^^^^^^^^
                   = why: each call would be refused
                   = help: write `with: { copies: … }`

                error[E047]: `few` in `for` of `send` is an int, but `for` is the id of a `sales.Order`
                  --> mainstay.yaml:15:53
                   |
                15 |   send: { input: { few: int }, do: Order.send, for: few, with: { cop: few }, by: staff }
                   |                                                     ^^^

                error[E081]: unknown input `cop` of `Order.send` in `with` of `send`
                  --> mainstay.yaml:15:66
                   |
                15 |   send: { input: { few: int }, do: Order.send, for: few, with: { cop: few }, by: staff }
                   |                                                                  ^^^
                   = help: known here: `copies`
            "#]],
        );
    }

    #[test]
    fn a_job_whose_command_system_may_not_call() {
        job(
            "drop: { input: { order: sales.Order }, do: Order.drop, for: order, by: staff }",
            expect![[r#"
                warning[E072]: nothing calls `Order.send`
                 --> mainstay.yaml:9:11
                  |
                9 |           send: { state: draft -> sent, input: { copies: int 1..9 }, set: { copies: copies }, by…
                  |           ^^^^
                  = why: only `system` may, and no workflow, schedule, job or reaction does: `draft -> sent` never happens
                  = help: call it from a workflow, or add an actor to `by`

                error[E079]: the job `drop` calls `Order.drop`, which `system` may not
                  --> mainstay.yaml:15:46
                   |
                10 |           drop: { state: sent -> draft, by: user }
                   |                                             ---- who may call it
                ...
                15 |   drop: { input: { order: sales.Order }, do: Order.drop, for: order, by: staff }
                   |                                              ^^^^^^^^^^
                   = why: workflows, schedules, jobs and reactions run as `system`
                   = help: write `by: [user, system]`
            "#]],
        );
    }

    #[test]
    fn a_job_that_nobody_in_particular_may_ask_for_or_nobody_at_all() {
        let of = "input: { order: sales.Order }, do: Order.send, for: order, with: { copies: 1 }";
        job(
            &format!("send: {{ {of}, by: anyone }}"),
            expect![[r#"
            error[E111]: `anyone` may ask for the job `send`
              --> mainstay.yaml:15:95
               |
            15 | …d, for: order, with: { copies: 1 }, by: anyone }
               |                                          ^^^^^^
               = why: an operation belongs to who asked for it
               = help: list actors instead: each proves who it is
        "#]],
        );
        job(
            &format!("send: {{ {of}, by: [] }}"),
            expect![[r#"
            error[E111]: nobody may ask for the job `send`
              --> mainstay.yaml:15:3
               |
            15 |   send: { input: { order: sales.Order }, do: Order.send, for: order, with: { copies: 1 }, by: []…
               |   ^^^^
               = help: list an actor, or `system`, in `by`
        "#]],
        );
        job(
            &format!("send: {{ {of}, by: [user when 1 == 1] }}"),
            expect![[r#"
            error[E111]: `by` of the job `send` has a condition
              --> mainstay.yaml:15:106
               |
            15 | …er, with: { copies: 1 }, by: [user when 1 == 1] }
               |                                          ^^^^^^
               = why: no row is looked at when the job is asked for
               = help: let `require` of the command say when it may be done
        "#]],
        );
        job(
            &format!("send: {{ {of} }}"),
            expect![[r#"
            error[E011]: `by` is missing in the job `send`
              --> mainstay.yaml:15:9
               |
            15 |   send: { input: { order: sales.Order }, do: Order.send, for: order, with: { copies: 1 } }
               |         ^
        "#]],
        );
    }

    #[test]
    fn a_job_whose_numbers_are_out_of_bounds_and_one_with_a_secret() {
        let of = "do: Order.send, for: order, with: { copies: 1 }, by: staff";
        let input = "input: { order: sales.Order }";
        job(
            &format!("send: {{ {input}, {of}, retry: 0, concurrency: 101 }}"),
            expect![[r#"
            error[E111]: `retry` of the job `send` is 0
              --> mainstay.yaml:15:109
               |
            15 | … with: { copies: 1 }, by: staff, retry: 0, concurrency: 101 }
               |                                          ^
               = help: write a number from 1 to 20

            error[E111]: `concurrency` of the job `send` is 101
              --> mainstay.yaml:15:125
               |
            15 | … 1 }, by: staff, retry: 0, concurrency: 101 }
               |                                          ^^^
               = help: write a number from 1 to 100
        "#]],
        );
        let input = "input: { order: sales.Order, key: string secret }";
        job(
            &format!("send: {{ {input}, {of} }}"),
            expect![[r#"
            error[E111]: the input `key` of the job `send` is secret
              --> mainstay.yaml:15:52
               |
            15 | …nput: { order: sales.Order, key: string secret }, do: Order.send, for: order, with: { copies: 1…
               |                                          ^^^^^^
               = why: what was given is kept with the operation as it came
               = help: keep the secret in a row, and give the row
        "#]],
        );
    }

    #[test]
    fn two_jobs_of_one_address() {
        let of = "input: { order: sales.Order }, do: Order.send, for: order, \
                  with: { copies: 1 }, by: staff";
        job(
            &format!("send_it: {{ {of} }}\n  send__it: {{ {of} }}"),
            expect![[r#"
            error[E045]: the job `send_it` and the job `send__it` have the same address `operations/send-it`
              --> mainstay.yaml:16:3
               |
            15 |   send_it: { input: { order: sales.Order }, do: Order.send, for: order, with: { copies: 1 }, by:…
               |   ------- the other one
            16 |   send__it: { input: { order: sales.Order }, do: Order.send, for: order, with: { copies: 1 }, by…
               |   ^^^^^^^^
               = help: rename one of them
        "#]],
        );
    }
}
