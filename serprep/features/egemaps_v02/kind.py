"""eGeMAPSv02 as a kind of feature: 88 functionals or 25 contours, natively or by openSMILE, with the same values."""

from dataclasses import dataclass
from typing import Any, Literal

from serprep.audio.signal import Signal
from serprep.config import check
from serprep.errors import FeatureError
from serprep.features import compare_2016, egemaps_v02
from serprep.features.functionals import check_rate
from serprep.features.kind import Extractor, Kind, Meaning, Say
from serprep.features.libraries import native_libraries
from serprep.features.opensmile_sets import OPENSMILE, Sets

PLACE = "[features.egemaps]"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Configuration of ``[features.egemaps]``."""

    level: Literal["functionals", "lld"] = "functionals"
    engine: Literal["native", "opensmile"] = "native"

    def __post_init__(self) -> None:
        check(self, FeatureError, "features.egemaps")

    @property
    def by_package(self) -> Sets | None:
        """The same of the package; None where it is computed natively."""
        return None if self.engine == "native" else Sets(feature_set="eGeMAPSv02", level=self.level)


class _EGeMAPS(Kind[Config]):
    name = "egemaps"
    config = Config
    shape = "row"
    shares = True
    revision = egemaps_v02.REVISION

    def shape_of(self, config: Config) -> Literal["row", "contour"]:
        return "row" if config.level == "functionals" else "contour"

    def at_level(self, level: str) -> Config | None:
        if level in ("", "functionals"):
            return Config()
        return Config(level="lld") if level == "lld" else None

    def names(self, config: Config) -> tuple[str, ...]:
        return tuple(meaning.name for meaning in self.meanings(config))

    def meanings(self, config: Config) -> tuple[Meaning, ...]:
        return egemaps_v02.functional_meanings() if config.level == "functionals" else egemaps_v02.contour_meanings()

    def n_rows(self, n_samples: int, config: Config) -> int | None:
        return 1 if config.level == "functionals" else compare_2016.n_rows(n_samples)

    def hop(self, config: Config, signal: Signal) -> float:
        return compare_2016.HOP / compare_2016.SAMPLE_RATE

    def extractor(self, config: Config, signal: Signal) -> Extractor:
        if config.by_package:
            return OPENSMILE.extractor(config.by_package, signal)
        return egemaps_v02.functionals if config.level == "functionals" else egemaps_v02.contours

    def prepare(self, config: Config, say: Say | None) -> None:
        if config.by_package:
            OPENSMILE.prepare(config.by_package, say)
        else:
            compare_2016.prepare(say, egemaps_v02.functionals)

    def missing(self, config: Config) -> str:
        return OPENSMILE.missing(config.by_package) if config.by_package else ""

    def shortest(self, config: Config, signal: Signal) -> int:
        return compare_2016.SHORTEST * signal.sample_rate // compare_2016.SAMPLE_RATE

    def check(self, config: Config, signal: Signal) -> None:
        if config.engine == "native":
            check_rate(signal.sample_rate, f"{PLACE} gives values")

    def licence(self, config: Config) -> str:
        return OPENSMILE.licence(config.by_package) if config.by_package else ""

    def identity(self, config: Config) -> dict[str, Any]:
        return OPENSMILE.identity(config.by_package) if config.by_package else native_libraries()

    def version_identity(self, config: Config) -> dict[str, Any]:
        return OPENSMILE.version_identity(config.by_package) if config.by_package else {}

    def extractor_name(self, config: Config) -> str:
        return "opensmile" if config.by_package else "serprep.egemaps"


EGEMAPS = _EGeMAPS()
