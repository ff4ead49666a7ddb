"""What the kit's own tests run it with: a transport that answers from a script, and whole runs against a server."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import plugin, probes, runs
from conformance.__main__ import _arguments, _Handover, _own_pytest
from conformance.canaries import Canaries
from conformance.client import FIRST, NO_PLAN, OTHER, Client, Pace
from conformance.rules import Profile
from conformance.session import Run
from conformance.transport import HttpTransport, NoAnswer, Reply

ROOT = Path(__file__).parent.parent.parent
TOKENS = {
    FIRST: "talq_your_environment_token_here",
    OTHER: "talq_another_environment_token_here",
    NO_PLAN: "talq_token_without_the_feature_here",
}


def reply(status=200, document=None, *headers, **changes):
    """Give an answer with a JSON body."""
    body = json.dumps({"success": status < 300, "data": document}).encode()
    return replace(Reply(status, (("Content-Type", "application/json"), *headers), body), **changes)


class Script:
    """A transport that answers with what it is given, in turn, and keeps what was sent; the last answer is repeated."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    def send(self, method, path, headers, body):
        self.sent.append((method, path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = answer(method, path, headers, body)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close(self):
        pass


class Telling:
    """A transport to a server that tells less of its broken fields: `keep` gives what is left of the map of errors."""

    def __init__(self, base_url, keep=lambda errors: errors):
        self._transport = HttpTransport(base_url)
        self._keep = keep

    def send(self, *request):
        answer = self._transport.send(*request)
        if answer.status == 422 and b'"errors"' in answer.body:
            document = json.loads(answer.body)
            document["errors"] = self._keep(document["errors"])
            answer = replace(answer, body=json.dumps(document).encode())
        return answer

    def close(self):
        self._transport.close()


def client(*answers, tokens=TOKENS, rate=None, **options):
    """Give a client that talks to a script, without a real pause: `client.slept` has the pauses."""
    slept = []
    made = Client(
        Script(*answers),
        "http://127.0.0.1:1/api/v1",
        dict(tokens),
        Canaries("test", tokens.values()),
        pace=Pace(rate, slept.append),
        **options,
    )
    made.slept = slept
    return made


def judged(base_url, profile=Profile.STANDARD, transport=None, tokens=TOKENS, **options):
    """Judge a server by the rules' probes in this process, and give the run."""
    probes.load()
    lab = runs.make_lab(base_url, dict(tokens), profile=profile, **options)
    if transport:
        lab.client.close()
        lab.client._transport = transport
    run = Run(lab, profile)
    runs.knock(lab)
    with _own_pytest():
        pytest.main(_arguments(), plugins=[_Handover(run), plugin])
    lab.close()
    lab.client.close()
    return run


def trunkcheck(*arguments, timeout=60, token=TOKENS[FIRST], cwd=None, **variables):
    """Run the real command, and give its result."""
    return subprocess.run(
        [sys.executable, "-m", "conformance", *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout, check=False, cwd=cwd, env=environment(token, **variables),
    )  # fmt: skip


def environment(token=TOKENS[FIRST], **variables):
    """Give the environment of a command: this one's, a token, no other token, and `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRUNKCHECK", "PYTEST"))}
    return kept | ({"TRUNKCHECK_TOKEN": token} if token else {}) | variables


__all__ = ["ROOT", "TOKENS", "NoAnswer", "Script", "Telling", "client", "environment", "judged", "reply", "trunkcheck"]
