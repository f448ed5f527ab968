//! A job: one command of one row, as `system`, or one call of a system outside, once in effect.
//!
//! What the command changes and that the operation is done are one set of changes: whoever dies
//! before it is committed has done nothing, and behind it nobody begins again. What may succeed
//! later goes back into the queue with the time when it is due; what never will ends it. A call
//! outside can't be committed with anything: it carries the operation's id as its key, so that
//! whoever calls again behind one that died is known by it.

use super::{Bench, Step, Stop, Task};
use crate::consume::object;
use crate::engine::backend::Live;
use crate::engine::body::Reader;
use crate::engine::change::{Body, Preconditions, Row, Verb, Write, read_json};
use crate::engine::commit::Committed;
use crate::engine::rows::Rows;
use crate::engine::scope::RowScope;
use crate::engine::settle::no_value;
use crate::engine::{Engine, Failure};
use crate::integrations::{Answer, Missed, Outgoing};
use crate::json::Json;
use crate::json::write;
use crate::ports::operations::{Operated, Operation, State};
use crate::ports::store::{Bindings, Fresh, Store};
use crate::problem::{Problem, kinds};
use crate::record::Record;
use crate::request::Call;
use crate::telemetry::trace::TraceContext;
use ir::domain::{CommandId, Field, Job, Target};
use ir::expr::Expr;
use ir::value::Value;
use kernel::expr::evaluate;
use kernel::retry::{Bounds, Ladder};

/// Who vouches for what jobs do.
const ISSUER: &str = "mainstay:job";
/// The first pause between two attempts is no longer than that.
const PAUSE_MICROS: i64 = 1_000_000;
/// No pause is longer than that.
const PAUSE_MICROS_MAX: i64 = 600 * 1_000_000;

/// What who asks gives, checked, with defaults filled in, as it is kept.
///
/// # Errors
/// Where the body is not JSON, or an input is missing, unknown or wrong.
pub(crate) fn given(
    engine: &Engine,
    call: &Call,
    at: usize,
    body: &[u8],
) -> Result<String, Failure> {
    let values = values(engine, call, at, body)?;
    let fields = &engine.plan.domain.jobs[at].input;
    let members = fields.iter().map(|field| field.name.as_str()).zip(values);
    Ok(String::from_utf8(object(members)).unwrap_or_default())
}

fn values(engine: &Engine, call: &Call, at: usize, body: &[u8]) -> Result<Vec<Value>, Failure> {
    let mut reader = Reader::new(engine, call, &[]);
    let json = if body.is_empty() { Json::Object(Vec::new()) } else { read_json(body)? };
    let (job, plan) = (&engine.plan.domain.jobs[at], &engine.plan.jobs[at]);
    let values = reader.inputs(&job.input, &plan.input, &json);
    reader.faults.settle()?;
    Ok(values)
}

/// The command that is to be called.
struct Planned {
    command: CommandId,
    row: u128,
    body: Vec<u8>,
}

/// What is to be called.
enum Called {
    Command(Planned),
    Outside(Outgoing),
}

fn planned(live: &Live, call: &Call, at: usize, operation: &Operation) -> Result<Called, Failure> {
    let engine = &live.engine;
    let job = &engine.plan.domain.jobs[at];
    let inputs = values(engine, call, at, operation.input.as_bytes())?;
    let (rows, nothing) = (Rows::default(), Record::nothing());
    let scope = RowScope::new(&engine.plan, &call.bindings, &rows, job.resource, &nothing);
    let scope = RowScope { inputs: &inputs, ..scope };
    let (command, row, given) = match &job.target {
        Target::Command { command, row, inputs } => (*command, row, inputs),
        Target::Operation(remote) => {
            let trace = TraceContext::continued(operation.trace.as_deref().map(str::as_bytes));
            let key = write::uuid_text(operation.id);
            let outgoing = live.integrations.outgoing(remote, &scope, key, trace)?;
            return Ok(Called::Outside(outgoing));
        }
    };
    let value = |name: &str, expr: &Expr| {
        let value = evaluate(expr, &scope).map(std::borrow::Cow::into_owned);
        value.map_err(|fault| no_value(fault, format!("/{name}")))
    };
    let row = value("for", row)?.as_uuid().ok_or_else(|| {
        Box::new(Problem::new(kinds::INVALID_VALUE).at("/for", "the inputs name no row"))
    })?;
    let fields = &engine.plan.domain.resource(job.resource).commands[command.index()].input;
    let mut members: Vec<(&str, Value)> = Vec::new();
    for (at, expr) in given {
        let Field { name, .. } = &fields[*at];
        members.push((name, value(name, expr)?));
    }
    Ok(Called::Command(Planned { command, row, body: object(members.into_iter()) }))
}

/// True where the same may succeed later: nothing was wrong with what was asked.
fn may_pass(failure: &Problem) -> bool {
    failure.kind.status >= 500 || failure.kind.status == 429
}

