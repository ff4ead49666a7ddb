import os
import subprocess
import sys

OPTIONS = ["--strict", "--working-domain=sip.carrier-x.com", "--failing-domain=sip.auth-fail.carrier-x.com"]
TOKENS = {
    "TRUNKCHECK_TOKEN": "talq_your_environment_token_here",
    "TRUNKCHECK_OTHER_TOKEN": "talq_another_environment_token_here",
    "TRUNKCHECK_NO_PLAN_TOKEN": "talq_token_without_the_feature_here",
}


def test_mock_keeps_every_rule_in_strict_mode(mock):
    """The mock passes the standard profile over HTTP, inferred rules included, and no rule is left unjudged."""
    command = [sys.executable, "-m", "conformance", mock.base_url, *OPTIONS]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | TOKENS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "not judged" not in ended.stdout
