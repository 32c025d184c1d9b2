"""What a path on the command line is: a recipe, a store, a manifest …; and the command that takes such a thing."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serprep.forms import form_of

if TYPE_CHECKING:
    from serprep.manifest.table import Manifest
    from serprep.split import Split, SplitConfig

#: Command → the kinds that its first argument may be.
TAKES = {
    **dict.fromkeys(("build", "run", "train", "compare", "cross"), ("recipe",)),
    **dict.fromkeys(("info", "verify", "convert", "export", "diff"), ("store", "data set")),
    **dict.fromkeys(("log", "tag", "gc"), ("data set",)),
    **dict.fromkeys(("report", "browse"), ("recipe", "store", "data set")),
    "check": ("manifest",),
    **dict.fromkeys(("split", "audit"), ("manifest", "recipe", "store", "data set")),
    "init": ("corpus",),
    "predict": ("checkpoint", "recording", "data set", "store", "manifest", "corpus", "split"),
    "score": ("checkpoint", "data set", "store"),
    "experiments": ("data set", "recipe"),
}
#: Kind → what can be done with it.
USES = {
    "recipe": "`serprep build {}` makes its store, `serprep run {}` the scores as well",
    "store": "`serprep info {}` shows it, `serprep verify {}` inspects it, `serprep report {}` writes its page",
    "data set": "`serprep log {}` lists its versions, `serprep info {}` shows the latest",
    "manifest": "`serprep split {}` splits it, `serprep check {} ROOT` compares a folder with it",
    "split": "`serprep audit MANIFEST {}` inspects it",
    "corpus": "`serprep init {}` writes a recipe for it",
    "recording": "`serprep predict CHECKPOINT {}` labels it",
}


def kind_of(place: str) -> str:
    """What lies at a path, by its names alone; "" where that is not clear.

    Examples
    --------
    >>> kind_of("s3://bucket/x"), kind_of("nothing-there")
    ('', '')
    """
    path = Path(place.partition("@")[0])
    form = form_of(path.name)
    try:
        if form and (path / form.mark).is_file():
            return "store"
        if path.is_file():
            if path.name in ("utterances.csv", "manifest.json"):
                return "manifest"
            by_suffix = {".toml": "recipe", **dict.fromkeys((".wav", ".flac", ".ogg", ".mp3"), "recording")}
            kind = by_suffix.get(path.suffix.lower(), "")
            return "split" if not kind and path.suffix == ".json" and b'"roles"' in path.read_bytes()[:65_536] else kind
        if path.is_dir():
            if (path / "utterances.csv").is_file():
                return "manifest"
            if (path / "versions").is_dir():
                return "data set"
            holds_data_sets = any((child / "versions").is_dir() for child in path.iterdir())
            return "corpus" if not holds_data_sets and _has_recordings(path) else ""
    except OSError:
        pass
    return ""


def _has_recordings(folder: Path) -> bool:
    """Whether recordings lie in a folder or one below it; looks at a few names only."""
    suffixes = (".wav", ".flac", ".ogg", ".mp3")
    for number, path in enumerate(path for pattern in ("*", "*/*") for path in folder.glob(pattern)):
        if path.name.lower().endswith(suffixes):
            return True
        if number > 2000:
            return False
    return False


def instead(words: list[str]) -> str:
    """What to say where a command was given a thing of another kind; "" where its arguments may be right.

    Parameters
    ----------
    words : list of str
        The command and its arguments, as `sys.argv` has them after the program.
    """
    command = next((word for word in words if not word.startswith("-")), "")
    if command not in TAKES or "--corpus" in words:  # which names the rows: what follows is a split
        return ""
    for word in words[words.index(command) + 1 :]:
        kind = "" if word.startswith("-") else kind_of(word)
        if kind:
            if kind in TAKES[command]:
                return ""
            wanted = " or ".join(f"a {name}" for name in TAKES[command][:3])
            return f"{word} is a {kind}, and `serprep {command}` takes {wanted}: {USES[kind].replace('{}', word)}"
    return ""


def rows_of(place: Path, *, digests: bool = False) -> "Manifest":
    """The rows of a manifest, a store, a data set's latest store, or of what a recipe asks for.

    Parameters
    ----------
    place : Path
    digests : bool
        Whether recordings of a recipe are read for their digests.
    """
    kind = kind_of(str(place))
    if kind in ("store", "data set"):
        from serprep.store.store import open_store

        return open_store(str(place)).manifest()
    if kind == "recipe":
        from serprep.manifest.look import look
        from serprep.pipeline.gather import gather
        from serprep.recipe import read_recipe

        recipe = read_recipe(place)
        asked = gather(recipe)
        return look(asked.manifest, asked.root).manifest if digests else asked.manifest
    from serprep.manifest.table import read_manifest

    return read_manifest(place)


def split_of(recipe: Path, rows: "Manifest", **given: Any) -> "tuple[Split, SplitConfig]":
    """The split that a recipe makes of `rows`, or names, and how it says so; `given` goes before its [split]."""
    from serprep.recipe import read_recipe
    from serprep.split import make_split, read_split

    read = read_recipe(recipe)
    config = replace(read.split, **given)
    made = read_split(read.path(config.file)) if config.protocol == "list" else make_split(rows, config)
    return made, config
