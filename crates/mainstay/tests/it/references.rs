//! References inside one context: nobody refers to a row that it may not read.

use crate::harness::Folder;
use crate::scenes::{Scene, text};
use serde_json::json;

const MODEL: &str = "
system: cars
actors: { driver: oidc, clerk: oidc }
contexts:
  fleet:
    resources:
      Car:
        fields: { driver: actor driver, plate: string max 20, doors: many Door 0..5 }
        allow:
          create: driver
          read: driver when driver == me && count(doors) > 0
          delete: driver when driver == me
      Door:
        fields: { name: string max 20 }
      Plain:
        fields: { driver: actor driver, car: Car optional, stops: many Stop 0..5 }
        allow: { create: driver, read: driver, update: driver when driver == me }
        commands:
          use: { input: { wanted: Car }, set: { car: wanted }, by: driver }
      Stop:
        fields: { car: Car }
";

/// Bob neither refers to the car of Alice nor keeps her from deleting it, however he asks.
#[test]
fn a_row_that_the_caller_may_not_read_can_not_be_referred_to_inside_its_context() {
    let folder = Folder::new().with("mainstay.yaml", MODEL);
    let path = format!("{}/mainstay.yaml", folder.path());
    let scene = Scene::of(&path, folder);
    let (alice, bob) = ("driver - alice", "driver - bob");
    let car = |who: &str| {
        let body = json!({"plate": who, "doors": [{"name": "left"}]});
        text(&scene.post(who, "/v1/cars", body).expect(201), "id").to_owned()
    };
    let (hers, his) = (car(alice), car(bob));
    assert_eq!(scene.get(bob, &format!("/v1/cars/{hers}")).problem(404), "not-found");
    let plain = scene.post(bob, "/v1/plains", json!({"car": his, "stops": [{"car": his}]}));
    let plain = plain.expect(201);
    let row = format!("/v1/plains/{}", text(&plain, "id"));
    let stops = json!([{"car": hers}]);
    let post = json!({"method": "POST", "path": "/v1/plains", "body": {"car": hers, "stops": []}});
    let put = json!({"car": hers, "stops": []});
    for (at, refused) in [
        ("/car", scene.post(bob, "/v1/plains", json!({"car": hers, "stops": []}))),
        ("/stops/0/car", scene.post(bob, "/v1/plains", json!({"stops": stops}))),
        ("/car", scene.patch(bob, &row, json!({"car": hers}))),
        ("/stops/0/car", scene.patch(bob, &row, json!({"stops": stops}))),
        ("/car", scene.request(bob, "PUT", &row).json(&put).send()),
        ("/wanted", scene.post(bob, &format!("{row}/use"), json!({"wanted": hers}))),
        ("/operations/0/body/car", scene.post(bob, "/v1/batch", json!({"operations": [post]}))),
    ] {
        assert_eq!(refused.problem(422), "unknown-reference");
        assert_eq!(refused.json()["errors"][0]["pointer"], at);
        let detail = "there is no such `Car`, or you may not see it";
        assert_eq!(refused.json()["errors"][0]["detail"], detail);
    }
    scene.post(bob, &format!("{row}/use"), json!({"wanted": his})).expect(200);
    let body = json!({"plate": "new", "doors": [{"name": "left"}]});
    let operations = json!([
        {"method": "POST", "path": "/v1/cars", "body": body},
        {"method": "POST", "path": "/v1/plains", "body": {"car": "#0", "stops": [{"car": "#0"}]}},
    ]);
    scene.post(bob, "/v1/batch", json!({"operations": operations})).expect(200);
    assert_eq!(scene.delete(alice, &format!("/v1/cars/{hers}")).status, 204);
}
