//! A small architecture, made by hand, for the tests of the writers: one task list with owned
//! steps, a guarded field, a secret, a state, a saga and one decision for each stage.

use ir::architecture::{Architecture, Service, Settings};
use ir::contract::{Contract, Filter, Operation, OperationKind, problems};
use ir::decision::{Alternative, Authority, Decision, Effect, Infeasible, Setting, Stage};
use ir::domain::*;
use ir::expr::{Expr, ExprKind, FieldRef, Implicit, Type};
use ir::model::{FieldType, Model, Proof};
use ir::quantity::{Computed, Grade, Input, Unit};
use ir::schema::{Column, Part, Schema, Storage, Table};
use ir::value::Value;
use ir::{Name, Span, Spanned, Valid};

pub(crate) fn field(name: &str, declared: FieldType) -> Field {
    Field {
        name: name.to_owned(),
        about: String::new(),
        declared,
        kind: Kind::Scalar,
        source: Source::Client,
        optional: false,
        min: None,
        max: None,
        pattern: None,
        search: false,
        personal: false,
        secret: false,
        state: false,
        filterable: true,
        read: None,
        write: None,
    }
}

fn grant(text: &str, caller: Caller) -> Grant {
    Grant { text: text.to_owned(), caller, when: None }
}

const OWNER: Caller = Caller::Actor(ActorId(0), None);

fn resource(name: &str, path: &str, fields: Vec<Field>) -> Resource {
    Resource {
        name: name.to_owned(),
        about: String::new(),
        context: ContextId(0),
        path: path.to_owned(),
        owner: None,
        shared: true,
        fields,
        uniques: Vec::new(),
        overlaps: Vec::new(),
        commands: Vec::new(),
        access: Access::default(),
        routes: Vec::new(),
        emits: Vec::new(),
        idempotency_required: false,
        if_match_required: false,
        cache: None,
    }
}

fn task() -> Resource {
    let many = FieldType::Many { resource: Default::default(), min: 1, max: 9 };
    let states = ["open", "done"].map(str::to_owned).to_vec();
    let mut task = resource(
        "Task",
        "tasks",
        vec![
            Field { max: Some(Value::Int(40)), search: true, ..field("title", FieldType::String) },
            Field {
                kind: Kind::Actor(ActorId(0)),
                source: Source::Caller,
                ..field("owner", FieldType::Actor(Default::default()))
            },
            Field {
                kind: Kind::Children { target: ResourceId(1), min: 1, max: 9 },
                ..field("steps", many)
            },
            Field {
                min: Some(Value::Int(0)),
                read: Some(vec![grant("owner", OWNER)]),
                ..field("reward", FieldType::Money { currency: None })
            },
            Field { secret: true, personal: true, ..field("pin", FieldType::String) },
            Field {
                kind: Kind::Enum(states),
                source: Source::State,
                state: true,
                ..field("status", FieldType::Enum(Vec::new()))
            },
            Field { optional: true, ..field("due", FieldType::Date) },
        ],
    );
    let system = grant("system", Caller::System);
    let command = |name: &str, by: Grant, to: &str, from: &str| Command {
        name: name.to_owned(),
        about: String::new(),
        input: vec![Field {
            pattern: Some("[A-Z]{2}[0-9]+".to_owned()),
            ..field("code", FieldType::String)
        }],
        get: Vec::new(),
        require: Vec::new(),
        transitions: vec![Transition {
            field: FieldId(5),
            from: vec![from.to_owned()],
            to: to.to_owned(),
        }],
        set: Vec::new(),
        internal: by.caller == Caller::System,
        by: vec![by],
        emits: Vec::new(),
        not_during: Vec::new(),
        starts: None,
    };
    task.commands = vec![
        command("finish", grant("owner", OWNER), "done", "open"),
        command("reopen", system, "open", "done"),
    ];
    let own = || vec![grant("owner", OWNER)];
    task.access = Access { read: own(), create: own(), update: own(), delete: Vec::new() };
    task
}

fn step() -> Resource {
    let zero = Expr { kind: ExprKind::Literal(Value::Int(0)), ty: Type::Int };
    let size = Field { source: Source::Default(zero), ..field("size", FieldType::Int) };
    let mut step = resource("Step", "steps", vec![field("text", FieldType::Text), size]);
    step.owner = Some((ResourceId(0), FieldId(2)));
    step
}

fn table(resource: u16, name: &str, columns: &[(&str, Storage, bool, u16, Part)]) -> Table {
    let column =
        |(name, storage, nullable, field, part): &(&str, Storage, bool, u16, Part)| Column {
            name: (*name).to_owned(),
            storage: *storage,
            nullable: *nullable,
            field: Some((FieldId(*field), *part)),
            check: None,
            was: None,
            fill: None,
            giver: ir::schema::Giver::Writer,
        };
    let id = Column {
        name: "id".to_owned(),
        storage: Storage::Uuid,
        nullable: false,
        field: None,
        check: None,
        was: None,
        fill: None,
        giver: ir::schema::Giver::Writer,
    };
    Table {
        resource: ResourceId(resource),
        context: "desk".to_owned(),
        name: name.to_owned(),
        tenant: None,
        owner: None,
        columns: [id].into_iter().chain(columns.iter().map(column)).collect(),
        primary_key: vec!["id".to_owned()],
        foreign_keys: Vec::new(),
        indexes: Vec::new(),
        overlaps: Vec::new(),
        was: None,
        unmanaged: None,
    }
}

