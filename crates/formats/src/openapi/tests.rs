//! The document of a small architecture: what holds for every document, and what a body may hold.

use super::{Writing, document};
use crate::example::Examples;
use crate::fixture::tasks;
use crate::openapi::schemas::SchemaNames;
use crate::tree::Node;
use expect_test::expect;
use std::collections::BTreeSet;

fn at<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    path.split('/').try_fold(node, |node, name| node.get(&name.replace("~1", "/")))
}

fn schema(name: &str) -> String {
    let document = document(&tasks());
    at(&document, &format!("components/schemas/{name}")).expect("the schema is there").yaml()
}

#[test]
fn every_reference_leads_somewhere_and_everything_shared_is_used() {
    let document = document(&tasks());
    let mut used = BTreeSet::new();
    document.each_member(&mut |name, node| {
        if let ("$ref", Node::Text(target)) = (name, node) {
            let path = target.trim_start_matches("#/");
            assert!(at(&document, path).is_some(), "{target}");
            used.insert(path.to_owned());
        }
    });
    for kind in ["parameters", "headers", "responses", "examples", "schemas"] {
        let Some(Node::Map(members)) = at(&document, &format!("components/{kind}")) else {
            panic!("no {kind}");
        };
        for (name, _) in members {
            assert!(used.contains(&format!("components/{kind}/{name}")), "{kind}/{name} is unused");
        }
    }
}

#[test]
fn the_systems_own_commands_are_left_out() {
    let yaml = super::write(&tasks());
    assert!(yaml.contains("finishTask"));
    assert!(!yaml.contains("reopen"), "an internal command is in the document");
}

#[test]
fn both_forms_hold_the_same_and_are_the_same_each_time() {
    let architecture = tasks();
    assert_eq!(super::write(&architecture), super::write(&architecture));
    let json: serde_json::Value =
        serde_json::from_str(&super::write_json(&architecture)).expect("it is JSON");
    assert_eq!(json["openapi"], "3.1.0");
    assert_eq!(json["paths"]["/v1/tasks"]["get"]["operationId"], "listTasks");
}

