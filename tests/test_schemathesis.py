import subprocess
import sys
from pathlib import Path

from mockserver.environments import BUILT_IN

CONFIG = Path(__file__).with_name("schemathesis.toml")


def test_stock_schemathesis_finds_nothing(start_mock, tmp_path):
    """Examples, coverage, fuzzing and stateful: no default check fails; see the configuration for the one exception."""
    mock = start_mock("--log-level=warning")
    command = [
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}", "run"),
        f"{mock.root_url}/openapi.json",
        *("--header", f"Authorization: Bearer {next(iter(BUILT_IN))}"),
        *("--phases=examples,coverage,fuzzing,stateful", "--max-examples=30", "--generation-database=none"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert mock.stop() == 0
    assert "Traceback" not in mock.log.read_text("utf-8")
