"""Pages of the reference, from the code: commands, Python, names along the axes, errors."""

import importlib
import inspect
import sys
from pathlib import Path

import click

#: The modules that users import, in the order of the work.
MODULES = (
    "serprep.features",
    "serprep.features.kind",
    "serprep.recipe",
    "serprep.manifest.table",
    "serprep.pipeline.build",
    "serprep.store.store",
    "serprep.split",
    "serprep.audit",
    "serprep.dataset.garbage",
    "serprep.corpora.corpus",
    "serprep.exports.exporter",
    "serprep.systems",
    "serprep_models.system",
    "serprep_models.loader",
    "serprep_models.predictor",
)
AXES = {
    "Readers": "serprep.corpora:READERS",
    "Kinds of feature": "serprep.features.kinds:REGISTRY",
    "Systems": "serprep.systems:SYSTEMS",
    "Exports": "serprep.exports:FORMS",
    "Conditions": "serprep.conditions.registry:CONDITIONS",
}


def commands() -> str:
    """Every command with the help that it prints."""
    from serprep_cli.main import cli

    pages = ["# Commands\n"]
    for name, command in sorted(cli.commands.items()):
        context = click.Context(command, info_name=f"serprep {name}", max_content_width=90, terminal_width=90)
        pages.append(f"## serprep {name}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(pages)


def names() -> str:
    """What is known along each axis, with the first line of its documentation."""
    pages = ["# Names along the axes\n"]
    for title, place in AXES.items():
        module, _, attribute = place.partition(":")
        registry = getattr(importlib.import_module(module), attribute)
        pages.append(f"## {title}\n\n| name | what it is |\n| --- | --- |")
        for name in registry.names:
            thing = registry[name]
            own, module = vars(type(thing)).get("__doc__"), sys.modules[type(thing).__module__]
            text = getattr(thing, "title", "") or own or module.__doc__ or "–"
            pages.append(f"| `{name}` | {text.splitlines()[0]} |")
        pages.append("")
    return "\n".join(pages)


def errors() -> str:
    """Every class of errors, with what it says of itself."""
    from serprep import errors as module

    pages = ["# Errors\n\nEach is one line: place, fact, expectation, remedy. All are `SerprepError`.\n"]
    for name, error in vars(module).items():
        if inspect.isclass(error) and issubclass(error, module.SerprepError):
            pages.append(f"## {name}\n\n{inspect.getdoc(error)}\n")
    return "\n".join(pages)


def python() -> str:
    """The modules that users import, from their docstrings."""
    pages = ["# Python\n"]
    for name in MODULES:
        pages.append(f"## {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n   :members:\n```\n")
    return "\n".join(pages)


def write(folder: Path) -> None:
    """Write the pages into a folder; those that are unchanged are left as they are."""
    folder.mkdir(exist_ok=True)
    for page in (commands, names, errors, python):
        path, text = folder / f"{page.__name__}.md", page()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