impl Bench<'_> {
    /// Calls the command once more.
    pub(super) async fn job(&self, operation: &mut Operation, at: usize) -> Result<Step, Stop> {
        let engine = &self.live.engine;
        let job = &engine.plan.domain.jobs[at];
        let now = self.turn.now();
        let micros = (engine.plan.settings.request_seconds_max * 1e6) as i64;
        let deadline = now.saturating_add(micros);
        let bindings = Bindings { me: None, now, deadline, fresh: Fresh::Newest };
        let mut call = Call::of_system(ISSUER, &operation.tenant, bindings);
        let trace = operation.trace.as_deref().map(str::as_bytes);
        call.trace = Some(TraceContext::continued(trace));
        let planned = match planned(self.live, &call, at, operation) {
            Ok(Called::Command(planned)) => planned,
            Ok(Called::Outside(outgoing)) => return self.outside(operation, outgoing).await,
            Err(failure) => return Err(Stop::Never(failure)),
        };
        match self.called(&call, operation, at, planned).await {
            Ok(Some(next)) => {
                *operation = next;
                Ok(Step::Over)
            }
            Ok(None) => Ok(Step::Lost),
            Err(failure) if may_pass(&failure) => self.again(operation, job, failure, None).await,
            Err(failure) => Err(Stop::Never(failure)),
        }
    }

    /// The operation when the command is committed with it; none where it is somebody else's.
    async fn called(
        &self,
        call: &Call,
        operation: &Operation,
        at: usize,
        planned: Planned,
    ) -> Result<Option<Operation>, Failure> {
        let engine = &self.live.engine;
        let job = &engine.plan.domain.jobs[at];
        let mut next = self.next(operation);
        self.end(&mut next, State::Done);
        next.done = 1;
        let mut result = b"{\"id\":".to_vec();
        write::id(&mut result, planned.row);
        result.push(b'}');
        next.result = String::from_utf8(result).ok();
        let step = Operated::Step { operation: Box::new(next.clone()), chunks: Vec::new() };
        let write = Write {
            verb: Verb::Command(planned.command),
            resource: job.resource,
            row: Some(Row::Id(planned.row)),
            body: Body::Bytes(&planned.body),
            preconditions: Preconditions::own(),
        };
        match engine.write_step(call, &write, &step).await? {
            Committed::Done => Ok(Some(next)),
            Committed::Elsewhere => Ok(None),
        }
    }

    /// Keeps it for as long as a call may take, and lets it be made.
    async fn outside(&self, operation: &mut Operation, outgoing: Outgoing) -> Result<Step, Stop> {
        if operation.attempts > 1 && self.live.integrations.is_once_only(&outgoing) {
            let name = self.live.integrations.name(&outgoing);
            let detail = format!(
                "whether {name} was done is not known, for who called it was stopped meanwhile; \
                 ask the other side before you ask for it again"
            );
            return Err(Stop::Never(Box::new(Problem::new(kinds::OUTSIDE_FAILED).detail(detail))));
        }
        let longest = self.live.integrations.longest(outgoing.of);
        let longest = i64::try_from(longest.as_micros()).unwrap_or(i64::MAX);
        let mut next = self.next(operation);
        next.until = next.until.saturating_add(longest);
        let store = self.store_of(operation)?;
        self.keep(store, operation, next, Step::Call(Box::new(outgoing))).await
    }

    /// What came of a call, kept.
    pub(super) async fn answered(
        &self,
        operation: &mut Operation,
        name: &str,
        answer: Answer,
    ) -> Result<Step, Stop> {
        let plan = &self.live.engine.plan;
        let refused = |kind, detail| Box::new(Problem::new(kind).detail(detail));
        match answer {
            Answer::Done(result) => {
                let mut next = self.next(operation);
                self.end(&mut next, State::Done);
                next.done = 1;
                next.result = Some(result);
                let store = self.store_of(operation)?;
                self.keep(store, operation, next, Step::Over).await
            }
            Answer::Refused(status, refusal) => {
                let detail = format!("{name} answered {status}: {refusal}");
                Err(Stop::Never(refused(kinds::OUTSIDE_REFUSED, detail)))
            }
            Answer::Missed(Missed { detail, again, retry_after }) => {
                let failure = refused(kinds::OUTSIDE_FAILED, detail);
                match Task::of(plan, &operation.kind) {
                    Some(Task::Job(at)) if again => {
                        self.again(operation, &plan.domain.jobs[at], failure, retry_after).await
                    }
                    _ => Err(Stop::Never(failure)),
                }
            }
        }
    }

    /// The store that keeps a job.
    fn store_of(&self, operation: &Operation) -> Result<&dyn Store, Stop> {
        let plan = &self.live.engine.plan;
        let gone = || Stop::Never(Box::new(Problem::new(kinds::NOT_FOUND)));
        let task = Task::of(plan, &operation.kind).ok_or_else(gone)?;
        Ok(self.live.engine.store(task.resource(plan)))
    }

    /// Puts it back until it is due again, where it has attempts left.
    async fn again(
        &self,
        operation: &mut Operation,
        job: &Job,
        failure: Failure,
        retry_after_micros: Option<i64>,
    ) -> Result<Step, Stop> {
        let ladder = Ladder::Exponential {
            base_micros: PAUSE_MICROS,
            cap_micros: PAUSE_MICROS_MAX,
            attempts_max: job.attempts_max,
        };
        let bounds = Bounds { retry_after_micros, left_micros: None };
        let attempts = u32::try_from(operation.attempts).unwrap_or(u32::MAX);
        let Some(pause) = ladder.next(attempts, self.turn.random(), bounds) else {
            return Err(Stop::Never(failure));
        };
        let (name, problem) = (&job.name, failure.kind.slug);
        let detail = failure.detail.clone().unwrap_or_default();
        tracing::warn!(job = name, problem, detail, attempts, "a job is tried again");
        let mut next = self.next(operation);
        next.state = State::Queued;
        next.due = self.turn.now().saturating_add(pause);
        next.until = 0;
        let store = self.live.engine.store(job.resource);
        self.keep(store, operation, next, Step::Waits).await
    }
}
