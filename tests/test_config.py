import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pytest

from serprep.config import check, configured, hints_of, within, words_of
from serprep.errors import FeatureError, RecipeError


@dataclass(frozen=True, kw_only=True)
class Mask:
    length: int = within(1, 10, unit="frames")
    form: Literal["bands", "frames"] = "bands"
    also: tuple[Literal["bands", "frames"], ...] = ()
    share: float = within(0, 1, default=0.5, above=True, below=True)
    seeds: tuple[int, ...] = within(0, 9, default=(0,), different=True)
    layers: Literal["last"] | tuple[int, ...] = "last"
    names: Mapping[str, str] | None = None
    title: str = ""
    on: bool = True

    def __post_init__(self):
        check(self, FeatureError, "features.mask")


def test_values_of_the_declared_types_arrive():
    values = {"length": 3, "also": ["frames"], "share": 0.25, "seeds": [1, 2], "layers": [4, 5], "names": {"a": "b"}}
    expected = Mask(length=3, also=("frames",), share=0.25, seeds=(1, 2), layers=(4, 5), names={"a": "b"})
    assert configured(Mask, values, "mask") == expected
    assert configured(Mask, {"length": 3, "names": None}, "mask") == Mask(length=3)  # JSON's null


def test_a_whole_number_becomes_the_fraction_that_is_declared():
    @dataclass(frozen=True)
    class Top:
        fmax: float = 1.0

    assert type(configured(Top, {"fmax": 8000}, "").fmax) is float


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, r"^\[mask\] needs length$"),
        ({"length": 11}, r"^\[mask\] length is 11; expected 1 to 10 frames$"),
        ({"length": 0}, r"length is 0; expected 1 to 10 frames$"),
        ({"length": True}, r"length is True; expected a whole number$"),
        ({"length": 1.0}, r"length is 1.0; expected a whole number$"),
        ({"length": "1"}, r"length is '1'; expected a whole number$"),
        ({"form": "band"}, r"form is 'band'; expected one of bands, frames; did you mean 'bands'\?$"),
        ({"form": 3}, r"form is 3; expected one of bands, frames$"),
        ({"form": ["bands"]}, r"form is \['bands'\]; expected one of bands, frames$"),
        ({"also": "bands"}, r"also is 'bands'; expected a list$"),
        ({"also": ["bands", "xyz"]}, r"also is \['bands', 'xyz'\]; expected some of bands, frames$"),
        ({"share": 0.0}, r"share is 0.0; expected more than 0 and less than 1$"),
        ({"share": 1}, r"share is 1.0; expected more than 0 and less than 1$"),
        ({"share": math.nan}, r"share is nan; expected more"),
        ({"seeds": [1, 1]}, r"seeds is \[1, 1\]; expected one or more different numbers, 0 to 9$"),
        ({"seeds": []}, r"seeds is \[\]; expected one or more different numbers, 0 to 9$"),
        ({"seeds": [10]}, r"seeds is \[10\]; expected"),
        ({"seeds": 1}, r"seeds is 1; expected a list$"),
        ({"layers": "first"}, r"layers is 'first'; expected last$"),
        ({"layers": ["4"]}, r"layers is '4'; expected a whole number$"),
        ({"names": "a"}, r"names is 'a'; expected a table$"),
        ({"title": 3}, r"title is 3; expected text$"),
        ({"on": 1}, r"on is 1; expected true or false$"),
        ({"lenght": 1}, r"unknown key 'lenght'; expected one of length, .*; did you mean 'length'\?$"),
        ({"epochs": 1}, r"unknown key 'epochs'; expected one of length, .*; it belongs into \[train\]$"),
    ],
)
def test_impossible_values_are_refused_in_one_line(values, message):
    given = values if not values or "length" in values else values | {"length": 1}
    with pytest.raises(RecipeError, match=message) as caught:
        configured(Mask, given, "mask", {"train": ("epochs",)})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [{"length": 11}, {"form": "none"}, {"share": 1}, {"seeds": (1, 1)}, {"seeds": ()}])
def test_what_is_made_in_code_is_checked_too(values):
    with pytest.raises(FeatureError, match=rf"^\[features.mask\] {next(iter(values))} is "):
        Mask(**{"length": 1} | values)


def test_numbers_of_numpy_are_numbers():
    assert Mask(length=np.int64(3), share=np.float32(0.5)).length == 3
    with pytest.raises(FeatureError, match=r"length is .*11.*; expected 1 to 10 frames"):
        Mask(length=np.int64(11))
    with pytest.raises(FeatureError, match="length is '3'; expected 1 to 10 frames"):
        Mask(length="3")


def test_a_default_made_anew_is_no_missing_key():
    @dataclass(frozen=True)
    class Listed:
        names: Mapping[str, str] = field(default_factory=dict)

    assert configured(Listed, {}, "x") == Listed()


def test_the_words_of_a_field():
    assert words_of(hints_of(Mask)["form"]) == ("bands", "frames")
    assert words_of(hints_of(Mask)["layers"]) == ("last",)
    assert words_of(hints_of(Mask)["title"]) == ()
