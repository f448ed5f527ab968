#!/usr/bin/env python3
"""Asks Cedar, an independent engine, the same questions as a running shop: who may do what with
which row. Both must agree in every case.

    judges/cedar.py BINARY

The policies and their schema are what `mainstay export cedar` and `cedar-schema` write; the backend
answers by `GET /v1/explain`. Needs `cedarpy`.
"""

import pathlib
import subprocess
import sys
import tempfile
import urllib.parse
from datetime import datetime

import cedarpy

from backend import Backend

MODEL = "examples/shop"
TENANTS = ("acme", "umbra")
# Actor, role, subject.
CALLERS = (
    ("shopper", None, "alice"),
    ("shopper", None, "bob"),
    ("staff", None, "sam"),
    ("staff", "picker", "pia"),
    ("staff", "manager", "mara"),
    ("system", None, "system"),
)
OPERATIONS = {
    "Product": ("getProduct", "updateProduct", "deleteProduct", "reserveProduct", "releaseProduct"),
    "Order": ("getOrder", "updateOrder", "placeOrder", "payOrder", "shipOrder", "cancelOrder"),
}


def rows(shop: Backend) -> list[tuple[str, str, dict]]:
    """Tenant, resource and row: products, and alice's orders in each state."""
    manager, alice, system = CALLERS[4], CALLERS[0], CALLERS[5]
    picker = CALLERS[3]
    found = []
    for tenant in TENANTS:
        price = {"amount": "1.00", "currency": "EUR"}
        body = {"sku": "A", "name": "a", "price": price, "stock": 9}
        status, product = shop.call(manager, tenant, "POST", "/v1/products", body)
        assert status == 201, product
        found.append((tenant, "Product", product))
        for steps in ((), ("place",), ("place", "pay"), ("place", "pay", "ship"), ("cancel",)):
            lines = [{"product": product["id"], "quantity": 1}]
            status, order = shop.call(alice, tenant, "POST", "/v1/orders", {"lines": lines})
            assert status == 201, order
            for step in steps:
                caller = {"pay": system, "ship": picker}.get(step, alice)
                path = f"/v1/orders/{order['id']}/{step}"
                status, order = shop.call(caller, tenant, "POST", path)
                assert status == 200, order
            found.append((tenant, "Order", order))
    return found


def micros(text: str) -> int:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(moment.timestamp() * 1_000_000)


def entity(tenant: str, resource: str, row: dict) -> dict:
    attributes = {"tenant": tenant, "id": row["id"]}
    attributes |= {name: micros(row[name]) for name in ("created_at", "updated_at")}
    for name in {"Product": ("sku", "name", "stock"), "Order": ("shopper", "status")}[resource]:
        attributes[name] = row[name]
    return {"uid": {"type": f"Row::{resource}", "id": row["id"]}, "attrs": attributes, "parents": []}


def main() -> None:
    binary = sys.argv[1]
    export = lambda form: subprocess.run(  # noqa: E731
        [binary, "export", form, MODEL], check=True, capture_output=True, text=True
    ).stdout
    policies, schema = export("cedar"), export("cedar-schema")
    validation = cedarpy.validate_policies(policies, schema)
    if not validation.validation_passed:
        raise SystemExit(f"Cedar refuses the policies: {validation.errors}")
    asked, unlike = 0, []
    with tempfile.TemporaryDirectory() as folder:
        with Backend(binary, MODEL, pathlib.Path(folder)) as shop:
            for owner, resource, row in rows(shop):
                for tenant in TENANTS:
                    for caller in CALLERS:
                        actor, role, subject = caller
                        principal = {
                            "uid": {"type": f"Caller::{actor.capitalize()}", "id": subject},
                            "attrs": {"subject": subject, "roles": [role] if role else []},
                            "parents": [],
                        }
                        entities = [principal, entity(owner, resource, row)]

                        def cedar(operation: str) -> bool:
                            request = {
                                "principal": f'Caller::{actor.capitalize()}::"{subject}"',
                                "action": f'Action::"{operation}"',
                                "resource": f'Row::{resource}::"{row["id"]}"',
                                "context": {"tenant": tenant, "now": micros(row["updated_at"])},
                            }
                            return cedarpy.is_authorized(request, policies, entities).allowed

                        visible = cedar(OPERATIONS[resource][0])
                        for operation in OPERATIONS[resource]:
                            query = urllib.parse.urlencode({"operation": operation, "id": row["id"]})
                            status, answer = shop.call(caller, tenant, "GET", f"/v1/explain?{query}")
                            ours = status == 200 and answer["decision"] == "allowed"
                            theirs = visible and cedar(operation)
                            asked += 1
                            if ours != theirs:
                                unlike.append((caller, tenant, owner, operation, row.get("status"), status, answer, theirs))
    for case in unlike[:10]:
        print("unlike:", *case)
    print(f"Cedar and the backend were asked {asked} times and disagreed {len(unlike)} times")
    raise SystemExit(1 if unlike else 0)


main()
