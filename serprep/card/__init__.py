"""What a data set is, whom it holds and what to beware of, on one page."""

from serprep.card.page import make_card
from serprep.card.write import card_of, write_card

__all__ = ["card_of", "make_card", "write_card"]
