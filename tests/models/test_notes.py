"""What scores stand on is said."""

import dataclasses

from serprep_models import notes


def test_scores_of_a_corpus_with_marks_say_that_these_may_be_circular(small) -> None:
    recipe, _ = small
    assert notes._marks_note(recipe) == []
    marked = dataclasses.replace(recipe, corpus=dataclasses.replace(recipe.corpus, marks="marks.csv"))
    (note,) = notes._marks_note(marked)
    assert note.startswith("labels were corrected, or utterances left out, by marks.csv:")
