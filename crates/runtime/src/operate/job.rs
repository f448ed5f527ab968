//! A job: one command of one row, as `system`, once in effect.
//!
//! What the command changes and that the operation is done are one set of changes: whoever dies
//! before it is committed has done nothing, and behind it nobody begins again. What may succeed
//! later goes back into the queue with the time when it is due; what never will ends it.

use super::{Bench, Step, Stop};
use crate::consume::object;
use crate::engine::body::Reader;
use crate::engine::change::{Body, Preconditions, Row, Verb, Write, read_json};
use crate::engine::commit::Committed;
use crate::engine::rows::Rows;
use crate::engine::scope::RowScope;
use crate::engine::settle::no_value;
use crate::engine::{Engine, Failure};
use crate::json::Json;
use crate::json::write;
use crate::ports::operations::{Operated, Operation, State};
use crate::ports::store::{Bindings, Fresh};
use crate::problem::{Problem, kinds};
use crate::record::Record;
use crate::request::Call;
use crate::telemetry::trace::TraceContext;
use ir::domain::{Field, Job};
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

/// What is to be called.
struct Planned {
    row: u128,
    body: Vec<u8>,
}

fn planned(engine: &Engine, call: &Call, at: usize, input: &str) -> Result<Planned, Failure> {
    let job = &engine.plan.domain.jobs[at];
    let inputs = values(engine, call, at, input.as_bytes())?;
    let (rows, nothing) = (Rows::default(), Record::nothing());
    let scope = RowScope::new(&engine.plan, &call.bindings, &rows, job.resource, &nothing);
    let scope = RowScope { inputs: &inputs, ..scope };
    let value = |name: &str, expr: &Expr| {
        let value = evaluate(expr, &scope).map(std::borrow::Cow::into_owned);
        value.map_err(|fault| no_value(fault, format!("/{name}")))
    };
    let row = value("for", &job.row)?.as_uuid().ok_or_else(|| {
        Box::new(Problem::new(kinds::INVALID_VALUE).at("/for", "the inputs name no row"))
    })?;
    let command = &engine.plan.domain.resource(job.resource).commands[job.command.index()];
    let mut members: Vec<(&str, Value)> = Vec::new();
    for (at, expr) in &job.inputs {
        let Field { name, .. } = &command.input[*at];
        members.push((name, value(name, expr)?));
    }
    Ok(Planned { row, body: object(members.into_iter()) })
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
        match self.called(&call, operation, at).await {
            Ok(Some(next)) => {
                *operation = next;
                Ok(Step::Over)
            }
            Ok(None) => Ok(Step::Lost),
            Err(failure) if may_pass(&failure) => self.again(operation, job, failure).await,
            Err(failure) => Err(Stop::Never(failure)),
        }
    }

    /// The operation when the command is committed with it; none where it is somebody else's.
    async fn called(
        &self,
        call: &Call,
        operation: &Operation,
        at: usize,
    ) -> Result<Option<Operation>, Failure> {
        let engine = &self.live.engine;
        let job = &engine.plan.domain.jobs[at];
        let planned = planned(engine, call, at, &operation.input)?;
        let mut next = self.next(operation);
        self.end(&mut next, State::Done);
        next.done = 1;
        let mut result = b"{\"id\":".to_vec();
        write::id(&mut result, planned.row);
        result.push(b'}');
        next.result = String::from_utf8(result).ok();
        let step = Operated::Step { operation: Box::new(next.clone()), chunks: Vec::new() };
        let write = Write {
            verb: Verb::Command(job.command),
            resource: job.resource,
            row: Some(Row::Id(planned.row)),
            body: Body::Bytes(&planned.body),
            preconditions: Preconditions::default(),
        };
        match engine.write_step(call, &write, &step).await? {
            Committed::Done => Ok(Some(next)),
            Committed::Elsewhere => Ok(None),
        }
    }

    /// Puts it back until it is due again, where it has attempts left.
    async fn again(
        &self,
        operation: &mut Operation,
        job: &Job,
        failure: Failure,
    ) -> Result<Step, Stop> {
        let ladder = Ladder::Exponential {
            base_micros: PAUSE_MICROS,
            cap_micros: PAUSE_MICROS_MAX,
            attempts_max: job.attempts_max,
        };
        let attempts = u32::try_from(operation.attempts).unwrap_or(u32::MAX);
        let Some(pause) = ladder.next(attempts, self.turn.random(), Bounds::default()) else {
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
