"""Pages in a browser: screenshots, a PDF, and what is wrong with them.

::

    python benchmarks/look.py PAGE.html|ADDRESS… -o FOLDER [--axe axe.min.js]

Each page at 1280 and 400 pixels, light and dark, and printed.  Said of each: elements
wider than the page, requests that would leave the machine, and faults that axe-core
finds.  An address is one that ``serprep browse --no-open`` prints; its second utterance
is chosen.  Needs playwright and a Chromium (``--chromium``, default /usr/bin/chromium);
axe-core is a file of the npm package of that name, or of axe-playwright-python.
"""

import argparse
import sys
from pathlib import Path
from urllib.parse import urlsplit

WIDTHS, SCHEMES = (1280, 400), ("light", "dark")
_TOO_WIDE = """(scrolled) => [...document.querySelectorAll("main *")]
  .filter(e => !e.closest("svg, .tx, .ty, #grid") && !(scrolled && e.closest(".scroll")))
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .slice(0, 5).map(e => e.tagName + "." + e.className + " " + e.textContent.slice(0, 40))"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pages", nargs="+")
    parser.add_argument("-o", "--output", type=Path, default=Path("screenshots"))
    parser.add_argument("--axe", type=Path, help="axe.min.js")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    options.output.mkdir(parents=True, exist_ok=True)
    faults = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium)
        for page in options.pages:
            for width in WIDTHS:
                for scheme in SCHEMES:
                    seen = look(browser, page, width=width, scheme=scheme, options=options)
                    print(f"{page} {width} {scheme}: {'; '.join(seen) or 'well'}", flush=True)
                    faults += len(seen)
        browser.close()
    return 1 if faults else 0


def look(browser, page: str, *, width: int, scheme: str, options) -> list[str]:
    """What is wrong with a page at one width in one colour scheme; its picture lies in the folder."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    context.set_default_timeout(0)
    tab, seen = context.new_page(), []
    served = page.startswith("http")
    own = urlsplit(page)[:2]

    def asked(request) -> None:
        if request.url.startswith("http") and not (served and urlsplit(request.url)[:2] == own):
            seen.append(f"asks for {request.url}")

    tab.on("request", asked)
    tab.on("pageerror", lambda error: seen.append(str(error)))
    tab.goto(page if served else Path(page).resolve().as_uri())
    if served:
        tab.wait_for_selector(".tabulator-row")
        tab.keyboard.press("ArrowDown")
        tab.keyboard.press("ArrowDown")
        tab.wait_for_selector("#detail h2")
    seen += [f"too wide: {what}" for what in tab.evaluate(_TOO_WIDE, True)]
    stem = options.output / ("browse" if served else Path(page).name.removesuffix(".html"))
    tab.screenshot(path=f"{stem}-{width}-{scheme}.png", full_page=True)
    if (width, scheme) == (WIDTHS[0], SCHEMES[0]):
        tab.pdf(path=f"{stem}.pdf", format="A4")
        tab.emulate_media(media="print")
        tab.set_viewport_size({"width": 703, "height": 1000})  # A4 less the margins of the pages' style
        seen += [f"too wide for paper: {what}" for what in tab.evaluate(_TOO_WIDE, False)]
        tab.emulate_media(media="screen")
    if options.axe:
        tab.evaluate(options.axe.read_text(encoding="utf-8"))
        for fault in tab.evaluate("() => axe.run().then(r => r.violations)"):
            if fault["impact"] in ("serious", "critical"):
                seen.append(f"{fault['id']}: {fault['help']} ({fault['nodes'][0]['html'][:120]})")
    context.close()
    return seen


if __name__ == "__main__":
    sys.exit(main())
