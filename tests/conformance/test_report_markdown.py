"""The Markdown report and the GitHub step summary made of it."""

import samples

from conformance.report import github, markdown
from conformance.rules import Verdict

SHORT = r"""
# Does not conform: 1 rule broken

1 of 2 rules judged: 1 fail, 1 not judged

https://sip.example/api/v1, standard profile, 212 requests in 3.4 s, 2026-01-15T14:00:00Z, trunkcheck 0.1.0

## FAIL `create.name.max-length` (documented)

A name has at most 255 characters. *Create SIP Trunk, request body*

Conforms: 400 or 422

```text
sent      POST /sip-trunks, name of 256 characters
expected  400 or 422
actual    201
control   request 12, POST /sip-trunks answered 201: the same request, made valid

again     trunkcheck https://sip.example/api/v1 --only create.name.max-length
```

<details><summary>Send it again</summary>

```sh
# accepted
curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \
  --data-binary '{"name": "short"}'

# breaks the rule
curl -sS -i -X POST https://sip.example/api/v1/sip-trunks \
  --data-binary '{"name": "nnn…"}'
```

</details>

## Not judged: 1 rule

- no second token was given: `isolation.read`

## What would let more be judged

- give --other-token
"""


def test_report_reads_as_a_whole():
    """The verdict, the finding with its commands folded in, and what was not judged."""
    report = samples.report(
        samples.result(Verdict.FAIL),
        samples.result(Verdict.NOT_JUDGED, "isolation.read"),
        notes=("give --other-token",),
    )
    assert markdown.render(report) == SHORT.lstrip("\n")


def test_text_of_a_server_stays_text():
    """Markdown's signs are escaped, and a fence is longer than any in the text."""
    report = samples.report(
        samples.result(Verdict.KIT_ERROR, "a`b", reason="````\n# not a heading"), problems=("<b>*x*</b>",)
    )
    text = markdown.render(report)
    assert "`````text\n````\n# not a heading\n" in text
    assert "- \\<b\\>\\*x\\*\\</b\\>" in text
    assert "`` a`b ``" in text


def test_step_summary_stays_below_the_limit_and_counts_what_it_leaves_out():
    """GitHub refuses a summary above one mebibyte, and then shows nothing at all."""
    long = samples.result(Verdict.KIT_ERROR, reason="x" * 300_000)
    text = github.render(samples.report(long, long, long, long))
    assert len(text.encode()) < 1_000_000
    assert "\n2 more rules: see the JSON or HTML report.\n" in text
