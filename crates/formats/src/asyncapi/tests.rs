//! What stands in the document: who sends and receives what, and that it hangs together.

use super::{document, write};
use crate::fixture::{eventful, tasks, versioned};
use crate::tree::Node;
use expect_test::expect;
use std::collections::BTreeSet;

fn at<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    path.split('/').try_fold(node, |node, name| node.get(name))
}

fn eventful_document() -> Node {
    document(&eventful()).expect("there are events")
}

#[test]
fn where_nothing_is_published_there_is_no_document() {
    assert_eq!(write(&tasks()), None);
}

#[test]
fn every_reference_leads_somewhere_and_everything_shared_is_used() {
    let document = eventful_document();
    let mut used = BTreeSet::new();
    document.each_member(&mut |name, node| {
        if let ("$ref", Node::Text(target)) = (name, node) {
            let path = target.trim_start_matches("#/");
            assert!(at(&document, path).is_some(), "{target}");
            used.insert(path.to_owned());
        }
    });
    for kind in ["messages", "messageTraits", "correlationIds", "schemas"] {
        let path = format!("components/{kind}");
        let Some(Node::Map(members)) = at(&document, &path) else { panic!("no {kind}") };
        for (name, _) in members {
            assert!(used.contains(&format!("{path}/{name}")), "{kind}/{name} is unused");
        }
    }
}

#[test]
fn contexts_send_what_they_emit_and_receive_what_they_act_on() {
    let document = eventful_document();
    expect![[r##"
        desk.send.task.created.v1:
          action: send
          channel:
            $ref: "#/channels/task.created.v1"
          summary: "Sent by the creation of `Task`"
          tags:
            - name: desk
          messages:
            - $ref: "#/channels/task.created.v1/messages/task.created.v1"
        board.Tally.receive.task.created.v1:
          action: receive
          channel:
            $ref: "#/channels/task.created.v1"
          summary: Keeps the view up to date
          tags:
            - name: board
          messages:
            - $ref: "#/channels/task.created.v1/messages/task.created.v1"
        desk.send.task.finished.v1:
          action: send
          channel:
            $ref: "#/channels/task.finished.v1"
          summary: "Sent by the command `Task.finish`"
          tags:
            - name: desk
          messages:
            - $ref: "#/channels/task.finished.v1/messages/task.finished.v1"
        board.receive.task.finished.v1:
          action: receive
          channel:
            $ref: "#/channels/task.finished.v1"
          summary: "Creates `desk.Task` and does `desk.Task.reopen` where its condition holds"
          tags:
            - name: board
          messages:
            - $ref: "#/channels/task.finished.v1/messages/task.finished.v1"
    "##]]
    .assert_eq(&at(&document, "operations").expect("there are operations").yaml());
}

#[test]
fn a_channel_says_who_emits_who_hears_in_which_order_and_how_long() {
    let document = eventful_document();
    let mut told = String::new();
    for event in ["task.created.v1", "task.finished.v1"] {
        let channel = at(&document, &format!("channels/{event}/description"));
        let Some(Node::Text(text)) = channel else { panic!("no {event}") };
        told.push_str(&format!("{event}: {text}\n"));
    }
    expect![[r#"
        task.created.v1: Emitted by the creation of `Task`, in the transaction of the change. Events of one Task (`partitionkey`) come in order; each is delivered at least once and takes effect once, by its `id`. Kept for good, for a view is made of them. Received by the view `board.Tally`.
        task.finished.v1: Emitted by the command `Task.finish`, in the transaction of the change. Events of one Task (`partitionkey`) come in order; each is delivered at least once and takes effect once, by its `id`. Kept for 7 days. Received by `board` (creates `desk.Task` and does `desk.Task.reopen` where its condition holds). Webhooks for it may be registered by `owner`.
    "#]]
    .assert_eq(&told);
}

#[test]
fn nothing_stands_beside_a_reference() {
    let document = eventful_document();
    fn walk(node: &Node) {
        match node {
            Node::Map(members) => {
                let refers = members.iter().any(|(name, _)| name == "$ref");
                assert!(!refers || members.len() == 1, "{node:?}");
                members.iter().for_each(|(_, node)| walk(node));
            }
            Node::List(elements) => elements.iter().for_each(walk),
            Node::Null | Node::Bool(_) | Node::Int(_) | Node::Text(_) => {}
        }
    }
    walk(&document);
    let reward = at(&document, "components/schemas/task.finished.v1.data/properties/reward");
    assert!(reward.expect("it is there").get("allOf").is_some(), "it has bounds of its own");
}

#[test]
fn older_versions_are_messages_that_no_channel_sends() {
    let document = document(&versioned()).expect("it publishes");
    let older = at(&document, "components/messages/task.finished.v1").expect("it is described");
    expect![[r##"
        name: task.finished.v1
        title: task finished
        traits:
          - $ref: "#/components/messageTraits/cloudevent"
        payload:
          $ref: "#/components/schemas/task.finished.v1"
        description: "Told no more: it is in logs from before, and whoever reads it there is told `task.finished.v2`, which it is made into."
    "##]]
    .assert_eq(&older.yaml());
    let payload = at(&document, "components/schemas/task.finished.v1.data/properties/prize");
    assert!(payload.is_some());
    assert!(at(&document, "channels/task.finished.v1").is_none());
    let channel = at(&document, "channels/task.finished.v2/description").expect("it is sent");
    let Node::Text(about) = channel else { panic!("no text") };
    assert!(about.contains("What logs hold of `task.finished.v1` is read as this."), "{about}");
}
