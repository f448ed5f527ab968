//! Whole files into models.

use super::{EVERYTHING, read};
use crate::diagnostic::terminal;
use crate::requirements::construct::{Construct, MODEL, Shape};
use crate::requirements::format;
use crate::requirements::tree::{self, Kind, Node};
use expect_test::expect_file;
use ir::{Model, Sources};
use std::collections::{BTreeMap, BTreeSet};

const EXAMPLES: [(&str, &str); 4] = [
    ("shop", include_str!("../../../../../examples/shop/mainstay.yaml")),
    ("links", include_str!("../../../../../examples/links/mainstay.yaml")),
    ("clinic", include_str!("../../../../../examples/clinic/mainstay.yaml")),
    ("kiosk", include_str!("../../../../../examples/kiosk/mainstay.yaml")),
];

/// The model of a text without faults.
fn model(text: &str) -> Model {
    let sources = Sources::one("mainstay.yaml", text);
    let (model, diagnostics) = read(&sources);
    assert_eq!(terminal(&sources, &diagnostics, false), "");
    model
}

#[test]
fn every_example_is_read_without_a_fault() {
    for (name, text) in EXAMPLES {
        assert_eq!(model(text).system.value, name);
    }
}

#[test]
fn a_seven_line_model_is_a_model() {
    let text = "system: notes\nactors: {user: oidc}\ncontexts:\n  notes:\n    resources:\n      \
                Note: { fields: { text: string max 200 }, allow: { read: anyone, write: user } }\n";
    let model = model(text);
    let note = &model.contexts[0].resources[0];
    assert_eq!(note.fields[0].max.as_ref().map(|max| max.text.as_str()), Some("200"));
    assert_eq!(note.allow.write[0].actor, "user");
}

#[test]
fn every_key_of_every_construct_reaches_the_model() {
    let text = serde_json::to_string_pretty(&model(EVERYTHING)).expect("a model has a JSON form");
    expect_file!["everything.json"].assert_eq(&(text + "\n"));
}

#[test]
fn the_file_of_everything_sets_every_key_of_the_table() {
    let tree = tree::parse(0, EVERYTHING);
    let mut set = BTreeMap::new();
    walk(tree.root.as_ref().expect("a root"), &Shape::One(&MODEL), &mut set);
    for (construct, (keys, met)) in set {
        let missing: Vec<&&str> = keys.difference(&met).collect();
        assert_eq!(missing, Vec::<&&str>::new(), "{construct}");
    }
}

type Keys = BTreeSet<&'static str>;

/// Notes for each construct its keys and those that are set somewhere.
fn walk(node: &Node, shape: &Shape, set: &mut BTreeMap<&'static str, (Keys, Keys)>) {
    match (shape, &node.kind) {
        (Shape::One(construct), Kind::Map(map)) => {
            note(construct, set);
            for entry in &map.entries {
                match (construct.key(&entry.key.value), &construct.others) {
                    (Some(key), _) => {
                        let met = &mut set.get_mut(construct.name).expect("just noted").1;
                        met.insert(key.name);
                        walk(&entry.value, &key.shape, set);
                    }
                    (None, Some(others)) => walk(&entry.value, &others.shape, set),
                    (None, None) => panic!("{} is no key", entry.key.value),
                }
            }
        }
        (Shape::Named(_, inner), Kind::Map(map)) => {
            map.entries.iter().for_each(|entry| walk(&entry.value, inner, set));
        }
        (Shape::List(inner) | Shape::Some(inner), Kind::List(list)) => {
            list.items.iter().for_each(|item| walk(item, inner, set));
        }
        (Shape::Some(inner), _) => walk(node, inner, set),
        (Shape::Sets(construct), Kind::List(list)) => {
            list.items.iter().for_each(|item| walk(item, &Shape::One(construct), set));
        }
        _ => {}
    }
}

fn note(construct: &'static Construct, set: &mut BTreeMap<&'static str, (Keys, Keys)>) {
    let keys = construct.keys.iter().map(|key| key.name);
    // An operation and a lookup have one method each, whichever it is.
    let methods = ["get", "put", "patch", "delete", "post"];
    let keys = keys.filter(|key| {
        !(["operation", "lookup"].contains(&construct.name) && methods.contains(key))
    });
    set.entry(construct.name).or_insert_with(|| (keys.collect(), Keys::new()));
}

#[test]
fn short_forms_mean_what_the_long_ones_mean() {
    let short = format(EVERYTHING).expect("everything can be printed");
    assert_ne!(short, EVERYTHING);
    expect_file!["everything.short.yaml"].assert_eq(&short);
    let meaning = |text: &str| {
        let value = serde_json::to_string(&model(text)).expect("a model has a JSON form");
        // Flags are places; only that they are set has a meaning.
        value.replace(|c: char| c.is_ascii_digit(), "")
    };
    assert_eq!(meaning(&short), meaning(EVERYTHING));
}

#[test]
fn variables_are_collected_with_the_place_that_uses_them() {
    let model = model(EVERYTHING);
    let used: Vec<_> = model
        .variables
        .iter()
        .map(|variable| (variable.name.as_str(), variable.file, variable.used_by.as_str()))
        .collect();
    let wanted = [
        ("MAIL_KEY", false, "integrations.mail.auth"),
        ("/run/secret", true, "integrations.mail.auth"),
        ("MAIL_OLD", false, "integrations.mail.webhooks.secret"),
        ("/run/secret", true, "integrations.mail.webhooks.secret"),
    ];
    assert_eq!(used, wanted);
}
