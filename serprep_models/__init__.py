"""Three systems of an Interspeech 2018 paper, trained straight from serprep stores.

Torch lives here only.
The path: store + split → loader → crnn → train → experiment → experiments → report → page → run.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serprep_models.predictor import Predictor, load

__all__ = ["Predictor", "load"]


def __getattr__(name: str) -> Any:
    """Load public names when they are asked for (PEP 562): torch takes seconds to import."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from serprep_models import predictor

    return getattr(predictor, name)
