//! What an event may hold, and that each file stands alone.

use super::{Writing, document, write};
use crate::fixture::{eventful, tasks, versioned};
use crate::tree::Node;
use expect_test::expect;
use ir::architecture::Architecture;
use ir::domain::{ContextId, Domain, EventMember, FieldId, Grant, ResourceId, Source, Tenancy};
use ir::expr::{Aggregate, Expr, ExprKind, FieldRef, Implicit, Type};
use ir::model::Isolation;
use std::collections::BTreeSet;

fn schema(architecture: &Architecture, event: usize) -> Node {
    document(&Writing::of(architecture), &architecture.domain.events[event])
}

fn at<'a>(node: &'a Node, path: &str) -> &'a Node {
    let step = |node: &'a Node, name| node.get(name);
    path.split('/').try_fold(node, step).unwrap_or_else(|| panic!("nothing at {path}"))
}

fn texts(node: &Node) -> Vec<&str> {
    let Node::List(elements) = node else { panic!("no list") };
    fn text(element: &Node) -> &str {
        let Node::Text(text) = element else { panic!("no text") };
        text
    }
    elements.iter().map(text).collect()
}

#[test]
fn data_is_typed_by_the_members_and_open_for_more() {
    expect![[r##"
        type: object
        description: "Members of `data` that a consumer does not know are to be ignored: more may come. What is not required is left out for those who may not read it, and where a person was erased."
        required: [id, steps, status, due]
        properties:
          id:
            type: string
            format: uuid
          steps:
            type: array
            items:
              $ref: "#/$defs/Step"
          reward:
            allOf:
              - $ref: "#/$defs/Money"
            properties:
              amount:
                type: string
                pattern: "^[0-9]"
            description: At least 0
          status:
            type: string
            enum: [open, done]
          due:
            type: [string, "null"]
            format: date
    "##]]
    .assert_eq(&at(&schema(&eventful(), 1), "properties/data").yaml());
}

#[test]
fn an_owned_row_is_whole() {
    expect![[r#"
        type: object
        required: [id, text, size]
        properties:
          id:
            type: string
            format: uuid
          text:
            type: string
            pattern: "^[^\\x00]*$"
          size:
            type: integer
            format: int64
            minimum: -9223372036854775808
            maximum: 9223372036854775807
    "#]]
    .assert_eq(&at(&schema(&eventful(), 1), "$defs/Step").yaml());
}

#[test]
fn the_attributes_name_this_event_and_no_other() {
    let schema = schema(&eventful(), 1);
    let properties = at(&schema, "properties");
    assert_eq!(at(properties, "source/const"), &"/tasks/desk".into());
    assert_eq!(at(properties, "type/const"), &"task.finished.v1".into());
    let Node::Text(subject) = at(properties, "subject/pattern") else { panic!("no pattern") };
    assert!(subject.starts_with("^tasks/[0-9a-f]{8}-"), "{subject}");
    assert!(properties.get("tenant").is_none(), "there are no tenants");
}

#[test]
fn what_several_emit_comes_from_each_and_tells_what_all_of_them_tell() {
    let mut architecture = eventful();
    let domain = &mut architecture.domain;
    domain.resources[1].context = ContextId(1);
    domain.events[0].emitters.push(ResourceId(1));
    let schema = schema(&architecture, 0);
    let sources = texts(at(&schema, "properties/source/enum"));
    assert_eq!(sources, ["/tasks/board", "/tasks/desk"]);
    let Node::Text(subject) = at(&schema, "properties/subject/pattern") else { panic!() };
    assert!(subject.starts_with("^(?:steps|tasks)/"), "{subject}");
    assert_eq!(texts(at(&schema, "properties/data/required")), ["id"], "a step has no title");
}

#[test]
fn a_member_of_two_types_may_be_either() {
    let mut architecture = eventful();
    let domain = &mut architecture.domain;
    domain.resources[1].fields[1].name = "title".to_owned();
    domain.events[0].emitters.push(ResourceId(1));
    let schema = schema(&architecture, 0);
    let Node::List(forms) = at(&schema, "properties/data/properties/title/anyOf") else { panic!() };
    let types: Vec<_> = forms.iter().filter_map(|form| form.get("type")).collect();
    assert_eq!(types, [&"string".into(), &"integer".into()]);
    assert_eq!(texts(at(&schema, "properties/data/required")), ["id", "title"]);
}

#[test]
fn rows_with_a_member_that_only_some_may_read_are_not_promised() {
    let mut architecture = eventful();
    let promised = |architecture: &Architecture| {
        texts(at(&schema(architecture, 1), "properties/data/required")).contains(&"steps")
    };
    assert!(promised(&architecture));
    architecture.domain.resources[1].fields[0].read = Some(Vec::<Grant>::new());
    assert!(!promised(&architecture));
}

#[test]
fn what_goes_with_a_person_is_not_promised_nor_what_is_made_of_it() {
    let promised = |change: &dyn Fn(&mut Domain)| {
        let mut architecture = eventful();
        change(&mut architecture.domain);
        let schema = schema(&architecture, 1);
        texts(at(&schema, "properties/data/required")).join(" ")
    };
    assert_eq!(promised(&|_| {}), "id steps status due");
    assert_eq!(
        promised(&|domain| domain.resources[0].fields[6].personal = true),
        "id steps status"
    );
    let of_a_person = |domain: &mut Domain| domain.resources[1].fields[0].personal = true;
    assert_eq!(promised(&of_a_person), "id status due", "a step holds something personal");
    let due = |domain: &mut Domain, kind| {
        let made = Expr { kind, ty: Type::Text };
        domain.resources[0].fields[6].source = Source::Computed(made);
    };
    let text = Expr { kind: ExprKind::Field(FieldRef::Field(FieldId(0))), ty: Type::Text };
    let folded = ExprKind::Aggregate(Aggregate::Max, FieldId(2), Some(Box::new(text)));
    let made = |domain: &mut Domain| {
        of_a_person(domain);
        due(domain, folded.clone());
    };
    assert_eq!(promised(&made), "id status");
    let pin = ExprKind::Field(FieldRef::Field(FieldId(4)));
    assert_eq!(promised(&|domain| due(domain, pin.clone())), "id steps status");
    let title = ExprKind::Field(FieldRef::Field(FieldId(0)));
    assert_eq!(promised(&|domain| due(domain, title.clone())), "id steps status due");
}

#[test]
fn the_tenant_is_promised_where_every_row_has_one() {
    let mut architecture = eventful();
    architecture.domain.tenancy =
        Some(Tenancy { isolation: Isolation::Row, claim: "org".to_owned(), host: None });
    let promised = |architecture: &Architecture| {
        let schema = schema(architecture, 0);
        assert!(at(&schema, "properties").get("tenant").is_some());
        texts(at(&schema, "required")).contains(&"tenant")
    };
    assert!(!promised(&architecture), "the tasks are shared by all tenants");
    architecture.domain.resources[0].shared = false;
    assert!(promised(&architecture));
}

#[test]
fn the_example_shows_the_state_that_the_command_leads_to() {
    let schema = schema(&eventful(), 1);
    let Node::List(examples) = at(&schema, "examples") else { panic!("no example") };
    assert_eq!(at(&examples[0], "data/status"), &"done".into());
    assert_eq!(at(&examples[0], "type"), &"task.finished.v1".into());
}

#[test]
fn each_file_stands_alone_and_holds_nothing_unused() {
    let mut architecture = eventful();
    let created = EventMember {
        name: "created_at".to_owned(),
        field: FieldRef::Implicit(Implicit::CreatedAt),
        ty: Type::Timestamp,
        optional: false,
        default: None,
    };
    architecture.domain.events[0].data.push(created);
    let files = write(&architecture);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["task.created.v1.json", "task.finished.v1.json"]);
    for (name, text) in &files {
        let json: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
        let mut used = BTreeSet::new();
        fn walk(value: &serde_json::Value, used: &mut BTreeSet<String>) {
            if let Some(target) = value.get("$ref").and_then(|target| target.as_str()) {
                used.insert(target.to_owned());
            }
            if let Some(members) = value.as_object() {
                members.values().for_each(|member| walk(member, used));
            }
            value.as_array().into_iter().flatten().for_each(|element| walk(element, used));
        }
        walk(&json, &mut used);
        let defs = json.get("$defs").and_then(|defs| defs.as_object());
        let there = defs.into_iter().flat_map(|defs| defs.keys());
        let there: BTreeSet<String> = there.map(|name| format!("#/$defs/{name}")).collect();
        assert_eq!(used, there, "{name}");
    }
    assert_eq!(files, write(&architecture));
}

#[test]
fn an_older_version_keeps_its_file_which_says_what_it_is_read_as() {
    let files = write(&versioned());
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["task.created.v1.json", "task.finished.v1.json", "task.finished.v2.json"]);
    let schema = |at: usize| -> serde_json::Value {
        serde_json::from_str(&files[at].1).expect("it is JSON")
    };
    let (older, current) = (schema(1), schema(2));
    assert_eq!(older["properties"]["type"]["const"], "task.finished.v1");
    assert_eq!(older["deprecated"], true);
    assert!(
        older["description"].as_str().is_some_and(|about| about.contains("`task.finished.v2`"))
    );
    assert_eq!(older["properties"]["data"]["required"], serde_json::json!(["id", "prize"]));
    assert!(older["$defs"]["Money"].is_object(), "it stands alone");
    assert_eq!(current["properties"]["type"]["const"], "task.finished.v2");
    assert_eq!(current["examples"][0]["type"], "task.finished.v2");
    expect![[r##"
        {
          "description": "Members of `data` that a consumer does not know are to be ignored: more may come.",
          "properties": {
            "due": {
              "format": "date",
              "type": [
                "string",
                "null"
              ]
            },
            "id": {
              "format": "uuid",
              "type": "string"
            },
            "person": {
              "pattern": "^[^\\x00]*$",
              "type": "string"
            },
            "prize": {
              "$ref": "#/$defs/Money"
            }
          },
          "required": [
            "id",
            "prize"
          ],
          "type": "object"
        }"##]]
    .assert_eq(&serde_json::to_string_pretty(&older["properties"]["data"]).expect("JSON"));
}

#[test]
fn where_nothing_is_published_there_is_no_file() {
    assert_eq!(write(&tasks()), []);
}
