#!/usr/bin/env python3
"""Lets libraries of other people sign what a system outside sends, and looks whether a running
backend accepts it once, has its effect, and refuses it where it was altered, is old or is signed by
another secret.

    judges/signed.py BINARY

Needs `cryptography`, `http-message-signatures`, `requests`, `standardwebhooks` and `stripe`.
"""

import base64
import json
import pathlib
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone

import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
from standardwebhooks.webhooks import Webhook
from stripe import WebhookSignature

from backend import Backend, expect

MODEL = """
system: till
actors: { staff: oidc }
contexts:
  ordering:
    resources:
      Order:
        fields: { number: string max 40, payments: int = 0, paid: int = 0 }
        commands:
          pay: { input: { amount: int }, set: { payments: payments + 1, paid: amount }, by: system }
        allow: { read: staff, create: staff }
    reacts:
"""
REACTION = "      {0}.charge.succeeded: {{ do: Order.pay, with: {{ id: event.order, amount: event.amount }} }}\n"
INTEGRATION = """  {0}:
    http: http://{0}.example
    webhooks:
      verify: {1}
      secret: ["${{file:{0}.old}}", "${{file:{0}.new}}"]
      events: {{ charge.succeeded: {{ data: {{ order: uuid, amount: int }} }} }}
"""
STAFF = ("staff", None, "sam")
WAIT_S = 60
# Beyond what is tolerated.
LATE_S = 301


def by_standard_webhooks(secret: str, url: str, id: str, body: str, age: int) -> dict:
    moment = datetime.now(timezone.utc) - timedelta(seconds=age)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, moment, body),
    }


def by_stripe(secret: str, url: str, id: str, body: str, age: int) -> dict:
    moment = int(time.time()) - age
    return {"stripe-signature": WebhookSignature.generate_signature_header(body, secret, moment)}


def by_message(algorithm: type, key) -> object:
    """RFC 9421, as http-message-signatures does it."""

    def sign(secret, url: str, id: str, body: str, age: int) -> dict:
        class Keys(HTTPSignatureKeyResolver):
            def resolve_private_key(self, key_id: str):
                return key(secret)

        request = requests.Request("POST", url, data=body.encode()).prepare()
        before = set(request.headers)
        signer = HTTPMessageSigner(signature_algorithm=algorithm, key_resolver=Keys())
        parts = ("@method", "@authority", "@path")
        created = datetime.now(timezone.utc) - timedelta(seconds=age)
        signer.sign(
            request, key_id="judge", created=created, covered_component_ids=parts, body=body.encode()
        )
        return {name: value for name, value in request.headers.items() if name not in before}

    return sign


def standard_secret(byte: int) -> tuple[str, str]:
    secret = f"whsec_{base64.b64encode(bytes([byte] * 32)).decode()}"
    return secret, secret


def text_secret(byte: int) -> tuple[str, str]:
    secret = f"secret-of-{byte}-that-nobody-guesses"
    return secret, secret


def key_pair(byte: int) -> tuple[Ed25519PrivateKey, str]:
    pair = Ed25519PrivateKey.from_private_bytes(bytes([byte] * 32))
    public = pair.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pair, public.decode()


# Name of the integration, how it verifies, what signs with which secrets.
SIGNERS = (
    ("standardwebhooks", "standard", by_standard_webhooks, standard_secret),
    ("stripe", "stripe", by_stripe, text_secret),
    ("message_hmac", "rfc9421", by_message(algorithms.HMAC_SHA256, str.encode), text_secret),
    ("message_ed25519", "rfc9421", by_message(algorithms.ED25519, lambda pair: pair), key_pair),
)


def judge(till: Backend, name: str, verify: str, sign, secret) -> None:
    number = {"number": name}
    order = expect(till.call(STAFF, None, "POST", "/v1/orders", number), 201)["id"]
    path = f"/v1/webhooks/in/{name}"
    data = {"order": order, "amount": 1}
    data = {"object": data} if verify == "stripe" else data

    def send(id: str, key: int, age: int = 0, changed: str = "") -> tuple:
        body = json.dumps({"id": id, "type": "charge.succeeded", "data": data})
        headers = sign(secret(key)[0], till.url + path, id, body, age)
        assert headers, f"{name} signed nothing"
        return till.send("POST", path, headers, (body + changed).encode())

    accepted = refused = 0
    # The old secret and the new one, then the first again.
    for id, key, outcome in (("a", 1, "accepted"), ("b", 2, "accepted"), ("a", 1, "repeated")):
        assert expect(send(id, key), 202) == {"outcome": outcome}
        accepted += 1
    for what in ({"key": 3}, {"key": 1, "changed": " "}, {"key": 1, "age": LATE_S}, {"key": 1, "age": -LATE_S}):
        problem = expect(send("c", **what), 401)
        assert problem["type"] == "urn:problem:unauthenticated", problem
        refused += 1
    until = time.monotonic() + WAIT_S
    payments = 0
    while payments < 2 and time.monotonic() < until:
        payments = expect(till.call(STAFF, None, "GET", f"/v1/orders/{order}"), 200)["payments"]
        time.sleep(0.05)
    # What comes next has to wait for what would have come before it.
    assert expect(send("d", 2), 202) == {"outcome": "accepted"}
    while payments < 3 and time.monotonic() < until:
        payments = expect(till.call(STAFF, None, "GET", f"/v1/orders/{order}"), 200)["payments"]
        time.sleep(0.05)
    assert payments == 3, f"{name}: {payments} effects instead of 3"
    print(f"{name}: {accepted + 1} deliveries accepted, 3 effects, {refused} wrong ones refused")


def main() -> None:
    binary = sys.argv[1]
    reactions = "".join(REACTION.format(name) for name, *_ in SIGNERS)
    outside = "".join(INTEGRATION.format(name, verify) for name, verify, *_ in SIGNERS)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "mainstay.yaml").write_text(f"{MODEL}{reactions}integrations:\n{outside}")
        for name, _, _, secret in SIGNERS:
            for which, byte in (("old", 1), ("new", 2)):
                (folder / f"{name}.{which}").write_text(secret(byte)[1])
        with Backend(binary, str(folder), folder) as till:
            for signer in SIGNERS:
                judge(till, *signer)


main()
