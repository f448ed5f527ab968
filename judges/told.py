#!/usr/bin/env python3
"""Lets libraries of other people read what a running shop tells: its list of events, its stream, its
webhooks, and with a NATS server the messages there.

    judges/told.py BINARY FILE [NATS]

The CloudEvents SDK parses each event; `standardwebhooks` verifies each delivery, and refuses it
where it was altered, is old or is proved by another secret. What was told goes to FILE, a line of
JSON each, for `hold-events.mjs`. Needs `cloudevents`, `cryptography` and `standardwebhooks`.
"""

import base64
import json
import pathlib
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloudevents.core.bindings import http
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from backend import Backend, expect

MODEL, TENANT = "examples/shop", "acme"
ALICE = ("shopper", None, "alice")
MANAGER = ("staff", "manager", "mara")
PICKER = ("staff", "picker", "pia")
SYSTEM = ("system", None, "system")
PARTNER = ("partner", None, "p1")
# What two orders go through, and what is told of it.
STEPS = ((ALICE, "place"), (SYSTEM, "pay"), (PICKER, "ship")), ((ALICE, "place"), (ALICE, "cancel"))
TOLD = ["order.cancelled.v1", "order.paid.v1", "order.placed.v1", "order.placed.v1", "order.shipped.v1"]
# The trace of each step, as its caller names it: the event has to name it too.
TRACES = [f"{number:032x}" for number in range(0xACE, 0xACE + len(TOLD))]
# Whom partners are told of by webhooks.
DELIVERED = ["order.cancelled", "order.paid", "order.shipped"]
WAIT_S = 60
STRUCTURED = {"content-type": "application/cloudevents+json"}
EVENT = {"id", "source", "specversion", "type", "time", "subject", "datacontenttype", "traceparent"}


class Receiver:
    """Takes webhooks, as they come."""

    def __init__(self) -> None:
        self.got: list[tuple[dict, bytes]] = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def await_count(self, count: int) -> list[tuple[dict, bytes]]:
        wait(lambda: len(self.got) >= count, f"{count} deliveries")
        return list(self.got)


