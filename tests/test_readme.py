import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
SESSION = re.compile(r"^```console\n\$ (curl .*?)\n(\{.*?)\n```$", re.DOTALL | re.MULTILINE)
SESSIONS = SESSION.findall(README.read_text("utf-8"))


def without_accidents(answer):
    """Replace what differs from run to run."""
    if "data" in answer:
        answer["data"] |= {"id": "…", "created_at": "…"}
    return answer


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize(("command", "shown"), SESSIONS, ids=["success", "refusal"])
def test_readme_session_gives_what_it_shows(mock, command, shown):
    """A command of the README gives the answer that stands below it."""
    command = command.replace("http://127.0.0.1:8080", mock.root_url)
    answer = subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout
    assert without_accidents(json.loads(answer)) == without_accidents(json.loads(shown))
