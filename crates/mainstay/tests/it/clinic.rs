//! The clinics: a file per tenant, strict roles, personal fields, appointments that never overlap.

use crate::harness::{Folder, until};
use crate::receiver::{Receiver, Reply};
use crate::scenes::{Scene, pointers, text};
use crate::webhooks_in::{mac, seconds};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const RECEPTION: &str = "staff.reception north rita";
const NURSE: &str = "staff.nurse north nora";
const DOCTOR: &str = "doctor north dora";
const PATIENT: &str = "patient north paul";

fn appointment(doctor: &str, start: &str, end: &str) -> Value {
    json!({"patient": "paul", "doctor": doctor, "during": {"start": start, "end": end}})
}

fn book(clinic: &Scene, key: &str, body: &Value) -> crate::harness::Answer {
    let post = clinic.request(RECEPTION, "POST", "/v1/appointments").json(body);
    post.header("idempotency-key", key).send()
}

#[test]
fn each_clinic_has_a_file_of_its_own() {
    let clinic = Scene::empty("clinic");
    let body = appointment("dora", "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    book(&clinic, "1", &body).expect(201);
    let names: Vec<String> = walk(&clinic.folder.0.join("data"));
    assert!(names.iter().any(|name| name.ends_with("north.db")), "{names:?}");
    let other = clinic.get("staff.reception south sara", "/v1/appointments").expect(200);
    assert!(other["items"].as_array().unwrap().is_empty());
    let names = walk(&clinic.folder.0.join("data"));
    assert!(
        !names.iter().any(|name| name.ends_with("south.db")),
        "reading makes no file: {names:?}"
    );
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(walk(&path))
        } else {
            found.push(path.display().to_string())
        }
    }
    found
}

#[test]
pub(crate) fn a_doctor_is_never_booked_twice_at_one_time() {
    let clinic = Scene::empty("clinic");
    let at = |doctor: &str, start: &str, end: &str| {
        appointment(doctor, &format!("2026-12-01T{start}:00Z"), &format!("2026-12-01T{end}:00Z"))
    };
    book(&clinic, "1", &at("dora", "09:00", "09:30")).expect(201);
    let refused = book(&clinic, "2", &at("dora", "09:15", "09:45"));
    assert_eq!(refused.problem(409), "overlap");
    book(&clinic, "3", &at("dora", "09:30", "10:00")).expect(201);
    book(&clinic, "4", &at("dirk", "09:15", "09:45")).expect(201);
    let backwards = book(&clinic, "5", &at("dora", "12:00", "11:00"));
    assert_eq!(backwards.problem(422), "invalid-value");
}

