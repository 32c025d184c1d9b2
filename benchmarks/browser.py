"""How long a person waits at 50 000 utterances: for the browser's first view and a filter, and for a card.

    python benchmarks/browser.py [--rows 50000] [--chromium /usr/bin/chromium]

Times are those of the page itself: from the start of the navigation to the first row, and from an input
to the second frame after it, which holds the filtered table and the map.  In brackets, processor time
of the page's main thread.  Wanted: the first view within a second, a filter within 100 ms, a card within
a minute.  Needs playwright and a Chromium.
"""

import argparse
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import uvicorn
from playwright.sync_api import Page, sync_playwright

from exports import inflated, smallest
from serprep.browse.server import HOST, application
from serprep.browse.subject import Subject
from serprep.card.page import make_card
from serprep.store.store import Store, open_store

FIRST_ROW = """new MutationObserver((_, watching) => {
  if (!document.querySelector('.tabulator-row')) return;
  watching.disconnect();
  requestAnimationFrame(() => { window.firstRow = performance.now(); });
}).observe(document, { childList: true, subtree: true });"""
SHOWN = """(action) => new Promise((done) => {
  const began = performance.now();
  action();
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began))));
})"""
INPUT = "at('filters').dispatchEvent(new Event('input'))"
ACTIONS = {
    "filter by class": f"at('label').value = '1'; {INPUT}",
    "filter by class and what a system says": f"at('predicted').value = '2'; {INPUT}",
    "filter by duration": f"at('shortest').value = '0.1'; {INPUT}",
    "no filter": "at('filters').reset()",
    "filter by text": f"at('search').value = 'u01'; {INPUT}",
    "filter by text, another letter": f"at('search').value = 'u012'; {INPUT}",
    "no filter again": "at('filters').reset()",
    "sort by text": "state.table.setSort('c0', 'desc')",
    "sort by number": "state.table.setSort(`c${columnOf('duration')}`, 'asc')",
    "filter a sorted table": f"at('label').value = '1'; {INPUT}",
    "no filter on a sorted table": "at('filters').reset()",
}


def large(folder: Path, n: int) -> Store:
    """A store of `n` utterances without recordings."""
    return open_store(inflated(smallest(folder), folder / f"{n}.zarr", n))


@contextmanager
def served(subject: Subject) -> Iterator[str]:
    """The address of a server, in a thread."""
    server = uvicorn.Server(uvicorn.Config(application(subject, "token"), log_level="error", lifespan="off"))
    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://{HOST}:{listening.getsockname()[1]}/token/"
        server.should_exit = True
        thread.join()


def look(page: Page, address: str) -> None:
    """Measure in the page."""
    page.set_default_timeout(0)
    page.add_init_script(FIRST_ROW)
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable")

    def busy() -> float:
        metrics = tools.send("Performance.getMetrics")["metrics"]
        return next(metric["value"] for metric in metrics if metric["name"] == "ThreadTime")

    for time_of_day in ("first view", "second view"):
        page.goto(address)
        page.wait_for_selector(".tabulator-row")
        page.wait_for_timeout(100)
        print(f"{time_of_day}: {page.evaluate('window.firstRow'):.0f} ms [{1000 * busy():.0f}]", flush=True)
        page.wait_for_selector("#filters:not([inert])")
        print(f"  all rows: {page.evaluate('performance.now()'):.0f} ms [{1000 * busy():.0f}]", flush=True)
    while not page.evaluate("state.places !== null"):
        page.wait_for_timeout(100)
    for name, action in ACTIONS.items():
        before = busy()
        took = page.evaluate(f"({SHOWN})(() => {{ {action}; }})")
        shown = page.locator("#count").inner_text()
        print(f"{name}: {took:.0f} ms [{1000 * (busy() - before):.0f}], {shown}", flush=True)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = large(Path(folder), options.rows)
        chances = np.random.default_rng(0).dirichlet(np.ones(len(store.labels)), len(store))
        sides = tuple(f"test in fold {number % 5 + 1}" for number in range(len(store)))
        subject = Subject(store=store, sides=sides, probabilities={"svm": chances, "linear": chances[::-1]})
        with served(subject) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium)
            look(browser.new_page(), address)
            browser.close()
        began, busy = time.perf_counter(), time.process_time()
        page = make_card(store)
        took, busy = time.perf_counter() - began, time.process_time() - busy
        print(f"card: {took:.1f} s [{busy:.1f}], {len(page) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
