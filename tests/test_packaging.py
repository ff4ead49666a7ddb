import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(*command, cwd):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=cwd, env=env).stdout


@pytest.mark.packaging
def test_wheel_from_the_sdist_works_in_an_empty_environment(tmp_path):
    """What is built installs into an empty environment, with `trunkmock` and the contract inside."""
    run(sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT), cwd=tmp_path)
    (sdist,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    with tarfile.open(sdist) as archive:
        assert any(name.endswith("openapi/sip-trunks.yaml") for name in archive.getnames())
    run(sys.executable, "-m", "venv", "empty", cwd=tmp_path)
    binaries = tmp_path / "empty" / ("Scripts" if os.name == "nt" else "bin")
    run(str(binaries / "python"), "-m", "pip", "install", "--quiet", str(wheel), cwd=tmp_path)
    assert "--ready-file" in run(str(binaries / "trunkmock"), "--help", cwd=tmp_path)
    create = (
        "import asyncio, openapi, mockserver.environments as e; from mockserver.app import Settings, create_app;"
        "create_app(Settings(e.built_in())); print(openapi.PATH)"
    )
    assert str(tmp_path) in run(str(binaries / "python"), "-c", create, cwd=tmp_path)
