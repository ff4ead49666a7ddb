"""The ledger: every statement of the contract, and the rules that judge it or why none does.

Importing it declares every rule. `python -m conformance.ledger` writes docs/rules.md.
"""

import difflib
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from conformance import probes
from conformance.rules import RULES, Level, Rule
from conformance.statements import SECTIONS

PAGE: Final = Path(__file__).parent.parent / "docs" / "rules.md"
COMMAND: Final = "python -m conformance.ledger"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the contract; `reason` is why no rule judges it, or what its rules leave open."""

    section: str
    says: str
    level: Level
    rules: tuple[str, ...] = ()
    reason: str = ""


def _statements() -> Iterator[Statement]:
    for section, rows in SECTIONS.items():
        for says, level, rules, *reason in rows:
            yield Statement(section, says, level, tuple(_ids(rules.split())), "".join(reason))


def _ids(patterns: Iterable[str]) -> Iterator[str]:
    """Give the rules that are meant; a pattern that fits none stays as it is, for the ledger's test to find."""
    for pattern in patterns:
        yield from [id for id in RULES if fnmatchcase(id, pattern)] or [pattern]


probes.load()
STATEMENTS: Final = tuple(_statements())
"""Every statement of the contract, in its order."""


def listing() -> str:
    """Give every statement by section with its rules and their levels, then every rule in one line."""
    lines = []
    for section in SECTIONS:
        lines += [section, ""]
        for statement in STATEMENTS:
            if statement.section == section:
                lines += _listed(statement)
        lines.append("")
    width = max(map(len, RULES))
    lines += [f"The {len(RULES)} rules", ""]
    lines += [f"  {rule.id:<{width}}  {rule.level:<10}  {rule.profile:<8}  {rule.says}" for rule in RULES.values()]
    return "\n".join(lines)


def _listed(statement: Statement) -> list[str]:
    lines = [f"  {statement.says}  ({statement.level})"]
    lines += [f"      {id}" + (f"  ({RULES[id].level})" if id in RULES else "") for id in statement.rules]
    if statement.reason:
        lines += textwrap.wrap(statement.reason, 100, initial_indent="      ", subsequent_indent="      ")
    return lines


def explain(text: str) -> str | None:
    """Give all about one rule, or about each that a pattern fits; None where there is none."""
    found = [rule for rule in RULES.values() if fnmatchcase(rule.id, text)]
    return "\n\n".join(map(_explained, found)) or None


def near(text: str, most: int = 5) -> list[str]:
    """Give the ids that somebody may have meant, the likeliest first."""
    word = text.strip().casefold().replace("_", "-")
    holding = [id for id in RULES if word and word in id.replace("_", "-")]
    close = difflib.get_close_matches(text.strip().casefold(), list(RULES), most)
    return list(dict.fromkeys([*holding, *close]))[:most]


def _explained(rule: Rule) -> str:
    from conformance.report import lines

    statements = [one for one in STATEMENTS if rule.id in one.rules]
    parts = [
        ("says", rule.says),
        ("source", rule.source),
        ("sends", rule.sends),
        ("accepts", rule.accepts),
        ("profile", f"{rule.profile} and larger" if rule.profile != "deep" else "deep"),
        ("needs", ", ".join(rule.needs)),
        ("contract", f"{lines.FILE}, line {lines.nearest_line(rule.contract)}  #{rule.contract}"),
        *(("statement", f"{one.section}: {one.says}") for one in statements),
        *(("tolerated", one.reason.removeprefix("open: ")) for one in statements if one.reason),
        ("again", f"trunkcheck BASE_URL --only {rule.id}"),
    ]
    told = [_labelled(label, value) for label, value in parts if value]
    return "\n".join([f"{rule.id}  ({rule.level})", *told])


def _labelled(label: str, value: str) -> str:
    return textwrap.fill(
        f"{label:<10}{value}", 110, initial_indent="  ", subsequent_indent=" " * 12,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def page() -> str:
    """Give the text of docs/rules.md."""
    lines = [
        "# The rules of `trunkcheck`",
        "",
        f"Written by `{COMMAND}`; do not edit. {len(STATEMENTS)} statements of the contract, {len(RULES)} rules.",
        "",
        "A rule that is *documented* or *standard* fails when it is broken; an *inferred* one warns, and fails with",
        "`--strict`. What is marked *open* is never held against an implementation: each answer named there conforms.",
        "",
        "## The contract, statement by statement",
    ]
    for section in SECTIONS:
        lines += ["", f"### {section}", "", "| statement | level | judged by |", "|---|---|---|"]
        lines += [_row(statement) for statement in STATEMENTS if statement.section == section]
    lines += ["", "## The rules"]
    for rule in RULES.values():
        lines += ["", *_entry(rule)]
    return "\n".join(lines) + "\n"


def _row(statement: Statement) -> str:
    rules = ", ".join(f"[{id}](#{_anchor(id)})" for id in statement.rules)
    judged = "; ".join(part for part in (rules, statement.reason and _cell(statement.reason)) if part)
    level = "" if statement.reason.startswith("open") and not rules else statement.level
    return f"| {_cell(statement.says)} | {level} | {judged} |"


def _entry(rule: Rule) -> list[str]:
    needs = [f"- needs: {', '.join(f'[{id}](#{_anchor(id)})' for id in rule.needs)}"] if rule.needs else []
    return [
        f"### {rule.id}",
        "",
        f"{_prose(rule.says)} *{rule.level}*",
        "",
        f"- source: {_prose(rule.source)}",
        f"- sends: {_prose(rule.sends)} ({rule.profile})",
        f"- conforms: {_prose(rule.accepts)}",
        *needs,
        f"- contract: `#{rule.contract}`",
    ]


def _anchor(id: str) -> str:
    """Give the name that GitHub's Markdown makes of a heading."""
    return id.replace(".", "").lower()


def _prose(text: str) -> str:
    r"""Keep Markdown from reading names with underscores, paths and quoted JSON as markup."""
    return "".join(f"\\{character}" if character in r"\`*_[]<>" else character for character in text)


def _cell(text: str) -> str:
    return _prose(text).replace("|", "\\|")


def main() -> int:
    """Write docs/rules.md."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8", newline="\n")
    print(f"wrote {PAGE.name}: {len(STATEMENTS)} statements, {len(RULES)} rules", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
