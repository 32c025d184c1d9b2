"""Corpora that need no recordings: synthetic speech, in the layout of any corpus."""

from serprep.testing.layouts import LAYOUTS, Sound, Text, write_layout
from serprep.testing.voice import STYLES, Voice, synthetic_utterance, synthetic_voice, write_synthetic_corpus

__all__ = [
    "LAYOUTS",
    "STYLES",
    "Sound",
    "Text",
    "Voice",
    "synthetic_utterance",
    "synthetic_voice",
    "write_layout",
    "write_synthetic_corpus",
]