#[test]
fn what_is_read_requires_what_every_reader_gets() {
    expect![[r##"
        type: object
        required: [id, title, owner, steps, status, due, created_at, updated_at]
        properties:
          id:
            type: string
            format: uuid
            readOnly: true
          title:
            type: string
            maxLength: 40
            pattern: "^[^\\x00]*$"
          owner:
            type: string
            pattern: "^[^\\x00]*$"
          steps:
            type: array
            items:
              $ref: "#/components/schemas/Step"
          reward:
            $ref: "#/components/schemas/Money"
            properties:
              amount:
                type: string
                pattern: "^[0-9]"
            description: At least 0
          status:
            type: string
            enum: [open, done]
            readOnly: true
          due:
            type: [string, "null"]
            format: date
          created_at:
            type: string
            format: date-time
            readOnly: true
          updated_at:
            type: string
            format: date-time
            readOnly: true
    "##]]
    .assert_eq(&schema("Task"));
}

#[test]
fn what_creates_holds_what_the_client_gives_and_nothing_else() {
    expect![[r##"
        type: object
        required: [title, steps, reward, pin]
        properties:
          title:
            type: string
            maxLength: 40
            pattern: "^[^\\x00]*$"
          steps:
            type: array
            minItems: 1
            maxItems: 9
            items:
              $ref: "#/components/schemas/StepCreate"
          reward:
            $ref: "#/components/schemas/Money"
            properties:
              amount:
                type: string
                pattern: "^[0-9]"
            description: At least 0
          pin:
            type: string
            pattern: "^[^\\x00]*$"
            writeOnly: true
          due:
            type: [string, "null"]
            format: date
        additionalProperties: false
    "##]]
    .assert_eq(&schema("TaskCreate"));
}

#[test]
fn children_that_stay_are_named_by_their_id() {
    expect![[r#"
        type: object
        required: [text]
        properties:
          id:
            type: string
            format: uuid
            description: Of a row that stays; a new one has none
          text:
            type: string
            pattern: "^[^\\x00]*$"
          size:
            type: integer
            format: int64
            minimum: -9223372036854775808
            maximum: 9223372036854775807
        additionalProperties: false
    "#]]
    .assert_eq(&schema("StepReplace"));
}

#[test]
fn inputs_of_a_command_are_held_to_their_pattern_and_have_an_example_of_it() {
    expect![[r#"
        type: object
        required: [code]
        properties:
          code:
            type: string
            pattern: "^(?:[A-Z]{2}[0-9]+)$"
        additionalProperties: false
    "#]]
    .assert_eq(&schema("TaskFinishInput"));
    let document = document(&tasks());
    let body = at(&document, "paths/~1v1~1tasks~1{id}~1finish/post/requestBody/content");
    expect![[r##"
        application/json:
          schema:
            $ref: "#/components/schemas/TaskFinishInput"
          example:
            code: AB2
    "##]]
    .assert_eq(&body.expect("finish has a body").yaml());
}

#[test]
fn a_list_names_every_filter_with_the_form_of_its_value() {
    let document = document(&tasks());
    let Some(Node::List(parameters)) = at(&document, "paths/~1v1~1tasks/get/parameters") else {
        panic!("the list has parameters");
    };
    let line = |node: &Node| match (node.get("name"), node.get("schema"), node.get("$ref")) {
        (Some(Node::Text(name)), Some(schema), _) => {
            format!("{name}: {}\n", schema.yaml().trim_end().replace('\n', "; "))
        }
        (_, _, Some(Node::Text(target))) => format!("{target}\n"),
        other => panic!("{other:?}"),
    };
    let printed: String = parameters.iter().map(line).collect();
    expect![[r##"
        #/components/parameters/limit
        #/components/parameters/cursor
        #/components/parameters/ifNoneMatch
        sort: type: array; items:;   type: string;   enum: [id, "-id", title, "-title", due, "-due"]; minItems: 1; uniqueItems: true; maxItems: 4
        fields: type: array; items:;   type: string;   enum: [id, title, owner, steps, reward, status, due, created_at, updated_at]; minItems: 1; uniqueItems: true
        expand: type: array; items:;   type: string;   enum: [steps]; minItems: 1; uniqueItems: true
        q: type: string; pattern: "^[^\\x00]*[\\p{L}\\p{N}][^\\x00]*$"
        #/components/parameters/id
        #/components/parameters/id.in
        title: type: string; pattern: "^[^\\x00]*$"
        title.in: type: array; items:;   type: string;   pattern: "^[^,\\x00]+$"; minItems: 1; maxItems: 100
        title.prefix: type: string; pattern: "^[^\\x00]*$"
        due: type: string; format: date
        due.gte: type: string; format: date
        due.null: type: boolean
    "##]].assert_eq(&printed);
}

#[test]
fn resources_named_as_the_document_names_its_own_give_way() {
    let mut architecture = tasks();
    architecture.domain.resources[0].name = "Problem".to_owned();
    let domain = &architecture.domain;
    let names = SchemaNames::of(domain);
    assert_eq!(names.one(ir::domain::ResourceId(0)), "Problem_");
    let writing = Writing { architecture: &architecture, names, examples: Examples { domain } };
    assert_eq!(writing.actors(ir::model::Proof::ApiKey), Vec::<&str>::new());
}

#[test]
fn answers_link_to_what_can_be_done_next() {
    let document = document(&tasks());
    let links = |path: &str| at(&document, path).expect("there are links").yaml();
    expect![[r#"
        getTask:
          operationId: getTask
          parameters:
            id: "$response.body#/id"
          description: Does it
        replaceTask:
          operationId: replaceTask
          parameters:
            id: "$response.body#/id"
          description: Does it
        updateTask:
          operationId: updateTask
          parameters:
            id: "$response.body#/id"
          description: Does it
        finishTask:
          operationId: finishTask
          parameters:
            id: "$response.body#/id"
          description: Does it
    "#]]
    .assert_eq(&links("paths/~1v1~1tasks/post/responses/201/links"));
    expect![[r#"
        getTask:
          operationId: getTask
          parameters:
            id: "$response.body#/items/0/id"
          description: The first of them
        next:
          operationId: listTasks
          parameters:
            cursor: "$response.body#/next_cursor"
          description: The next page, with the same filters and order
    "#]]
    .assert_eq(&links("paths/~1v1~1tasks/get/responses/200/links"));
}
