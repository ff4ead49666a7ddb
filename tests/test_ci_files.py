"""What runs elsewhere, in CI and containers: linted, checked against the commands, and its scripts run here."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from mockserver import environments

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
GITLAB = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text("utf-8"))["trunkcheck"]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STEPS = {step["id"]: step for step in ACTION["runs"]["steps"]}
EXPRESSION = re.compile(r"\$\{\{ *(\S+) *\}\}")
TOKENS = {
    "token": "talq_your_environment_token_here",
    "other-token": "talq_another_environment_token_here",
    "no-plan-token": "talq_token_without_the_feature_here",
}
FILES = {"junit.xml", "report.json", "report.html", "summary.md", "annotations.txt", "report.sarif"}
HADOLINT = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
bash = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")


def strings(node):
    """Give every text within a document."""
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from strings(child)
    elif isinstance(node, str):
        yield node


class Job:
    """A job in which the action's last step can be run."""

    def __init__(self, folder):
        self.folder = folder
        self.summary, self.output = folder / "summary", folder / "output"
        self.reports = folder / "trunkcheck-reports"

    def run(self, **inputs):
        given = {name: it.get("default") for name, it in ACTION["inputs"].items()} | TOKENS
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        values = {f"inputs.{name}": value for name, value in given.items()}
        values |= {"steps.python.outputs.python-path": sys.executable, "runner.temp": str(self.folder)}
        env = {k: EXPRESSION.sub(lambda it: values[it[1]], v) for k, v in STEPS["check"]["env"].items()}
        env["PYTHONPATH"] = str(ROOT)  # where the step before would have installed it
        script = self.folder / "script"
        script.write_text(STEPS["check"]["run"], "utf-8")
        files = {"GITHUB_STEP_SUMMARY": str(self.summary), "GITHUB_OUTPUT": str(self.output)}
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        return subprocess.run(
            command, cwd=self.folder, env=os.environ | env | files, capture_output=True, text=True, timeout=120
        )


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


def test_action_uses_what_there_is():
    """Every expression names an input, an earlier step or the runner; every input is used."""
    used = {name for text in strings(ACTION) for name in EXPRESSION.findall(text)}
    inputs = {f"inputs.{name}" for name in ACTION["inputs"]}
    others = {"steps.python.outputs.python-path", "steps.check.outputs.exit-code", "github.action_path", "runner.temp"}
    assert used == inputs | others
    assert list(STEPS) == ["python", "install", "check"]


def test_action_puts_no_input_into_a_script():
    """Scripts get everything as variables, and hand no token to a command."""
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
        assert "TOKEN" not in step.get("run", "")


@bash
@pytest.mark.packaging
def test_action_installs_the_kit(tmp_path):
    """What its second step installs is whole; the packages it needs are left to pip here."""
    env = {"PYTHON": sys.executable, "SOURCE": str(ROOT), "INSTALLED": str(tmp_path / "kit")}
    script = STEPS["install"]["run"].replace("pip install", "pip install --no-deps")
    subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=tmp_path, env=os.environ | env, check=True)
    command = [sys.executable, "-P", "-m", "conformance", "--list"]
    told = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path / "kit")}, capture_output=True, check=True
    )
    assert b"create.name.max-length" in told.stdout


@bash
def test_action_reports_what_conforms(job, mock):
    """A run that conforms ends with 0, writes every report and the summary, and shows no token."""
    done = job.run(base_url=mock.base_url, profile="quick", strict="true", rate="600/s")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in job.reports.iterdir()} == FILES
    assert json.loads((job.reports / "report.json").read_text("utf-8"))
    assert ElementTree.parse(job.reports / "junit.xml").getroot() is not None
    assert "trunkcheck" in job.summary.read_text("utf-8")
    assert job.output.read_text("utf-8") == "exit-code=0\n"
    assert not any(token in done.stdout + done.stderr for token in TOKENS.values())


@bash
def test_action_keeps_the_exit_code(job, mock):
    """A waiver that nothing needs any more fails the run, also after the reports; a report of before is gone."""
    waivers = job.folder / "waivers with a blank.toml"
    waivers.write_text('[[waivers]]\nrule = "auth.blank"\nreason = "Old."\nexpires = 2020-01-01\n', "utf-8")
    done = job.run(base_url=mock.base_url, profile="quick", waive=str(waivers))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "::error" in done.stdout
    assert job.output.read_text("utf-8") == "exit-code=1\n"
    assert job.run(base_url=mock.base_url, rate="often").returncode == 2
    assert not list(job.reports.iterdir())


