"""Pages in a Chromium of this machine, without a window."""

import shutil
import socket
import threading
from contextlib import contextmanager
from importlib.resources import files

import pytest


@pytest.fixture(scope="session")
def browser():
    """The browser; whoever asks for it is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium")
    playwright.expect.set_options(timeout=120_000)  # of conditions; nothing waits where they hold
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=chromium, args=["--disable-audio-output"])
        yield made
        made.close()


@pytest.fixture
def faults(browser):
    """What is wrong with the page of a file, on a telephone in the light and on a screen in the dark."""
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")  # brings axe-core

    def look(path):
        context = browser.new_context(bypass_csp=True)
        context.set_default_timeout(120_000)
        tab, seen = context.new_page(), []
        tab.on("request", lambda asked: asked.url.startswith(("file:", "data:", "blob:")) or seen.append(asked.url))
        for width, scheme in ((400, "light"), (1280, "dark")):
            tab.set_viewport_size({"width": width, "height": 800})
            tab.emulate_media(color_scheme=scheme)
            if width == 400:
                tab.goto(path.resolve().as_uri())
            seen += axe(tab)
            if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
                seen.append("wider than the window")
        context.close()
        return seen

    return look


def axe(tab):
    """What axe-core finds in a tab, with the first element of each fault."""
    tab.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    return tab.evaluate("axe.run().then((told) => told.violations.map((v) => [v.id, v.nodes[0].html]))")


@contextmanager
def served(subject):
    """The address at which the server shows what is browsed."""
    import uvicorn

    from serprep.browse.server import HOST, application

    config = uvicorn.Config(application(subject, "token"), log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://{HOST}:{listening.getsockname()[1]}/token/"
        server.should_exit = True
        thread.join()


@contextmanager
def opened(browser, address, *, said, **options):
    """The page with its table; it must ask nobody else, write no error, and run nothing that a name says."""
    from playwright.sync_api import expect

    context = browser.new_context(**options)
    context.set_default_timeout(120_000)
    tab, problems = context.new_page(), []
    context.on("request", lambda asked: asked.url.startswith((address, "data:", "blob:")) or problems.append(asked.url))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("console", lambda said: problems.append(said.text) if said.type in ("error", "warning") else None)
    tab.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
    tab.goto(address)
    expect(tab.locator("#count")).to_have_text(said)
    yield tab
    context.close()
    assert not problems
