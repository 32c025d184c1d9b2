"""Links of the built site that lead nowhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(HTMLParser):
    """What a page offers to links, and where its own lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {""}
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")


def dead(site: Path) -> list[str]:
    """Links between files of a site whose file or anchor is not there, each as ``page: link``."""
    site = site.resolve()
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]  # the theme's template
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in paths}
    lost = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].anchors if target in pages else {unquote(parts.fragment)}
            if not target.is_file() or unquote(parts.fragment) not in known:
                lost.append(f"{path.relative_to(site)}: {link}")
    return lost
