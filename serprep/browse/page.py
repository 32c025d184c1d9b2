"""The files of the page: an exact list, each with its type, and of foreign ones the digest.

A browser refuses a foreign file whose SHA-384 is another one.  They are the files of the npm
packages ``tabulator-tables`` and ``wavesurfer.js``, unchanged, with their licences beside them.
"""

import json
from importlib.resources import files
from typing import Any

#: Name → SHA-384, as an HTML page names it.
INTEGRITY = {
    "tabulator.min.js": "sha384-EkhU9cev+ElsgIMdydD5ATwDGjsuvXqtFIqiQn5DXO+xrp52n7Zm407kP4NvBMr/",
    "wavesurfer.min.js": "sha384-cFoZUUrlVjbDowT5/idDYja9T/OY8JaecFDFEt6O/CHQxJjjQR440T5VhilWib4U",
    "tabulator_simple.min.css": "sha384-nWVAfJNKm8k+btHNSMIAcUT836V1w7ph3tH2N3Fm1RDSY6iHZCGAVlwpVP3YTGwX",
}
#: Name → type of every file but the page itself.
FILES = {
    "browse.js": "text/javascript",
    "drawing.js": "text/javascript",
    "browse.css": "text/css",
    "tabulator.min.js": "text/javascript",
    "wavesurfer.min.js": "text/javascript",
    "tabulator_simple.min.css": "text/css",
    "tabulator.LICENSE.txt": "text/plain",
    "wavesurfer.LICENSE.txt": "text/plain",
}


def file(name: str) -> bytes:
    """One of `FILES`, or ``index.html`` as it lies in the package."""
    return files("serprep.browse").joinpath("assets", name).read_bytes()


def policy(nonce: str, *, source: str = "'self'") -> str:
    """The Content-Security-Policy: own files only, no request by a script, no form, no frame.

    `nonce` is for the one style sheet that wavesurfer writes into its shadow tree.
    """
    return (
        f"default-src 'none'; script-src {source}; style-src {source} 'nonce-{nonce}'; media-src {source}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def index(nonce: str, *, meta: str = "") -> bytes:
    """The page; `meta` is a policy that it names itself, where no server does."""
    html = file("index.html").decode()
    tag = f'<meta http-equiv="Content-Security-Policy" content="{meta}">' if meta else ""
    for name, digest in INTEGRITY.items():
        html = html.replace(f'"{name}"', f'"{name}"' if meta else f'"{name}" integrity="{digest}"')
    return html.replace("<!--policy-->", tag).replace("NONCE", nonce).encode()


def answer(name: str, value: Any) -> bytes:
    """Data as a script that hands it to the page: it loads from a server and from a folder alike.

    Examples
    --------
    >>> answer("rows", ["</script>"])
    b'serprep.take("rows",["</script>"]);\\n'
    """
    return f"serprep.take({json.dumps(name)},{json.dumps(value, allow_nan=False, separators=(',', ':'))});\n".encode()