class Nats:
    """Keeps what comes below a subject, in the protocol's own words."""

    def __init__(self, address: str, subject: str) -> None:
        self.got: list[tuple[dict, bytes]] = []
        host, port = address.removeprefix("nats://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=WAIT_S)
        self.lines = self.socket.makefile("rb")
        self.socket.sendall(
            b'CONNECT {"verbose":false,"headers":true,"no_responders":false}\r\n'
            + f"SUB {subject} 1\r\nPING\r\n".encode()
        )
        while self.lines.readline().strip() != b"PONG":
            pass
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        while line := self.lines.readline():
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
            if not line.startswith(b"HMSG "):
                continue
            head, whole = (int(size) for size in line.split()[-2:])
            message = self.lines.read(whole + 2)
            fields = message[:head].decode().strip().split("\r\n")[1:]
            named = (field.partition(":") for field in fields)
            headers = {name.lower(): value.strip() for name, _, value in named}
            self.got.append((headers, message[head:whole]))


def wait(done, what: str) -> None:
    until = time.monotonic() + WAIT_S
    while not done():
        if time.monotonic() > until:
            raise SystemExit(f"{what}: not seen within {WAIT_S} s")
        time.sleep(0.05)


def refused(verify, what: str, why: str = "") -> int:
    """Counts what a library refuses as it should."""
    try:
        verify()
    except (WebhookVerificationError, InvalidSignature) as fault:
        assert why in str(fault), f"{what} was refused as `{fault}`"
        return 1
    raise SystemExit(f"{what} was accepted")


def work(shop: Backend) -> None:
    """Two orders from their first line to their end."""
    price = {"amount": "12.50", "currency": "EUR"}
    body = {"sku": "JUDGE-1", "name": "Gavel", "price": price, "stock": 9}
    product = expect(shop.call(MANAGER, TENANT, "POST", "/v1/products", body), 201)["id"]
    traces = iter(TRACES)
    for steps in STEPS:
        lines = {"lines": [{"product": product, "quantity": 2}]}
        order = expect(shop.call(ALICE, TENANT, "POST", "/v1/orders", lines), 201)["id"]
        for caller, step in steps:
            headers = {
                "authorization": f"Bearer {shop.token(*caller, TENANT)}",
                "traceparent": f"00-{next(traces)}-00f067aa0ba902b7-01",
            }
            expect(shop.send("POST", f"/v1/orders/{order}/{step}", headers), 200)


def listed(shop: Backend) -> list[bytes]:
    """The items of the list, page by page."""
    items, cursor = [], ""
    while True:
        page = expect(shop.call(MANAGER, TENANT, "GET", f"/v1/events?limit=2{cursor}"), 200)
        if not page["items"]:
            return items
        items += [json.dumps(item).encode() for item in page["items"]]
        cursor = f"&cursor={page['end_cursor']}"


def streamed(shop: Backend, found: list[bytes]) -> None:
    """The data of the stream's events until the last step is told, whose `event` is their type."""
    headers = {
        "authorization": f"Bearer {shop.token(*MANAGER, TENANT)}",
        "accept": "text/event-stream",
    }
    request = urllib.request.Request(f"{shop.url}/v1/events", headers=headers)
    with urllib.request.urlopen(request, timeout=WAIT_S) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.headers
        fields: dict[str, str] = {}
        while not (found and TRACES[-1] in found[-1].decode()):
            line = answer.readline().decode().rstrip("\r\n")
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
            elif line == "":
                if "data" in fields:
                    assert json.loads(fields["data"])["type"] == fields["event"], fields
                    found.append(fields["data"].encode())
                fields = {}


def parse(headers: dict, body: bytes) -> object:
    """An event as the SDK reads it, which fills in what is missing: so that is looked at before."""
    binary = "ce-id" in headers
    raw = {name.removeprefix("ce-"): value for name, value in headers.items()} if binary else json.loads(body)
    missing = EVENT - {"datacontenttype"} - set(raw)
    assert not missing, f"no {missing} in {headers} {body}"
    event = http.from_http(http.HTTPMessage(headers=headers, body=body), http.JSONFormat())
    assert event.get_specversion() == "1.0" and event.get_datacontenttype() == "application/json"
    for told, read in (("id", event.get_id()), ("source", event.get_source()), ("type", event.get_type())):
        assert raw[told] == read, f"{told}: {raw[told]} was read as {read}"
    age = datetime.now(timezone.utc) - event.get_time()
    assert timedelta(0) <= age < timedelta(days=1), f"it happened {age} ago"
    assert isinstance(event.get_data(), dict), event.get_data()
    return event


def verified(shop: Backend, receiver: Receiver, endpoint: dict) -> tuple[int, int]:
    """What came at an endpoint with a secret that is rotated: how often proved, how often refused."""
    old = endpoint["secret"]
    proved = no = 0
    for headers, body in receiver.got:
        assert Webhook(old).verify(body, headers) == json.loads(body)
        proved += 1
        no += refused(lambda: Webhook(old).verify(body + b" ", headers), "an altered body", "No matching")
        changed = headers | {"webhook-id": "another"}
        no += refused(lambda: Webhook(old).verify(body, changed), "an altered id", "No matching")
        early = str(int(headers["webhook-timestamp"]) - 301)
        changed = headers | {"webhook-timestamp": early}
        no += refused(lambda: Webhook(old).verify(body, changed), "an old delivery", "too old")
        other = Webhook(base64.b64encode(bytes(32)).decode())
        no += refused(lambda: other.verify(body, headers), "another secret", "No matching")
    path = f"/v1/webhooks/{endpoint['id']}"
    new = expect(shop.call(PARTNER, TENANT, "POST", f"{path}/rotate"), 200)["secret"]
    assert new != old
    before = len(receiver.got)
    expect(shop.call(PARTNER, TENANT, "POST", f"{path}/test"), 200)
    headers, body = receiver.await_count(before + 1)[-1]
    signatures = headers["webhook-signature"].split(" ")
    assert len(signatures) == 2, signatures
    parse(headers, body)
    # Each secret proves its own signature, and not the other's.
    for secret, own, others in ((new, *signatures), (old, *reversed(signatures))):
        for wanted in (" ".join(signatures), own):
            Webhook(secret).verify(body, headers | {"webhook-signature": wanted})
            proved += 1
        alone = headers | {"webhook-signature": others}
        no += refused(lambda: Webhook(secret).verify(body, alone), "the other's signature")
    return proved, no


def verified_by_public_key(receiver: Receiver, endpoint: dict) -> tuple[int, int]:
    key = base64.b64decode(endpoint["public_key"].removeprefix("whpk_"))
    public = Ed25519PublicKey.from_public_bytes(key)
    proved = no = 0
    for headers, body in receiver.got:
        signature = base64.b64decode(headers["webhook-signature"].removeprefix("v1a,"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        public.verify(signature, signed)
        proved += 1
        no += refused(lambda: public.verify(signature, signed + b" "), "an altered body")
    return proved, no


def mine(events: list) -> list[str]:
    """Types of those events that this judge is the reason of: seeds have events too."""
    ours = (event for event in events if event.get_extension("traceparent").split("-")[1] in TRACES)
    return sorted(event.get_type() for event in ours)


def main() -> None:
    binary, file, broker = sys.argv[1], sys.argv[2], sys.argv[3:4]
    more = ["--seed", "--webhook-allow", "127.0.0.0/8"]
    nats = None
    if broker:
        prefix = f"judge{time.time_ns()}"
        more += ["--broker", f"{broker[0]}?prefix={prefix}"]
        nats = Nats(broker[0], f"{prefix}.shop.shop.>")
    kept = []

    def told(where: str, messages: list[tuple[dict, bytes]], wanted: list[str]) -> None:
        events = [parse(headers, body) for headers, body in messages]
        assert mine(events) == wanted, f"{where}: {mine(events)} instead of {wanted}"
        kept.extend({"where": where, "headers": headers, "body": body.decode()} for headers, body in messages)
        print(f"{where}: {len(events)} events parsed by the CloudEvents SDK")

    with tempfile.TemporaryDirectory() as folder, Backend(
        binary, MODEL, pathlib.Path(folder), *more
    ) as shop:
        shared, public = Receiver(), Receiver()
        ask = lambda url, **words: expect(  # noqa: E731
            shop.call(PARTNER, TENANT, "POST", "/v1/webhooks", {"url": url, "events": DELIVERED} | words), 201
        )
        hmac, ed25519 = ask(shared.url), ask(public.url, signing="ed25519")
        found: list[bytes] = []
        following = threading.Thread(target=streamed, args=(shop, found), daemon=True)
        following.start()
        work(shop)
        following.join(WAIT_S)
        told("the list", [(STRUCTURED, item) for item in listed(shop)], TOLD)
        told("the stream", [(STRUCTURED, item) for item in found], TOLD)
        delivered = [f"{event}.v1" for event in DELIVERED]
        for where, receiver in (("webhooks", shared), ("webhooks by ed25519", public)):
            told(where, receiver.await_count(len(DELIVERED)), delivered)
        if nats:
            traced = lambda: {headers["ce-traceparent"].split("-")[1] for headers, _ in nats.got}  # noqa: E731
            wait(lambda: traced() >= set(TRACES), "the events at NATS")
            told("NATS", nats.got, TOLD)
        for line in kept:
            if line["where"] == "webhooks":
                line["secret"] = hmac["secret"]
        proved, no = verified(shop, shared, hmac)
        print(f"standardwebhooks verified {proved} signatures and refused {no} wrong ones")
        proved, no = verified_by_public_key(public, ed25519)
        print(f"cryptography verified {proved} signatures by Ed25519 and refused {no} wrong ones")
    pathlib.Path(file).write_text("".join(f"{json.dumps(line)}\n" for line in kept), encoding="utf-8")


main()
