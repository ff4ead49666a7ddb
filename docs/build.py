"""`make docs`: write the generated pages anew, and make a site of all of them that loads nothing from elsewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from conformance import ledger

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SCENARIOS = ROOT / "mockserver" / "scenarios"
LIST = re.compile(r"(<!-- written by docs/build\.py from mockserver/scenarios -->\n).*?(<!-- end -->)", re.DOTALL)
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*?\bsrc\s*=\s*["']?\s*(?:https?:)?//[^\s"'>]+
      | <link\b[^>]*?\bhref\s*=\s*["']?\s*(?:https?:)?//[^\s"'>]+
      | url\(\s*["']?\s*(?:https?:)?//[^\s"')]+
      | @import\s+["'](?:https?:)?//[^\s"']+""",
    re.VERBOSE | re.IGNORECASE,
)


def pages() -> dict[Path, str]:
    """Give every page that is generated, wholly or in part, as it should be."""
    return {
        ledger.PAGE: ledger.page(),
        DOCS / "open-choices.md": open_choices(),
        DOCS / "scenarios.md": LIST.sub(
            lambda it: f"{it[1]}\n{scenarios()}\n\n{it[2]}", (DOCS / "scenarios.md").read_text("utf-8")
        ),
    }


def scenarios() -> str:
    """Give the scenarios of the package as a table."""
    rows = [
        (path.stem, tomllib.loads(path.read_text("utf-8"))["description"]) for path in sorted(SCENARIOS.glob("*.toml"))
    ]
    return "\n".join(["| name | what happens |", "|---|---|", *(f"| `{name}` | {cell(says)} |" for name, says in rows)])


def open_choices() -> str:
    """Give the page of what the contract leaves open, and of what the mock chose."""
    lines = [
        "# Open choices",
        "",
        "Written by `make docs` from the kit's statements of the contract and from the README; do not edit.",
        "",
        "The public pages of the API do not say everything. A client should depend on none of this, and an",
        "implementation conforms with every answer named here.",
        "",
        "## What the mock chose",
        "",
        chosen(),
        "",
        "## What the contract leaves open",
    ]
    for section in dict.fromkeys(statement.section for statement in ledger.STATEMENTS):
        rows = [it for it in ledger.STATEMENTS if it.section == section and it.reason.startswith("open: ")]
        if rows:
            lines += ["", f"### {section}", "", "| | each of these conforms |", "|---|---|"]
            lines += [f"| {cell(it.says)} | {cell(it.reason.removeprefix('open: '))} |" for it in rows]
    return "\n".join(lines) + "\n"


def chosen() -> str:
    """Give the list under the README's heading of this name."""
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.partition("### What the mock chose\n")[2].partition("\n#")[0]
    return section[section.index("\n- ") :].strip()


def cell(text: str) -> str:
    """Give a text as the cell of a table in which nothing is read as markup."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", text)


def foreign(site: Path) -> list[str]:
    """Give what the pages of a site would load from elsewhere: the file and the place in it."""
    files = [path for path in sorted(site.rglob("*")) if path.suffix in {".html", ".css"}]
    return [f"{path.name}: {it}" for path in files for it in LOADED.findall(path.read_text("utf-8"))]


def build(site: Path) -> int:
    """Make the site; give an exit status."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--clean", "--site-dir", str(site)]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - its words are all here
    loaded = foreign(site) if not code else []
    for it in loaded:
        print(f"loaded from elsewhere: {it}", file=sys.stderr)
    return code or bool(loaded)


def main() -> int:
    """Write pages and site."""
    for path, text in pages().items():
        path.write_text(text, "utf-8", newline="\n")
    return build(ROOT / "site")


if __name__ == "__main__":
    raise SystemExit(main())
