"""Whether a worker computes what this process would: the same serprep, Python and libraries.

What a worker is asked is source text that needs the standard library alone, so that one
without serprep, or with another Python, answers as well.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

# decide values or bytes; of openSMILE, which not every recipe needs, its kind tells
LIBRARIES = ("numpy", "scipy", "numba", "soxr", "soundfile", "libsndfile", "zarr")
SOURCE = """
def about(libraries):
    import hashlib, importlib.metadata, importlib.util, json, os, platform, socket
    def version(name):
        try:
            if name == "libsndfile":
                import soundfile
                return soundfile.__libsndfile_version__
            return importlib.metadata.version(name)
        except Exception:
            return ""
    def digest(package):
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            spec = None
        total = hashlib.sha256()
        for root in sorted(spec.submodule_search_locations or ()) if spec else ():
            paths = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
            for path in sorted(os.path.relpath(path, root) for path in paths if path.endswith(".py")):
                with open(os.path.join(root, path), "rb") as file:
                    data = file.read()
                total.update(path.replace(os.sep, "/").encode() + b"\\0" + hashlib.sha256(data).digest())
        return total.hexdigest() if spec else ""
    return json.dumps({
        "host": socket.gethostname(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "serprep": version("serprep"),
        "code": digest("serprep"),
        "models": digest("serprep_models"),
        "libraries": {name: ".".join(version(name).split(".")[:2]) for name in libraries},
    })
"""


def question() -> str:
    """An expression whose value, a JSON text, says what a Python process would compute with."""
    return f"(lambda scope: (exec({SOURCE!r}, scope), scope['about']({list(LIBRARIES)!r}))[1])({{}})"


@lru_cache(maxsize=1)
def own() -> Mapping[str, Any]:
    """The answer of this process."""
    return dict(json.loads(eval(question())))  # noqa: S307 - text of this module


def unfit(answer: object) -> str:
    """Why a worker that gave this answer is not used; "" if it is fit.

    Parameters
    ----------
    answer : object
        What `question` gave there, or the error that it raised.

    Examples
    --------
    >>> unfit(eval(question()))
    ''
    """
    mine = own()
    try:
        theirs = json.loads(answer) if isinstance(answer, str) else None
    except ValueError:
        theirs = None
    if not isinstance(theirs, dict):
        return f"it does not say what it computes with ({answer})"
    if not theirs.get("code"):
        return f"it has no serprep; install serprep {mine['serprep']} there"
    if theirs.get("python") != mine["python"]:
        return f"it has Python {theirs.get('python')}, here is {mine['python']}; use the same"
    if theirs.get("serprep") != mine["serprep"]:
        return f"it has serprep {theirs.get('serprep')}, here is {mine['serprep']}; use the same"
    if (theirs["code"], theirs.get("models")) != (mine["code"], mine["models"]):
        return f"its serprep {mine['serprep']} has other code than this one; install the same there"
    for name, version in mine["libraries"].items():
        there = theirs.get("libraries", {}).get(name)
        if there != version:
            return f"it has {name} {there or 'not'}, here is {version or 'none'}; use the same"
    return ""
