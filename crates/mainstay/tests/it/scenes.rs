//! Scenes that several scenarios begin with: a running example, callers, a few rows.

use crate::harness::{Answer, Folder, Request, Server};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// A running example with the tokens that were asked for.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) folder: Folder,
    tokens: Mutex<BTreeMap<String, String>>,
}

impl Scene {
    /// The example, empty.
    #[track_caller]
    pub(crate) fn empty(example: &str) -> Self {
        Self::of(&format!("examples/{example}"), Folder::new())
    }

    /// The model, empty, with its data in a folder.
    #[track_caller]
    pub(crate) fn of(model: &str, folder: Folder) -> Self {
        Self::with(model, folder, &[])
    }

    /// The same, started with more arguments.
    #[track_caller]
    pub(crate) fn with(model: &str, folder: Folder, more: &[&str]) -> Self {
        let server = Server::start(model, &folder.0.join("data"), more);
        Self { server, folder, tokens: Mutex::default() }
    }

    /// The token of a caller: `shopper acme alice`, `staff.manager acme`, `system acme`; the
    /// tenant `-` is none.
    #[track_caller]
    pub(crate) fn token(&self, caller: &str) -> String {
        if let Some(token) = self.tokens.lock().expect("whole").get(caller) {
            return token.clone();
        }
        let mut words = caller.split(' ');
        let (actor, role) = {
            let word = words.next().unwrap_or_default();
            word.split_once('.').map_or((word, None), |(actor, role)| (actor, Some(role)))
        };
        let tenant = words.next().unwrap_or("-");
        let subject = words.next().unwrap_or(actor);
        let mut more = vec!["--subject", subject];
        if tenant != "-" {
            more.extend(["--tenant", tenant]);
        }
        if let Some(role) = role {
            more.extend(["--role", role]);
        }
        let token = self.server.token(actor, &more);
        self.tokens.lock().expect("whole").insert(caller.to_owned(), token.clone());
        token
    }

    /// A request of a caller.
    #[track_caller]
    pub(crate) fn request(&self, caller: &str, method: &str, path: &str) -> Request {
        self.server.request(method, path).bearer(&self.token(caller))
    }

    #[track_caller]
    pub(crate) fn get(&self, caller: &str, path: &str) -> Answer {
        self.request(caller, "GET", path).send()
    }

    #[track_caller]
    pub(crate) fn post(&self, caller: &str, path: &str, body: Value) -> Answer {
        self.request(caller, "POST", path).json(&body).send()
    }

    /// A command without input.
    #[track_caller]
    pub(crate) fn command(&self, caller: &str, path: &str) -> Answer {
        self.request(caller, "POST", path).send()
    }

    #[track_caller]
    pub(crate) fn patch(&self, caller: &str, path: &str, body: Value) -> Answer {
        self.request(caller, "PATCH", path)
            .bytes("application/merge-patch+json", body.to_string().into_bytes())
            .send()
    }

    #[track_caller]
    pub(crate) fn delete(&self, caller: &str, path: &str) -> Answer {
        self.request(caller, "DELETE", path).send()
    }
}

/// The text of a member.
#[track_caller]
pub(crate) fn text(value: &Value, member: &str) -> String {
    value[member].as_str().unwrap_or_else(|| panic!("no text `{member}` in {value}")).to_owned()
}

/// The ids of a page.
#[track_caller]
pub(crate) fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"));
    items.iter().map(|item| text(item, "id")).collect()
}

/// The pointers that a problem names.
#[track_caller]
pub(crate) fn pointers(problem: &Value) -> Vec<String> {
    let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors in {problem}"));
    errors.iter().map(|error| text(error, "pointer")).collect()
}

pub(crate) fn euro(amount: &str) -> Value {
    json!({"amount": amount, "currency": "EUR"})
}

/// A product of the shop, made by the tenant's manager; its id.
#[track_caller]
pub(crate) fn product(scene: &Scene, tenant: &str, sku: &str, price: &str) -> String {
    let body =
        json!({"sku": sku, "name": format!("Thing {sku}"), "price": euro(price), "stock": 50});
    let made = scene.post(&format!("staff.manager {tenant}"), "/v1/products", body).expect(201);
    text(&made, "id")
}

/// An order of that shopper for two of a product; its id.
#[track_caller]
pub(crate) fn order(scene: &Scene, shopper: &str, product: &str) -> String {
    let body = json!({"lines": [{"product": product, "quantity": 2}]});
    text(&scene.post(shopper, "/v1/orders", body).expect(201), "id")
}
