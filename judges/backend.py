"""A running backend with data of its own, and its callers."""

import json
import pathlib
import subprocess
import urllib.error
import urllib.request


class Backend:
    def __init__(self, binary: str, model: str, folder: pathlib.Path, *more: str) -> None:
        self.binary, self.model, self.data = binary, model, str(folder / "data")
        log = open(folder / "log", "w", encoding="utf-8")
        arguments = [binary, "up", model, "--listen", "127.0.0.1:0", "--data", self.data, *more]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            raise SystemExit(f"the server did not serve: {line} {(folder / 'log').read_text()}")
        self.url = line.removeprefix("listening on ").strip()
        self.tokens: dict[tuple, str] = {}

    def __enter__(self) -> "Backend":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def run(self, *words: str) -> str:
        """What a verb prints about this backend."""
        arguments = [self.binary, *words, "--data", self.data]
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()

    def token(self, actor: str, role: str | None, subject: str, tenant: str | None) -> str:
        key = (actor, role, subject, tenant)
        if key not in self.tokens:
            arguments = ["token", self.model, "--actor", actor, "--subject", subject]
            arguments += ["--tenant", tenant] if tenant else []
            arguments += ["--role", role] if role else []
            self.tokens[key] = self.run(*arguments)
        return self.tokens[key]

    def call(self, caller: tuple, tenant: str | None, method: str, path: str, body: object = None):
        """Status and answer of a caller's request: actor, role and subject."""
        headers = {"authorization": f"Bearer {self.token(*caller, tenant)}"}
        data = None if body is None else json.dumps(body).encode()
        return self.send(method, path, headers, data)

    def send(self, method: str, path: str, headers: dict, data: bytes | None = None):
        """Status and answer of a request as it stands."""
        request = urllib.request.Request(self.url + path, method=method, headers=headers)
        if data is not None:
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as fault:
            return fault.code, json.loads(fault.read() or b"null")


def expect(answer: tuple, wanted: int) -> dict:
    """The body of an answer that has this status."""
    status, body = answer
    assert status == wanted, f"{status} instead of {wanted}: {body}"
    return body
