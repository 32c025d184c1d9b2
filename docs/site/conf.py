"""The documentation site: the Markdown that is there, and a reference generated from the code.

Built by ``make docs``, offline: Sphinx with MyST reads the pages as they are, links and all; the pydata
theme is the field's own (numpy, pandas, xarray, scikit-learn), searches without a server, and has a dark side.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import generate  # noqa: E402
import links  # noqa: E402
from sphinx.errors import SphinxError  # noqa: E402

import serprep  # noqa: E402

project, author = "serprep", "the serprep developers"
copyright = "the serprep developers"
version = release = serprep.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns, templates_path = ["site"], ["templates"]
myst_heading_anchors = 3
myst_links_external_new_tab = True
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]  # links into the repository; csv and jsonl
autodoc_typehints = "none"  # numpydoc's sections say the types, with shapes
autodoc_member_order = "bysource"
html_theme = "pydata_sphinx_theme"
html_title = "serprep"
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False, "navbar_center": []}  # questions are too long
html_sidebars = {"index": [], "**": ["contents.html"]}  # all pages, from every page
html_show_sourcelink = False


def setup(app):
    """Write what is generated before anything is read."""
    generate.write(Path(app.srcdir) / "reference")
    app.connect("build-finished", _check)


def _check(app, exception):
    """No link of the site leads nowhere."""
    lost = [] if exception else links.dead(Path(app.outdir))
    if lost:
        raise SphinxError(f"{len(lost)} links lead nowhere: {', '.join(lost[:10])}")