@bash
def test_action_cannot_be_talked_into_a_command(job):
    """What an input holds is never run."""
    done = job.run(base_url='$(touch here)"; touch here; "`touch here`')
    assert done.returncode == 2, done.stdout + done.stderr
    assert not (job.folder / "here").exists()


@bash
def test_gitlab_job_writes_its_artifacts(mock, tmp_path):
    """The job's script leaves what it promises as artifacts."""
    tokens = {f"TRUNKCHECK_{name.upper().replace('-', '_')}": value for name, value in TOKENS.items()}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = os.environ | GITLAB["variables"] | tokens | {"BASE_URL": mock.base_url, "PROFILE": "quick", "PATH": path}
    for line in GITLAB["script"]:
        assert "TOKEN" not in line
        subprocess.run(["bash", "-eo", "pipefail", "-c", line], cwd=tmp_path, env=env, check=True, timeout=120)
    assert (tmp_path / GITLAB["artifacts"]["reports"]["junit"]).is_file()
    assert all((tmp_path / it).exists() for it in GITLAB["artifacts"]["paths"])


def instructions():
    """Give the Dockerfile's instructions: name and rest."""
    lines = (line for line in DOCKERFILE.splitlines() if line and not line.startswith("#"))
    return [tuple(line.split(" ", 1)) for line in lines]


def test_image_is_careful():
    """No root, no shell, nothing from the network but packages, a health check, and only files that are there."""
    last = instructions()[[name for name, _ in instructions()].index("FROM", 1) :]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", dict(last)["USER"])
    assert "ADD" not in dict(instructions())
    for name, rest in instructions():
        if name in {"RUN", "CMD"}:
            assert json.loads(rest)
        if name == "COPY" and not rest.startswith("--from"):
            assert all((ROOT / source).exists() for source in rest.split()[:-1])
    allowed = set((ROOT / ".dockerignore").read_text("utf-8").split())
    copied = {it for name, rest in instructions() if name == "COPY" and "--" not in rest for it in rest.split()[:-1]}
    assert {f"!{it}" for it in copied} <= allowed


@pytest.mark.skipif(not HADOLINT, reason="needs hadolint, which is not built for every machine")
def test_image_passes_a_linter():
    """Nothing in the Dockerfile is known to be bad practice."""
    done = subprocess.run(
        [HADOLINT, "--failure-threshold=warning", "--no-color", str(ROOT / "Dockerfile")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout


def test_health_check_tells_a_mock_from_none(mock, unused_port):
    """It succeeds while the mock answers and fails when nobody does."""
    words = json.loads(dict(instructions())["HEALTHCHECK"].partition("CMD ")[2])
    assert words[0] == "python"
    for port, healthy in ((mock.port, True), (unused_port, False)):
        code = words[2].replace("8080", str(port))
        done = subprocess.run([sys.executable, words[1], code], capture_output=True, timeout=30)
        assert (done.returncode == 0) is healthy, done.stderr


@pytest.fixture
def unused_port():
    """A port on which nobody listens."""
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


COMMANDS = {
    "the image": json.loads(dict(instructions())["CMD"]),
    **{name: service["command"] for name, service in COMPOSE.items()},
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_container_commands_have_options_that_exist(command):
    """Every option of a command is in its help."""
    module = {"trunkmock": "mockserver", "trunkcheck": "conformance"}[command[0]]
    told = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True).stdout
    assert all(re.search(rf"{word}\b", told) for word in command if word.startswith("--"))


def test_compose_is_careful():
    """The port is on loopback only, nothing is written, and the kit waits for a healthy mock."""
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["mock"]["ports"])
    assert all(it["read_only"] and it["cap_drop"] == ["ALL"] for it in COMPOSE.values())
    assert COMPOSE["kit"]["depends_on"] == {"mock": {"condition": "service_healthy"}}


def test_compose_environments_are_the_kits(start_mock):
    """With the example's environments the mock may be reached from elsewhere, and the kit's tokens fit it."""
    source, target, _ = COMPOSE["mock"]["volumes"][0].split(":")
    assert target in COMPOSE["mock"]["command"]
    known = tomllib.loads((ROOT / source).read_text("utf-8"))["environments"]
    assert {it["token"] for it in known} == set(COMPOSE["kit"]["environment"].values())
    assert environments.load(ROOT / source).names
    mock = start_mock(f"--environments={ROOT / source}", "--host=0.0.0.0")
    base_url = f"http://127.0.0.1:{mock.port}/api/v1"
    command = [sys.executable, "-m", "conformance", "--only=plan.*", "--only=auth.blank", base_url]
    done = subprocess.run(
        command, env=os.environ | COMPOSE["kit"]["environment"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
