"""Speech-emotion corpora → versioned feature stores, speaker-independent splits, honest scores.

The path: corpus → manifest → features → cache → store → split → loader → system → report.
Names are loaded when first used, so that ``import serprep`` is instant.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "SerprepError": "errors",
    "Utterance": "utterance",
    "CORPORA": "corpora",
    "read_corpus": "corpora",
    "Manifest": "manifest.table",
    "make_manifest": "manifest.table",
    "read_manifest": "manifest.table",
    "write_manifest": "manifest.table",
    "check_manifest": "manifest.look",
    "read_ratings": "ratings",
    "write_ratings": "ratings",
    "Features": "features.extract",
    "LogMel": "features.logmel",
    "log_mel": "features.logmel",
    "Segment": "features.framing",
    "cut_segments": "features.framing",
    "functionals": "features.functionals",
    "Store": "store.store",
    "open_store": "store.store",
    "convert": "store.convert",
    "Split": "split",
    "SplitConfig": "split",
    "make_split": "split",
    "read_split": "split",
    "write_split": "split",
    "Audit": "audit",
    "audit_split": "audit",
    "Recipe": "recipe",
    "read_recipe": "recipe",
    "BuildResult": "pipeline.build",
    "build": "pipeline.build",
    "uar": "metrics",
    "wa": "metrics",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'serprep' has no attribute {name!r}")
    return getattr(import_module(f"serprep.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
