"""What cannot be trained is refused before anything is computed."""

import dataclasses
import sys

import pytest

from serprep.errors import TrainError
from serprep_models import beforehand
from serprep_models.beforehand import check_recipe


def test_tensorboard_is_asked_for_before_anything_is_computed(small, monkeypatch) -> None:
    recipe, _ = small
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    other = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, tensorboard=True))
    with pytest.raises(TrainError, match=r"pip install 'serprep\[tensorboard\]'"):
        check_recipe(other, ("plain-crnn",))


def test_one_emotion_is_refused_before_anything_is_computed(small, tmp_path) -> None:
    recipe, _ = small
    corpus = dataclasses.replace(recipe.corpus, emotions={"angry": "angry"})
    with pytest.raises(TrainError, match=r"no emotion but 'angry'; expected two or more to tell apart: see \[corpus"):
        beforehand.check_recipe(dataclasses.replace(recipe, corpus=corpus), ("majority",))


def test_what_a_system_says_of_its_options_is_told_as_it_says_it(small) -> None:
    recipe, _ = small
    train = dataclasses.replace(recipe.train, options={"svm": {"features": ["functionals", "functionals"]}})
    with pytest.raises(TrainError, match=r"^\[train\.svm\] features is \['functionals', 'functionals'\]; expected one"):
        check_recipe(dataclasses.replace(recipe, train=train), ("svm",))
