"""Replicas of the mock behind a real nginx, with the configuration that `deploy/` has."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from redis_server import free_ports

ROOT = Path(__file__).parents[2]
MISSING = "These tests need nginx, which is not on the PATH: `make services` installs it or says what to do."
ENTRY = """
[[environments]]
name = "{name}"
token = "talq_{name}"
plan = "{plan}"
allow_custom_sip_trunks = {has}
"""


class Replica:
    """A mock on a port of its own, that can be ended and started again there."""

    def __init__(self, folder, number, *options, env):
        self.ready_file = folder / f"ready-{number}.json"
        self.log = folder / f"log-{number}"
        (self.port,) = free_ports(1)
        own = [f"--port={self.port}", f"--ready-file={self.ready_file}"]
        self._command = [sys.executable, "-m", "mockserver", *own, *options]
        self._env = env
        self.begin()
        self.await_ready()

    def begin(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._env)

    def await_ready(self):
        deadline = time.monotonic() + 60
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def restart(self):
        """End it in peace, and start it again."""
        self.process.terminate()
        assert self.process.wait(30) == 0
        self.begin()
        self.await_ready()

    def kill(self):
        """End it as a crash would, and start it again."""
        self.process.kill()
        self.process.wait()
        self.ready_file.unlink(missing_ok=True)
        self.begin()
        self.await_ready()

    def stop(self):
        self.process.kill()
        self.process.wait()


class Balancer:
    """nginx in front of these ports."""

    def __init__(self, folder, ports):
        program = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
        if program is None:
            pytest.fail(MISSING, pytrace=False)
        (self.port,) = free_ports(1)
        self.log = folder / "nginx.log"
        config = folder / "nginx.conf"
        config.write_text(self._adapted(folder, ports))
        checked = subprocess.run([program, "-t", "-q", "-c", config], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([program, "-c", config, "-g", "daemon off;"], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.root_url = f"http://127.0.0.1:{self.port}"
        self.base_url = f"{self.root_url}/api/v1"

    def _adapted(self, folder, ports):
        """Give the configuration with addresses and a place of the test's own."""
        text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
        text, count = re.subn(r"listen 8080;", f"listen 127.0.0.1:{self.port};", text)
        assert count == 1
        for number, port in enumerate(ports, 1):
            assert f"mock-{number}:8080" in text
            text = text.replace(f"mock-{number}:8080", f"127.0.0.1:{port}")
        text = text.replace("/tmp/", f"{folder}/").replace("/dev/stdout", f"{folder}/access.log")
        who = "user root root; " if os.geteuid() == 0 else ""  # the folder is for nobody else
        return text.replace("worker_processes auto;", f"{who}worker_processes 1;")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


class Load:
    """Clients that create trunks, and read each again, as fast as they are answered, until the end of the block."""

    def __init__(self, base_url, token, clients=6):
        import httpx

        self.kept, self.failures, self.count = [], [], 0
        self._end = threading.Event()
        self._client = lambda: httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        for thread in self._threads:
            thread.join(90)

    def _run(self):
        import httpx
        from clients import trunk

        with self._client() as api:
            while not self._end.is_set():
                self.count += 1
                try:
                    answer = api.post("/sip-trunks", json=trunk(name=f"trunk {self.count}"))
                    if answer.status_code == 201:
                        self.kept.append(answer.json()["data"]["id"])
                        answer = api.get(f"/sip-trunks/{self.kept[-1]}")
                except httpx.TransportError as error:
                    self.failures.append(type(error).__name__)
                    continue
                if answer.status_code >= 300:
                    self.failures.append(answer.status_code)


def environments_file(folder):
    path = folder / "environments.toml"
    entries = [("first", "enterprise", "true"), ("second", "enterprise", "true"), ("third", "standard", "false")]
    path.write_text("".join(ENTRY.format(name=name, plan=plan, has=has) for name, plan, has in entries))
    return path


def kit(base_url, *options):
    """Let the kit judge; give exit status and what it prints."""
    tokens = {"": "talq_first", "OTHER_": "talq_second", "NO_PLAN_": "talq_third"}
    env = os.environ | {f"TRUNKCHECK_{name}TOKEN": token for name, token in tokens.items()}
    command = [sys.executable, "-m", "conformance", "--strict", *options, base_url]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600, check=False)
    return done.returncode, done.stdout + done.stderr


def ids(base_url, token):
    """Give the ids of an environment's trunks."""
    import httpx

    answer = httpx.get(f"{base_url}/sip-trunks", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    return {it["id"] for it in json.loads(answer.content)["data"]}
