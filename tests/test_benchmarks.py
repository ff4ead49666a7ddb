import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def bench(*options):
    command = [sys.executable, str(BENCHMARKS / "bench.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_short_benchmark_prints_its_table_and_keeps_the_figures(tmp_path):
    """Each kind of request is sent to the mock and to the yardstick; what came of it is compared with the bar."""
    kept = tmp_path / "bench.json"
    done = bench("--rounds=1", "--seconds=0.05", "--only=mock,bare", "--parts=requests", f"--json={kept}")
    assert done.returncode == 0, done.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "|"]
    rows = {what: (measured, met) for what, measured, *_, met in lines}
    for what in ("create, 1 connection", "create, 64 connections", "invalid create", "get", "update", "verify"):
        measured, met = rows[what]
        assert measured.endswith(" of bare")
        assert met in ("yes", "no")
    samples = json.loads(kept.read_text("utf-8"))["parts"]["requests"]["samples"]
    assert all(sample["rate"] > 0 for servers in samples.values() for (sample,) in servers.values())


def test_unknown_server_is_named(tmp_path):
    """A slip of the pen is refused before anything is measured."""
    done = bench("--only=moc", f"--json={tmp_path / 'bench.json'}")
    assert done.returncode == 2
    assert "mock" in done.stderr


def test_readme_has_the_table_that_was_recorded():
    """The README's figures are those of the last recorded run, which `--show` prints."""
    shown = bench("--show").stdout.strip()
    readme = (BENCHMARKS.parent / "README.md").read_text("utf-8")
    assert readme.partition("<!-- what make bench prints -->")[2].partition("<!-- end -->")[0].strip() == shown
