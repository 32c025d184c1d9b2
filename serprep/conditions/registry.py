"""The transformations that are known, and the set that `[test] conditions = "standard"` asks for."""

from collections.abc import Mapping, Sequence
from typing import Any

from serprep.conditions.condition import Applied, Condition, settings
from serprep.conditions.line import MP3, TELEPHONE
from serprep.conditions.noise import BABBLE, WHITE
from serprep.conditions.room import CLIPPING, GAIN, REVERBERATION
from serprep.config import configured, shown
from serprep.errors import RecipeError
from serprep.plugins import Registry

CONDITIONS: Registry[Condition[Any]] = Registry(
    group="serprep.conditions",
    what="condition",
    own={each.name: each for each in (TELEPHONE, MP3, WHITE, BABBLE, REVERBERATION, GAIN, CLIPPING)},
    base=Condition,
    error=RecipeError,
    without="other conditions work",
)
STANDARD: Mapping[str, Mapping[str, Any]] = {
    "telephone": {},
    "mp3": {},
    **{f"{noise}-{snr}": {"of": noise, "snr": snr} for noise in ("white", "babble") for snr in (20, 10, 5)},
    "room-0.3": {"of": "reverberation", "rt60": 0.3},
    "room-0.8": {"of": "reverberation", "rt60": 0.8},
    "gain+12": {"of": "gain", "db": 12},
    "gain-12": {"of": "gain", "db": -12},
    "clipping": {},
}


def conditions_from(values: Mapping[str, Any] | Sequence[str], place: str) -> tuple[Applied, ...]:
    """The transformations of a table of a recipe, or of a list of names: of the standard ones, or transformations.

    Raises
    ------
    RecipeError
    """
    tables = values if isinstance(values, Mapping) else {name: STANDARD.get(name, {}) for name in values}
    return tuple(condition_from(name, table, place) for name, table in tables.items())


def condition_from(name: str, values: Any, table: str = "test.conditions") -> Applied:
    """The transformation of an entry of a recipe's table.

    Raises
    ------
    RecipeError
        If it names none, or has an impossible value.
    """
    place = f"{table}.{name}"
    if not isinstance(values, dict) or not isinstance(values.get("of", name), str):
        raise RecipeError(f'[{place}] is {shown(values)}; expected a table such as {{ of = "white", snr = 10 }}')
    if "/" in name or not name.isprintable() or name.startswith("."):
        raise RecipeError(f"[{table}] {shown(name)}: expected a name that a file can have")
    if name == "clean":
        raise RecipeError(f"[{table}] 'clean' is what the others are compared with; choose another name")
    condition = CONDITIONS[values.get("of", name)]
    return Applied(name, condition, configured(condition.config, settings(values), place))
