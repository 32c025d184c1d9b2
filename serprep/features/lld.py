"""The 65 low-level descriptors of ComParE 2016 and their deltas, as contours, computed natively."""

from typing import Any

from serprep.audio.signal import Signal
from serprep.features import compare_2016
from serprep.features.compare_2016 import LLD as Config
from serprep.features.functionals import check_rate
from serprep.features.kind import Extractor, Kind, Say
from serprep.features.libraries import native_libraries
from serprep.features.prepared import prepare_once


class _LLD(Kind[Config]):
    name = "lld"
    config = Config
    shape = "contour"
    revision = compare_2016.REVISION
    array = "compare_2016"
    dimensions = ("lld_frame", "descriptor")
    named_at_top = True
    slow_to_load = True
    set_name = "compare_2016"
    shares = True

    def names(self, config: Config) -> tuple[str, ...]:
        return compare_2016.lld_names()

    def n_rows(self, n_samples: int, config: Config) -> int:
        return compare_2016.n_rows(n_samples)

    def at_level(self, level: str) -> Config | None:
        return Config(enabled=True) if level in ("", "lld") else None

    def hop(self, config: Config, signal: Signal) -> float:
        return compare_2016.HOP / compare_2016.SAMPLE_RATE

    def extractor(self, config: Config, signal: Signal) -> Extractor:
        return compare_2016.lld

    def prepare(self, config: Config, say: Say | None) -> None:
        prepare_once(compare_2016.__name__, compare_2016.prepare, say)

    def shortest(self, config: Config, signal: Signal) -> int:
        return compare_2016.SHORTEST

    def check(self, config: Config, signal: Signal) -> None:
        check_rate(signal.sample_rate, "[features.lld] gives contours")

    def identity(self, config: Config) -> dict[str, Any]:
        return native_libraries()

    def extractor_name(self, config: Config) -> str:
        return compare_2016.NAME

    def settings(self, config: Config) -> dict[str, Any]:
        return {self.name: config.feature_set}


LLD = _LLD()
