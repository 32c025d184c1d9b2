"""The browser's page in a headless Chromium: driven by keyboard and mouse, measured, and photographed.

    python benchmarks/look_browse.py RECIPE|STORE --serprep .venv/bin/serprep --out FOLDER [--rows 50000]

It needs `pip install playwright` (in any environment) and a Chromium.  It fails where a request
leaves this machine, the page writes an error, or something does not answer as it should.
`--rows` repeats the table's rows up to so many, and tells what the first view and filters take.
"""

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

SIZES = {"wide": (1280, 900), "narrow": (400, 860)}


def repeated(body: str, n: int) -> str:
    """Data of the table or the map with `n` rows."""
    head, value = body[: body.index(",") + 1], json.loads(body[body.index(",") + 1 : body.rindex(")")])
    for entry in value if isinstance(value, list) else [value]:
        for name in {"values", "x", "y"} & entry.keys():
            entry[name] = (entry[name] * (n // len(entry[name]) + 1))[:n]
        if entry.get("role") == "id":
            entry["values"] = [f"{number}-{id_}" for number, id_ in enumerate(entry["values"])]
    return f"{head}{json.dumps(value, separators=(',', ':'))});"


def watch(page: Page, problems: list[str]) -> None:
    """Collect errors of the page and requests that leave the machine."""
    page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if urlsplit(request.url).scheme in ("data", "blob", "file") or urlsplit(request.url).hostname == "127.0.0.1"
            else problems.append(f"left the machine: {request.url}")
        ),
    )


def shut_out(page: Page, axe: Path) -> list[str]:
    """Serious and critical faults that axe-core finds."""
    page.evaluate(axe.read_text())
    faults = page.evaluate("axe.run(document).then((result) => result.violations)")
    return [
        f"{fault['id']}: {fault['help']}: {fault['nodes'][0]['html'][:200]}"
        for fault in faults
        if fault["impact"] in ("serious", "critical")
    ]


def until(page: Page, expression: str, *, seconds: float = 60) -> None:
    """Wait for something to be true in the page; the policy forbids the polling that Playwright would do there."""
    for _ in range(int(seconds * 20)):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within {seconds} s: {expression}")


def drive(page: Page, out: Path) -> None:
    """Choose, mark, play, filter and save, as a person does."""
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#detail h2")
    page.keyboard.press("2")
    page.select_option("#should", index=1)
    page.locator("#detail h2").click()
    assert page.locator("#marked").inner_text().startswith("1 marked")
    if page.locator("#play").count():
        page.keyboard.press("Space")
        until(page, "document.querySelector('#play').textContent === 'Pause'")
        until(page, "state.sound.getCurrentTime() > 0.1")
        page.keyboard.press("Space")
    page.check("#doubtful")
    until(page, "document.querySelector('#count').textContent.startsWith('1 of')")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(out / "marks.csv")
    page.click("#filters [type=reset]")
    until(page, "!document.querySelector('#count').textContent.includes('of')")
    if page.locator("#plane").is_visible():
        until(page, "state.places !== null")
        page.locator("#plane").scroll_into_view_if_needed()
        box = page.locator("#plane").bounding_box() or {}
        page.mouse.move(box["x"] + 5, box["y"] + 5)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 5)
        page.mouse.up()
        until(page, "document.querySelector('#count').textContent.includes(' of ')")
        print("on the left half of the map:", page.locator("#count").inner_text())
        page.click("#everywhere")


@contextmanager
def exported(options: argparse.Namespace) -> Iterator[str]:
    """The address of an export with many rows; a server of Python's own hands it out."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([options.serprep, "browse", options.what, "--export", f"{folder}/page"], check=True)
        for path in (Path(folder) / "page" / "data").rglob("*.js"):
            if path.name == "rows.js" or path.parent.name == "map":
                path.write_text(repeated(path.read_text(), options.rows))
        handler = partial(SimpleHTTPRequestHandler, directory=f"{folder}/page")
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/"
            server.shutdown()


def measure(page: Page, address: str) -> None:
    """Seconds to the first view, milliseconds of filters and sorts, in the browser."""
    page.goto(address)
    page.wait_for_selector(".tabulator-row")
    first = page.evaluate("performance.now()")
    timed = "(todo) => { const began = performance.now(); todo(); document.body.offsetHeight; "
    timed += "return performance.now() - began; }"
    for name, todo in {
        "filter by class": "at('label').value = '1'; filter();",
        "filter by text": "at('search').value = 'a'; filter();",
        "filter by text again": "at('search').value = 'an'; filter();",
        "no filter": "at('filters').reset(); state.inside = null; filter();",
        "sort by text": "state.table.setSort('c0', 'desc');",
        "sort by number": "state.table.setSort(`c${columnOf('duration')}`, 'asc');",
    }.items():
        took = page.evaluate(f"({timed})(() => {{ {todo} }})")
        print(f"{name}: {took:.0f} ms")
    print(f"first view: {first:.0f} ms")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what")
    parser.add_argument("--serprep", default="serprep")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--audio")
    parser.add_argument(
        "--axe", type=Path, help="axe.min.js of the npm package axe-core: looks for what shuts people out"
    )
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    audio = ["--audio", options.audio] if options.audio else []
    command = [options.serprep, "browse", options.what, *audio, "--no-open"]
    problems: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served, sync_playwright() as playwright:
        try:
            address = re.search(r"http\S+", served.stdout.readline() if served.stdout else "")
            assert address, "the server gave no address"
            browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
            if options.rows:
                page = browser.new_page()
                watch(page, problems)
                with exported(options) as place:
                    measure(page, place)
            else:
                for name, (width, height) in SIZES.items():
                    for scheme in ("light", "dark"):
                        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                        watch(page, problems)
                        page.goto(address[0])
                        page.wait_for_selector(".tabulator-row")
                        drive(page, options.out)
                        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                            "wider than its window"
                        )
                        if options.axe:
                            before = len(problems)
                            faults = shut_out(page, options.axe)
                            problems[before:] = faults  # axe writes a style of its own, which the policy refuses
                        page.evaluate("scrollTo(0, 0)")
                        page.screenshot(path=options.out / f"{name}-{scheme}.png", full_page=True)
                        page.close()
            browser.close()
        finally:
            served.terminate()
    assert not problems, "\n".join(problems)
    print("no errors; no request left the machine")


if __name__ == "__main__":
    main()
