"""A run as a GitHub step summary: the Markdown report, kept below the size at which GitHub refuses one."""

from conformance.report import markdown
from conformance.results import Report

_LIMIT = 900_000  # bytes; GitHub refuses a summary above 1 MiB


def render(report: Report) -> str:
    """Give what a job appends to the file that GITHUB_STEP_SUMMARY names."""
    return markdown.render(report, limit=_LIMIT)
