"""Any feature set and level of the installed openSMILE package, or a configuration file of one's own.

Values are those of ``opensmile.Smile(…).process_signal`` for the same guarded signal, bit for
bit; they come through the helper of `opensmile_fork` where it runs, else from the package.
Functionals are one row per utterance, every other level a contour.
openSMILE is free for research and personal use only; a store that holds its values says so.
"""

import hashlib
import re
import warnings
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.errors import FeatureError, one_line
from serprep.features import opensmile_fork
from serprep.features.functionals import check_signal, library_digest, opensmile_version, prepare, shortest
from serprep.features.kind import Extractor, Kind, Say

LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors", "lld_de": "LowLevelDescriptors_Deltas"}
PLACE = "[features.opensmile]"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Sets:
    """Configuration of ``[features.opensmile]``."""

    feature_set: str = "eGeMAPSv02"
    level: str = "functionals"  # "lld", "lld_de", or what a file of one's own calls a level
    file: str = ""  # a configuration file of one's own, in place of a set; a store knows "sha256:…" of it

    def __post_init__(self) -> None:
        if not self.feature_set.isidentifier():
            raise FeatureError(f"{PLACE} feature_set is {self.feature_set!r}; expected a name such as 'eGeMAPSv02'")
        if not self.file and self.level not in LEVELS:
            raise FeatureError(f"{PLACE} level is {self.level!r}; expected one of {', '.join(LEVELS)}")
        if not re.fullmatch(r"[A-Za-z0-9_]+", self.level):
            raise FeatureError(f"{PLACE} level is {self.level!r}; expected letters, digits and _")


@lru_cache(maxsize=16)
def _smile(config: Sets) -> Any:
    """The package's object.

    Raises
    ------
    FeatureError
        If the package is missing, or has no such set, level or file.
    """
    try:
        import opensmile
    except ImportError as error:
        raise FeatureError(f"{PLACE} openSMILE cannot be used ({one_line(error)}); {_REMEDY}") from None
    sets = opensmile.FeatureSet.__members__
    if not config.file and config.feature_set not in sets:
        raise FeatureError(
            f"{PLACE} feature_set is {one_line(config.feature_set)!r}; the installed opensmile "
            f"{opensmile_version()} knows {', '.join(sets)}"
        )
    level = opensmile.FeatureLevel[LEVELS[config.level]] if config.level in LEVELS else config.level
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # older sets are "deprecated", and asked for by name
            smile = opensmile.Smile(config.file or sets[config.feature_set], level, loglevel=0)
        if not smile.feature_names:
            raise FeatureError("no values at that level")
    except Exception as error:  # whatever the package raises; its own has no text but a number
        what = f"file {one_line(config.file)}" if config.file else f"feature_set {config.feature_set!r}"
        raise FeatureError(
            f"{PLACE} openSMILE refuses {what} with level {config.level!r} ({one_line(error)[:200]}); "
            "expected a level that it has" + (", and a file that openSMILE reads" if config.file else "")
        ) from None
    return smile


_REMEDY = "pip install opensmile, or leave the table out"


class _Sets(Kind[Sets]):
    name = "opensmile"
    config = Sets
    shape = "row"
    revision = 1

    def shape_of(self, config: Sets) -> Literal["row", "contour"]:
        return "row" if config.level == "functionals" else "contour"

    def at_level(self, level: str) -> Sets | None:
        return Sets(level=level or "functionals") if level in ("", *LEVELS) else None

    def located(self, config: Sets, folder: Path) -> Sets:
        located = replace(config, file=str(folder / Path(config.file).expanduser())) if config.file else config
        self.plain(located)  # the file is there
        _smile(located)
        return located

    def plain(self, config: Sets) -> dict[str, Any]:
        file = config.file
        if file and not _DIGEST.fullmatch(file):
            try:
                file = f"sha256:{hashlib.sha256(Path(file).read_bytes()).hexdigest()}"
            except OSError as error:
                reason = error.strerror or one_line(error)
                raise FeatureError(
                    f"{PLACE} file {one_line(file)}: {reason}; expected a configuration of openSMILE"
                ) from None
        return asdict(replace(config, file=file))

    def missing(self, config: Sets) -> str:
        if _DIGEST.fullmatch(config.file):
            return (
                f"{PLACE} was computed with a configuration file of {config.file}, which a store does not hold: "
                "`serprep verify --recipe FILE`, with the recipe that names it, compares; reading works without"
            )
        if find_spec("opensmile") is None:
            return f"{PLACE} needs the package opensmile, which is not installed: {_REMEDY}; reading works without"
        return ""

    def names(self, config: Sets) -> tuple[str, ...]:
        return tuple(_smile(config).feature_names)

    def extractor(self, config: Sets, signal: Signal) -> Extractor:
        smile = partial(_smile, config)
        width = len(smile().feature_names)

        def extract(samples: FloatArray) -> FloatArray:
            check_signal(samples, signal.sample_rate)
            compute = opensmile_fork.rows if opensmile_fork.available() else opensmile_fork.by_package
            rows: FloatArray = np.asarray(compute(smile, samples, signal.sample_rate), np.float32).reshape(-1, width)
            if not np.isfinite(rows).all():
                n_bad = int(rows.size - np.isfinite(rows).sum())
                raise FeatureError(f"openSMILE gave {n_bad} of {rows.size} values that are not finite; leave it out")
            if self.shape_of(config) == "contour":
                return rows
            if len(rows) != 1:
                raise FeatureError(f"openSMILE gave {len(rows)} rows of functionals; expected one per utterance")
            row: FloatArray = rows[0]
            return row

        return extract

    def prepare(self, config: Sets, say: Say | None) -> None:
        prepare(say or (lambda line: None))

    def shortest(self, config: Sets, signal: Signal) -> int:
        return shortest(signal.sample_rate)

    def licence(self, config: Sets) -> str:
        return "opensmile: openSMILE (audEERING), free for research and personal use only"

    def identity(self, config: Sets) -> dict[str, Any]:
        return {"library": library_digest()}

    def version_identity(self, config: Sets) -> dict[str, Any]:
        return {"opensmile": opensmile_version()}


OPENSMILE = _Sets()
