import pandas as pd

from serprep_models.figures import by_class, calibration, tracks
from serprep_models.scores import Summary


def test_a_dot_says_whose_it_is_and_names_are_text() -> None:
    dots = pd.DataFrame({"system": ["<b>"], "name": ["speaker <7>"], "ua": [0.25]})
    chart = tracks([Summary(system="<b>", ua=0.5, ua_interval=(0.4, 0.6))], dots, chance=0.25, says="UA")
    assert "<title>speaker &lt;7&gt;: 25.0 %</title>" in chart and "<span>&lt;b&gt;</span>" in chart
    assert "<b>50.0</b>" in chart


def test_what_is_undefined_has_no_dot() -> None:
    chart = tracks([Summary(system="a")], pd.DataFrame(), chance=None, says="UA")
    assert "<b>undefined</b>" in chart and "dots" not in chart
    recalls = by_class([Summary(system="a", recall={"sad": None, "angry": 1.0})], ["sad", "angry"])
    assert recalls.count('class="dots') == 1 and "a: 100.0 %" in recalls
    assert calibration([Summary(system="a")]) == []
