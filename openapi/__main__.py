"""`python -m openapi`: print the contract, for a generator at the other end of a pipe."""

import argparse
import json
import os
import sys

import openapi


def main(argv: list[str] | None = None) -> int:
    """Print the contract as YAML (as it was written) or as JSON."""
    parser = argparse.ArgumentParser(prog="python -m openapi", description="Print the contract (OpenAPI 3.0.3).")
    parser.add_argument("--json", action="store_true", help="as JSON instead of YAML")
    options = parser.parse_args(argv)
    text = json.dumps(openapi.load(), indent=2, ensure_ascii=False) if options.json else openapi.PATH.read_text("utf-8")
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    try:
        print(text.rstrip(), flush=True)
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
