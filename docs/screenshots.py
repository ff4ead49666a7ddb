"""`make screenshots`: take the pictures of the sandbox's pages, at desktop and phone width, as small as they can be."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

import mockserver

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pages"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
DESKTOP, PHONE = {"width": 1000, "height": 640}, {"width": 360, "height": 640}  # smaller than the tests' own

sys.path.insert(0, str(ROOT / "tests" / "ui"))

from scene import fill  # noqa: E402 - it is not part of a package


def shots(name: str, request_id: str) -> list[tuple[str, str, dict[str, int], str]]:
    """Give each picture's name, its path below the page, its size and its colours."""
    here = f"/environments/{name}"
    return [
        ("environments", "/environments", DESKTOP, "light"),
        ("requests", f"{here}/requests", DESKTOP, "light"),
        ("request", f"{here}/requests/{request_id}", DESKTOP, "light"),
        ("trunks-dark", f"{here}/trunks", DESKTOP, "dark"),
        ("carrier", f"{here}/carrier", DESKTOP, "light"),
        ("report", f"{here}/report", DESKTOP, "light"),
        ("requests-phone", f"{here}/requests", PHONE, "dark"),
        ("request-phone", f"{here}/requests/{request_id}", PHONE, "light"),
    ]


def main() -> int:
    """Take them all."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("There is no chromium here; make services may install it.", file=sys.stderr)
        return 1
    PICTURES.mkdir(exist_ok=True)
    with mockserver.running(seed=7, name="acme") as mock, sync_playwright() as playwright:
        mock.environment(name="newcomer", plan="standard")
        mock.environment(name="umbrella", plan="professional").scenario("flapping-carrier")
        fill(mock)
        broken = next(entry.request_id for entry in mock.requests if entry.errors and entry.is_broken)
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        for name, path, size, colours in shots(mock.name, broken):
            page = browser.new_page(viewport=size, color_scheme=colours)  # type: ignore[arg-type]
            if mock.name in path:
                page.goto(f"{mock.url}/_mock/ui/sign-in")
                page.get_by_label("Token").fill(mock.token)
                page.get_by_role("button", name="Sign in").click()
                page.wait_for_url("**/requests")
            page.goto(f"{mock.url}/_mock/ui{path}")
            page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
            page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
