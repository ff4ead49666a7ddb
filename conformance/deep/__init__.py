"""The deep profile: one-difference pairs, a state machine beside our own model, and requests made by Schemathesis.

Everything is sent with the kit's own client, so pacing, masks, canaries and clean-up hold as in any run. What is found
becomes a judgement on a rule that the kit has anyway, reduced by Hypothesis to one request and its control. Bounded by
requests and minutes; the same seed sends the same requests to the same server. Nothing is kept on disk.
Hypothesis and Schemathesis are imported by this package and `conformance.strategies`, and by nothing else.
"""

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.deep import lives, pairs, sweep
from conformance.deep.bench import Bench, alone
from conformance.rules import Outcome
from conformance.session import Run

REQUESTS: Final = 2000
MINUTES: Final = 10.0
GROUND: Final = "create.accepted"  # nothing is explored without it

# Each part with its share of what the parts before it left.
PARTS: Final = ((0.35, pairs.refusals), (0.35, pairs.differences), (0.7, lives.explore), (1.0, sweep.explore))


def explore(run: Run, limits: Mapping[str, Any]) -> None:
    """Send up to so many requests for so many minutes, and add what is found to the judgements of the run."""
    ground = run.judgements.get(GROUND)
    if run.lab.options.read_only or (ground is not None and ground.outcome is not Outcome.KEPT):
        return
    run.lab.options = replace(run.lab.options, seed=run.lab.options.seed or secrets.randbelow(2**31 - 1) + 1)
    requests, minutes = limits.get("requests"), limits.get("minutes")
    bench = Bench(run, REQUESTS if requests is None else requests, MINUTES if minutes is None else minutes)
    try:
        with alone():
            for share, part in PARTS:
                if not bench.silent and not run.stopped:
                    bench.part(share, part)
    finally:
        bench.close()
