//! Traffic and volumes of the examples, by hand.

use crate::draft::inputs::{Inputs, Knob};
use crate::draft::load::{Load, Work};
use crate::draft::volume;
use crate::lower;
use crate::tests::{KIOSK, LINKS, NOTES, SHOP, valid};
use expect_test::{Expect, expect};
use std::collections::BTreeMap;

fn load(text: &str) -> Load {
    let model = valid(text);
    let domain = lower::domain(&model);
    Load::read(&model, &domain, &lower::contract(&domain), &Inputs::read(&model))
}

/// Pins `operation rate`, a line each; what is made inside is marked.
fn check(text: &str, expected: Expect) {
    let mut printed = String::new();
    for flow in load(text).flows {
        let inside = if flow.internal { " (inside)" } else { "" };
        let rate = ir::quantity::print(flow.rate.value, &flow.rate.unit);
        printed.push_str(&format!("{} {rate}{inside}\n", flow.operation));
    }
    expected.assert_eq(&printed);
}

#[test]
fn a_journey_s_share_is_of_journeys_and_workflows_add_what_they_call() {
    check(
        SHOP,
        expect![[r#"
            listProducts 343 rps
            getProduct 686 rps
            listOrders 51.4 rps
            getOrder 42.9 rps
            createOrder 34.3 rps
            placeOrder 34.3 rps
            shipOrder 8.57 rps
            reserveProduct 103 rps (inside)
            payOrder 34.3 rps (inside)
            createMessage 34.3 rps (inside)
            createMessage 8.57 rps (inside)
        "#]],
    );
}

#[test]
fn public_paths_are_traffic_too() {
    check(
        LINKS,
        expect![[r#"
        openLink 9,664 rps
        listLinks 119 rps
        getLink 119 rps
        createLink 29.6 rps
        updateLink 59.3 rps
        closeLink 9.88 rps
    "#]],
    );
}

#[test]
fn without_a_workload_every_resource_gets_the_same() {
    check(
        NOTES,
        expect![[r#"
        listNotes 15 rps
        createNote 5 rps
        getNote 25 rps
        updateNote 5 rps
    "#]],
    );
    assert!(load(NOTES).assumed);
}

#[test]
fn the_clients_rates_add_up_to_the_peak() {
    for (text, peak) in [(SHOP, 1_200.0), (LINKS, 10_000.0), (KIOSK, 60.0), (NOTES, 50.0)] {
        assert!((load(text).clients() - peak).abs() < 1e-6);
    }
}

#[test]
fn the_read_share_is_computed() {
    assert!((load(LINKS).reads() - 0.990_1).abs() < 1e-3);
    assert!(load(LINKS).client_rate(Work::Redirect) > 9_600.0);
}

#[test]
fn calls_outside_follow_the_starts_of_their_workflow() {
    let shop = load(SHOP);
    let starts = shop.workflows["place_order"];
    assert!((shop.to_integration("payments") - starts).abs() < 1e-9);
    assert!((shop.events["order.paid"] - starts).abs() < 1e-9);
}

fn rows(text: &str, change: impl Fn(Inputs) -> Inputs) -> BTreeMap<String, f64> {
    let model = valid(text);
    let domain = lower::domain(&model);
    let inputs = change(Inputs::read(&model));
    let load = Load::read(&model, &domain, &lower::contract(&domain), &inputs);
    let volumes = volume::read(&model, &domain, &BTreeMap::new(), &inputs, &load);
    volumes.iter().map(|one| (domain.full_name(one.resource), one.rows.value)).collect()
}

#[test]
fn rows_follow_what_is_stated_what_owns_them_and_what_makes_them() {
    let shop = rows(SHOP, |inputs| inputs);
    // 5,000 a month for 40 tenants over 18 months, growing to three times: twice in the mean.
    assert!((shop["ordering.Order"] - 7_200_000.0).abs() < 1.0);
    assert!((shop["ordering.OrderLine"] - 3.0 * shop["ordering.Order"]).abs() < 1.0);
    assert!((shop["notifications.Message"] - 2.0 * shop["ordering.Order"]).abs() < 1.0);
    assert!((shop["catalog.Product"] - 50_000.0 * 40.0 * 3.0).abs() < 1.0);
}

#[test]
fn more_children_mean_more_of_them_alone() {
    let few = rows(SHOP, |inputs| inputs);
    let many = rows(SHOP, |inputs| inputs.with(Knob::Children, 6.0));
    assert!((many["ordering.OrderLine"] / few["ordering.OrderLine"] - 2.0).abs() < 1e-9);
    assert!((many["ordering.Order"] - few["ordering.Order"]).abs() < 1e-9);
}
