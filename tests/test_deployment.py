"""What `deploy/` has: the service, and two replicas in containers. nginx and its configuration are tested at work."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
SERVICES = COMPOSE["services"]
UNIT = (ROOT / "deploy" / "trunkmock.service").read_text("utf-8")
EXEC = re.search(r"^ExecStart=(\S+) (.*)$", UNIT, re.MULTILINE)


def options_of_the_mock():
    done = subprocess.run([sys.executable, "-m", "mockserver", "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"--[a-z-]+", done.stdout))


@pytest.mark.parametrize("words", [EXEC[2].split(), SERVICES["mock-1"]["command"]], ids=["service", "container"])
def test_mock_is_started_with_options_that_exist(words):
    """Every option of a command is in its help."""
    assert {word for word in words if word.startswith("--")} <= options_of_the_mock()


def test_containers_are_careful():
    """No root, nothing to write but what is named, no capability; nobody but nginx has a port, and that on loopback."""
    for name, service in SERVICES.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "healthcheck" in service or service["image"] == "trunkkit", "the image has a check of its own"
        assert service["image"] == "trunkkit" or re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert {name: it["ports"] for name, it in SERVICES.items() if "ports" in it} == {"nginx": ["127.0.0.1:8080:8080"]}


def test_containers_fit_together():
    """nginx knows every replica by its name, and the replicas believe nginx alone."""
    config = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
    mocks = {name for name in SERVICES if name.startswith("mock")}
    assert set(re.findall(r"server (mock-\d):8080 ", config)) == mocks
    assert mocks == set(SERVICES["nginx"]["depends_on"])
    command = SERVICES["mock-1"]["command"]
    address = SERVICES["nginx"]["networks"]["inside"]["ipv4_address"]
    assert command[command.index("--trusted-proxies") + 1] == address
    drain = int(command[command.index("--drain") + 1])
    assert drain < int(SERVICES["mock-1"]["stop_grace_period"].removesuffix("s"))


def test_no_secret_has_a_default():
    """Whoever sets none is told how to make one, instead of getting everybody's."""
    told = re.findall(r"\$\{(\w+)([^}]*)\}", (ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
    assert {name for name, _ in told} == {"TRUNKMOCK_KEY", "TRUNKMOCK_CONTROL_TOKEN", "REDIS_PASSWORD"}
    assert all(rest.startswith(":?openssl rand ") for _, rest in told)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_service_is_correct_and_hardened(tmp_path):
    """systemd finds nothing wrong, and little that the service could do to the machine."""
    unit = tmp_path / "trunkmock.service"
    unit.write_text(UNIT.replace(EXEC[1], sys.executable))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, "trunkmock.service" in done.stderr) == (0, False), done.stderr
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:]
