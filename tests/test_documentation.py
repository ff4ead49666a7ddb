"""The pages under `docs/`: what is generated is current, every block of code is run, and the site needs no one else.

A page's blocks run in order, in one directory, with one mock. `console` is a session: what each command prints is what
stands below it, with … for whatever differs. `sh` and `python` must succeed, `toml`, `json` and `yaml` must parse. A
comment before a block says what else is done with it: `<!-- file: NAME -->` saves it for the commands after it,
`<!-- not run: REASON -->` leaves it out.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^(?:<!-- (file|not run): (.+?) -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN = "http://127.0.0.1:8080"
PARSERS = {"toml": tomllib.loads, "json": json.loads, "yaml": yaml.safe_load}


@pytest.fixture(scope="module")
def page_mock(mock_class, tmp_path_factory):
    """A mock for the pages alone: they make and change environments."""
    mock = mock_class(tmp_path_factory.mktemp("page-mock"))
    yield mock
    assert mock.stop() == 0


class Reader:
    """Somebody who does what a page says, from its top to its end."""

    def __init__(self, folder, mock):
        self.folder = folder
        self.mock = mock
        self.variables = folder.parent / f"{folder.name}.variables"
        self.variables.write_text("", "utf-8")
        self.saved = set()
        names = ("TRUNKCHECK_TOKEN", "TRUNKCHECK_OTHER_TOKEN", "TRUNKCHECK_NO_PLAN_TOKEN", "PYTEST_ADDOPTS")
        self.env = {name: value for name, value in os.environ.items() if name not in names}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.env |= {"PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1"}

    def does(self, language, text):
        if language in PARSERS:
            PARSERS[language](text)
        elif language == "python":
            self.runs([sys.executable, "-c", self.here(text)])
        elif language == "sh":
            done = self.enters(f"set -e\n{text}")
            assert done.returncode == 0, done.stdout
        else:
            assert language == "console", f"nobody knows how to run {language or 'a block without a language'}"
            for command, shown in sessions(text):
                told = self.enters(command).stdout.replace(self.mock.root_url, SHOWN)
                assert alike(told, shown), f"$ {command}\n{told}"

    def enters(self, command):
        """Run a command as in one and the same shell: what one exports the next one has."""
        script = f'. "{self.variables}"\n{self.here(command)}\nstatus=$?\nexport -p > "{self.variables}"\nexit $status'
        return self.runs(["sh", "-c", script], check=False)

    def here(self, text):
        return text.replace(SHOWN, self.mock.root_url)

    def runs(self, command, *, check=True):
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = subprocess.run(command, cwd=self.folder, env=self.env, **both, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stdout
        return done


def sessions(text):
    """Give each command of a console block with what is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, shown = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n(.*)", part, re.DOTALL).groups()
        yield command, shown


def alike(told, shown):
    """Tell whether that was told which is shown, where … may be anything, also nothing."""
    pattern = ".*".join(re.escape(part) for part in shown.strip().split("…"))
    return bool(re.fullmatch(pattern, told.strip(), re.DOTALL))


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("sh")), reason="needs curl and a shell")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_does_what_it_shows(page, page_mock, tmp_path):
    """Every block of a page runs, parses, or says why it is not run; every saved one is used."""
    text = page.read_text("utf-8")
    reader = Reader(tmp_path, page_mock)
    for marker, value, language, block in BLOCK.findall(text):
        if marker == "not run":
            continue
        if marker == "file":
            (tmp_path / value).write_text(reader.here(block), "utf-8")
            reader.saved.add(value)
        if marker != "file" or language in PARSERS:
            reader.does(language, block)
    assert text.count("\n```") == 2 * len(BLOCK.findall(text))
    for name in reader.saved:
        others = (block for marker, value, _, block in BLOCK.findall(text) if (marker, value) != ("file", name))
        assert Path(name).stem in "".join(others), f"{name} is saved for nothing"


@pytest.mark.parametrize(
    ("told", "shown", "same"),
    [
        pytest.param("a 17 b\n", "a … b", True, id="something-else-between"),
        pytest.param("a\nb\n", "a\nc", False, id="another-line"),
        pytest.param("a\nb\n", "a", False, id="a-line-more"),
        pytest.param("a\n", "a\n…", False, id="a-line-less"),
    ],
)
def test_reader_sees_what_differs(told, shown, same):
    """A session that prints something else than is shown is found."""
    assert alike(told, shown) is same


def build():
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["open-choices.md", "scenarios.md"])
def test_generated_page_is_current(name):
    """`make docs` would change nothing. The ledger's own test looks after the rules."""
    path = ROOT / "docs" / name
    assert build().pages()[path] == path.read_text("utf-8")


def test_site_needs_nobody_else(tmp_path):
    """The site is built without a warning, has every page, and loads nothing from another host."""
    assert build().build(tmp_path) == 0
    assert {f"{page.stem}.html" for page in PAGES} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/a.js">',
        "<img alt='' src='//cdn.example/a.png'>",
        '<link rel="stylesheet" href="http://cdn.example/a.css">',
        "<style>@font-face { src: url(https://cdn.example/a.woff2) }</style>",
    ],
    ids=["script", "image", "stylesheet", "font"],
)
def test_what_is_loaded_from_elsewhere_is_found(text, tmp_path):
    """The check of the site sees each way to load something from another host."""
    (tmp_path / "a.html").write_text(f'<a href="https://elsewhere.example">a link is fine</a>{text}', "utf-8")
    assert len(build().foreign(tmp_path)) == 1


def test_every_page_is_in_the_menu():
    """No page can be reached by its address alone."""
    menu = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in PAGES if f" {page.name}\n" not in menu] == []


def test_pages_name_inputs_of_the_action_that_exist():
    """The example of a workflow gives the action nothing that it does not know."""
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    text = (ROOT / "docs" / "kit-in-ci.md").read_text("utf-8")
    flows = [yaml.safe_load(block) for *_, language, block in BLOCK.findall(text) if language == "yaml"]
    (given,) = [
        step["with"]
        for flow in flows
        for job in flow.get("jobs", {}).values()
        for step in job["steps"]
        if "trunkkit" in step.get("uses", "")
    ]
    assert given.keys() <= action["inputs"].keys()
    assert {name for name, it in action["inputs"].items() if it.get("required")} <= given.keys()