fn schema() -> Schema {
    let whole = Part::Whole;
    let tasks = [
        ("title", Storage::Text, false, 0, whole),
        ("owner", Storage::Text, false, 1, whole),
        ("reward", Storage::Units, false, 3, Part::Units),
        ("reward_currency", Storage::Currency, false, 3, Part::Currency),
        ("pin", Storage::Text, false, 4, whole),
        ("status", Storage::Text, false, 5, whole),
        ("due", Storage::Date, true, 6, whole),
    ];
    let steps = [("text", Storage::Text, false, 0, whole), ("size", Storage::Int, false, 1, whole)];
    Schema { tables: vec![table(0, "tasks", &tasks), table(1, "steps", &steps)] }
}

fn operation(id: &str, kind: OperationKind, method: &'static str, path: &str) -> Operation {
    Operation {
        id: id.to_owned(),
        kind,
        resource: (kind != OperationKind::Batch).then_some(ResourceId(0)),
        method,
        path: path.to_owned(),
        summary: "Does it".to_owned(),
        anonymous: false,
        internal: false,
        problems: vec![
            problems::UNKNOWN_PARAMETER.slug,
            problems::UNAUTHENTICATED.slug,
            problems::ILLEGAL_TRANSITION.slug,
        ],
        filters: Vec::new(),
        expands: Vec::new(),
        searchable: false,
    }
}

fn contract() -> Contract {
    let item = "/v1/tasks/{id}";
    let mut operations = vec![
        operation("listTasks", OperationKind::List, "GET", "/v1/tasks"),
        operation("createTask", OperationKind::Create, "POST", "/v1/tasks"),
        operation("getTask", OperationKind::Get, "GET", item),
        operation("replaceTask", OperationKind::Replace, "PUT", item),
        operation("updateTask", OperationKind::Update, "PATCH", item),
        operation(
            "finishTask",
            OperationKind::Command(CommandId(0)),
            "POST",
            "/v1/tasks/{id}/finish",
        ),
        operation(
            "reopenTask",
            OperationKind::Command(CommandId(1)),
            "POST",
            "/v1/tasks/{id}/reopen",
        ),
        operation("batch", OperationKind::Batch, "POST", "/v1/batch"),
    ];
    operations[6].internal = true;
    operations[0].searchable = true;
    operations[0].expands = vec!["steps".to_owned()];
    let filter = |name: &str, field, operators: &[&'static str]| Filter {
        name: name.to_owned(),
        field,
        part: Part::Whole,
        operators: operators.to_vec(),
        sortable: true,
    };
    operations[0].filters = vec![
        filter("id", FieldRef::Implicit(Implicit::Id), &["in"]),
        filter("title", FieldRef::Field(FieldId(0)), &["in", "prefix"]),
        filter("due", FieldRef::Field(FieldId(6)), &["gte", "null"]),
    ];
    Contract { version: "v1".to_owned(), operations, problems: problems::ALL.to_vec() }
}

fn decision(stage: Stage, name: &'static str, subject: &str) -> Decision {
    let peak = Input {
        name: "peak".to_owned(),
        value: 10.0,
        unit: Unit::PerSecond,
        grade: Grade::Given,
        source: "goals.peak".to_owned(),
    };
    let number = Computed {
        name: "load".to_owned(),
        value: 20.0,
        unit: Unit::PerSecond,
        formula: "peak × 2".to_owned(),
        inputs: vec![peak],
    };
    Decision {
        rule: "D099",
        name,
        stage,
        subject: subject.to_owned(),
        question: format!("which {name} for `{subject}`?"),
        choice: format!("the small {name}"),
        because: vec!["It is | enough.".to_owned()],
        alternatives: vec![Alternative {
            name: "the big one".to_owned(),
            lost: "it costs more".to_owned(),
            numbers: vec![number.clone()],
        }],
        numbers: vec![number],
        drivers: vec!["goals.peak".to_owned()],
        consequences: vec!["It stays small.".to_owned()],
        authority: Authority::Owns,
        consult: None,
        flips_at: vec!["peak above 100 rps".to_owned()],
        grade: Grade::Given,
        effect: Effect::RunsHere,
        pinned: None,
        settings: vec![("size", Setting::Number(1.0))],
    }
}

fn model() -> Model {
    let name = |text: &str| Name::new(text.to_owned(), Span::default());
    let mut model = Model { notation: 1, system: name("tasks"), ..Model::default() };
    model.constraints.team = Some(Spanned::new(3, Span::default()));
    model
}