#[test]
fn a_booking_needs_a_key_and_a_change_of_a_patient_needs_if_match() {
    let clinic = Scene::empty("clinic");
    let body = appointment("dora", "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let bare = clinic.post(RECEPTION, "/v1/appointments", body);
    assert_eq!(bare.problem(400), "key-required");
    let patient = json!({"account": "paul", "name": "Paul", "born": "1980-02-29", "email": "paul@example.org"});
    let made = clinic.post(RECEPTION, "/v1/patients", patient);
    let path = format!("/v1/patients/{}", text(&made.expect(201), "id"));
    let refused = clinic.patch(RECEPTION, &path, json!({"phone": "1"}));
    assert_eq!(refused.problem(428), "precondition-required");
    let patch = clinic.request(RECEPTION, "PATCH", &path);
    let patch = patch.bytes("application/merge-patch+json", b"{\"phone\":\"1\"}".to_vec());
    patch.header("if-match", made.header("etag")).send().expect(200);
}

#[test]
fn details_are_for_doctors_alone() {
    let clinic = Scene::empty("clinic");
    let body = appointment("dora", "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let booked = text(&book(&clinic, "1", &body).expect(201), "id");
    let entry =
        json!({"appointment": booked, "kind": "finding", "summary": "well", "detail": "very well"});
    let made = clinic.post(DOCTOR, "/v1/entries", entry).expect(201);
    let path = format!("/v1/entries/{}", text(&made, "id"));
    assert_eq!(clinic.get(DOCTOR, &path).expect(200)["detail"], "very well");
    let nurse = clinic.get(NURSE, &path).expect(200);
    assert!(nurse.get("detail").is_none(), "{nurse}");
    assert_eq!(nurse["summary"], "well");
    for query in ["detail=very%20well", "sort=detail", "fields=detail", "detail.prefix=v"] {
        let refused = clinic.get(NURSE, &format!("/v1/entries?{query}"));
        assert_eq!(refused.status, 400, "{query}: {}", refused.text());
    }
    assert_eq!(clinic.get(RECEPTION, &path).problem(404), "not-found");
    assert_eq!(clinic.get(PATIENT, &path).problem(404), "not-found");
}

#[test]
pub(crate) fn a_doctor_may_only_refer_to_appointments_that_they_may_see() {
    let clinic = Scene::empty("clinic");
    let body = appointment("dirk", "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    let booked = text(&book(&clinic, "1", &body).expect(201), "id");
    let entry = json!({"appointment": booked, "kind": "finding", "summary": "s", "detail": "d"});
    let refused = clinic.post(DOCTOR, "/v1/entries", entry);
    assert_eq!(refused.problem(422), "unknown-reference");
    assert_eq!(pointers(&refused.json()), ["/appointment"]);
}

#[test]
fn support_looks_into_the_clinic_that_it_names() {
    let clinic = Scene::empty("clinic");
    let body = appointment("dora", "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z");
    book(&clinic, "1", &body).expect(201);
    let list = |host: &str| {
        clinic.request("support - sam", "GET", "/v1/appointments").header("host", host).send()
    };
    let seen = list("north.localhost").expect(200);
    assert_eq!(seen["items"].as_array().map(Vec::len), Some(1));
    assert!(list("south.localhost").expect(200)["items"].as_array().unwrap().is_empty());
}

#[test]
fn personal_fields_never_reach_the_log() {
    let clinic = Scene::empty("clinic");
    let patient = json!({"account": "paul", "name": "Unmistakable Name", "born": "1980-02-29", "email": "unmistakable@example.org"});
    clinic.post(RECEPTION, "/v1/patients", patient).expect(201);
    clinic.get(RECEPTION, "/v1/patients?email=unmistakable@example.org").expect(200);
    clinic.get(RECEPTION, "/v1/patients?q=unmistakable").expect(200);
    let bad =
        json!({"account": "paul", "name": "Unmistakable Name", "born": "not a date", "email": "e"});
    clinic.post(RECEPTION, "/v1/patients", bad).expect(422);
    let log = clinic.server.log();
    assert!(!log.to_lowercase().contains("unmistakable"), "{log}");
    let token = clinic.token(RECEPTION);
    assert!(!log.contains(token.rsplit('.').next().expect("a token")), "{log}");
}

/// The clinics, whose mail is a receiver.
fn with_mail(mail: &Receiver, secret: &str) -> Scene {
    let model = include_str!("../../../../examples/clinic/mainstay.yaml")
        .replace("${MAIL_URL}", &mail.base)
        .replace("${MAIL_KEY}", "${file:mail.key}")
        .replace("${MAIL_WEBHOOK_SECRET}", "${file:mail.secret}");
    let folder = Folder::new()
        .with("mainstay.yaml", &model)
        .with("mail.key", "key")
        .with("mail.secret", secret);
    let model = folder.path().to_owned();
    Scene::of(&model, folder)
}

#[test]
pub(crate) fn a_reminder_is_mailed_reported_back_and_sent_again_when_reception_asks() {
    let mail = Receiver::start(|_, _| Reply::Status(202));
    let secret = format!("whsec_{}", STANDARD.encode([7; 32]));
    let clinic = with_mail(&mail, &secret);
    let body = appointment("dora", "2030-12-01T09:00:00Z", "2030-12-01T09:30:00Z");
    let id = text(&book(&clinic, "1", &body).expect(201), "id");
    let path = format!("/v1/appointments/{id}");
    let ask = |caller: &str, key: &str| {
        let post = clinic.request(caller, "POST", "/v1/operations/remind-again");
        post.json(&json!({"appointment": id})).header("idempotency-key", key).send()
    };
    let shows = |reminder: &str| {
        let now = || clinic.get(RECEPTION, &path).expect(200);
        until(now, || now()["reminder"] == reminder);
    };
    let report = |number: usize, event: &str| {
        let (id, at) = (format!("report-{number}"), seconds());
        let body = json!({"type": event, "data": {"appointment": id_of(&mail)}}).to_string();
        let tag = mac(&[7; 32], format!("{id}.{at}.{body}").as_bytes());
        let post = clinic.server.request("POST", "/v1/webhooks/in/mail");
        let sent = post
            .bytes("application/json", body.into())
            .header("host", "north.localhost")
            .header("webhook-id", &id)
            .header("webhook-timestamp", &at.to_string())
            .header("webhook-signature", &format!("v1,{}", STANDARD.encode(tag)));
        assert_eq!(sent.send().expect(202), json!({"outcome": "accepted"}));
    };
    assert_eq!(ask(PATIENT, "1").problem(403), "forbidden");
    ask(RECEPTION, "1").expect(202);
    let got = mail.await_count(1)[0].clone();
    let starts = "2030-12-01T09:00:00Z";
    let wanted = json!({"recipient": "paul", "appointment": id, "starts": starts});
    assert_eq!((&*got.path, got.json()), ("/mails", wanted));
    assert_eq!(got.header("authorization"), "Bearer key");
    shows("sent");
    report(1, "bounced");
    shows("bounced");
    ask(RECEPTION, "2").expect(202);
    let got = mail.await_count(2);
    assert_ne!(got[0].header("idempotency-key"), got[1].header("idempotency-key"));
    report(2, "delivered");
    shows("delivered");
    assert_eq!(clinic.get(PATIENT, &path).expect(200)["reminder"], "delivered");
}

/// The appointment of the last mail.
fn id_of(mail: &Receiver) -> String {
    text(&mail.got().last().expect("a mail").json(), "appointment")
}

#[test]
fn arrivals_are_counted_by_the_hour_and_each_doctor_sees_the_own() {
    let clinic = Scene::empty("clinic");
    for (key, doctor) in [("1", "dora"), ("2", "dirk")] {
        let body = appointment(doctor, "2030-12-01T09:00:00Z", "2030-12-01T09:30:00Z");
        let id = text(&book(&clinic, key, &body).expect(201), "id");
        let arrive = clinic.request(RECEPTION, "POST", &format!("/v1/appointments/{id}/arrive"));
        arrive.header("idempotency-key", &format!("arrive-{key}")).send().expect(200);
    }
    let shown = |caller: &str| {
        let list = clinic.request(caller, "GET", "/v1/arrivals-by-hour").header("prefer", "wait=5");
        let list = list.send().expect(200)["items"].as_array().expect("items").clone();
        let mut doctors: Vec<String> = list.iter().map(|row| text(row, "doctor")).collect();
        assert!(list.iter().all(|row| row["patients"] == 1 && row["closed"] == false), "{list:?}");
        doctors.sort_unstable();
        doctors
    };
    assert_eq!(shown("staff.manager north mo"), ["dirk", "dora"]);
    assert_eq!(shown(DOCTOR), ["dora"]);
    assert_eq!(clinic.get(NURSE, "/v1/arrivals-by-hour").problem(403), "forbidden");
}