/// The architecture, with one decision of each stage.
pub(crate) fn tasks() -> Architecture {
    use Stage::*;
    let stages = [
        (Boundaries, "boundaries", "system"),
        (Contracts, "errors", "system"),
        (Data, "cache", "desk.Task"),
        (Communication, "events", "system"),
        (Security, "threats", "callers"),
        (Resilience, "timeouts", "system"),
        (Capacity, "bottlenecks", "system"),
        (Operations, "roadmap", "system"),
    ];
    let decisions = stages.into_iter().map(|(stage, name, on)| decision(stage, name, on)).collect();
    let infeasible = Infeasible {
        goal: "goals.budget".to_owned(),
        claim: "9 USD do not buy a node.".to_owned(),
        numbers: Vec::new(),
        cures: vec!["`budget: 30 USD per month`".to_owned()],
    };
    Architecture {
        model: Valid::vouch(model()),
        domain: Domain {
            system: "tasks".to_owned(),
            title: "Tasks".to_owned(),
            summary: String::new(),
            tenancy: None,
            actors: vec![Actor {
                name: "owner".to_owned(),
                proof: Proof::Oidc,
                roles: Vec::new(),
                limit: None,
                across_tenants: false,
                claims: Vec::new(),
                issuer: None,
            }],
            contexts: vec![Context { name: "desk".to_owned(), about: "what is to do".to_owned() }],
            resources: vec![task(), step()],
            events: Vec::new(),
            receivers: Vec::new(),
            integrations: Vec::new(),
            reactions: Vec::new(),
            views: Vec::new(),
            schedules: Vec::new(),
            jobs: Vec::new(),
        },
        contract: contract(),
        schema: schema(),
        services: vec![Service {
            name: "tasks".to_owned(),
            contexts: vec!["desk".to_owned()],
            calls: Vec::new(),
        }],
        traffic: Vec::new(),
        decisions,
        infeasible: vec![infeasible],
        assumptions: Vec::new(),
        settings: Settings::default(),
    }
}

/// The same with events: `task.finished` of a command, `task.created` of a plain write, and a second
/// context that hears of the first.
pub(crate) fn eventful() -> Architecture {
    let mut architecture = tasks();
    let domain = &mut architecture.domain;
    domain.contexts.push(Context { name: "board".to_owned(), about: String::new() });
    domain.resources[0].commands[0].emits = vec!["task.finished".to_owned()];
    domain.resources[0].emits = vec![(Change::Created, "task.created".to_owned())];
    let member = |name: &str, field, ty| EventMember {
        name: name.to_owned(),
        field,
        ty,
        optional: name == "due",
        default: None,
    };
    let of = |field| FieldRef::Field(FieldId(field));
    let id = || member("id", FieldRef::Implicit(Implicit::Id), Type::Uuid);
    let event = |name: &str, data, webhook| Event {
        name: name.to_owned(),
        emitters: vec![ResourceId(0)],
        data,
        webhook,
        declared: name == "task.finished",
        inbound: None,
        version: 1,
        older: Vec::new(),
    };
    let created = vec![id(), member("title", of(0), Type::Text)];
    let finished = vec![
        id(),
        member("steps", of(2), Type::Json),
        member("reward", of(3), Type::Money { currency: None }),
        member("status", of(5), Type::Enum { values: Vec::new() }),
        member("due", of(6), Type::Date),
    ];
    domain.events = vec![
        event("task.created", created, Vec::new()),
        event("task.finished", finished, vec![ActorId(0)]),
    ];
    let yes = Expr { kind: ExprKind::Literal(Value::Bool(true)), ty: Type::Bool };
    let reopen = ir::domain::Effect::Command {
        resource: ResourceId(0),
        command: CommandId(1),
        id: None,
        inputs: Vec::new(),
    };
    let create = ir::domain::Effect::Create { resource: ResourceId(0), values: Vec::new() };
    let reaction =
        |when, effect| Reaction { context: ContextId(1), event: EventId(1), when, effect };
    domain.reactions = vec![reaction(None, create), reaction(Some(yes), reopen)];
    let mut rows = resource("Tally", "tallies", Vec::new());
    rows.context = ContextId(1);
    domain.views = vec![View {
        rows,
        from: vec![EventId(0)],
        key: Vec::new(),
        folds: Vec::new(),
        values: Vec::new(),
        fresh_seconds: 1.0,
        window: None,
    }];
    architecture
}

/// The same with another version of the second event: the first told other members.
pub(crate) fn versioned() -> Architecture {
    let mut architecture = eventful();
    let member = |name: &str, declared| field(name, declared);
    let mut person = member("person", FieldType::String);
    person.personal = true;
    let mut due = member("due", FieldType::Date);
    due.optional = true;
    let data = vec![
        member("id", FieldType::Uuid),
        member("prize", FieldType::Money { currency: None }),
        person,
        due,
    ];
    let event = &mut architecture.domain.events[1];
    event.version = 2;
    event.older = vec![OlderVersion { data, next: Vec::new() }];
    architecture
}
