"""``serprep corpora``."""

import click

from .output import json_option, notes, print_json, print_table


@click.command(short_help="Corpora that can be read, with licence and expected counts.")
@json_option
def corpora(as_json: bool) -> None:
    """List the readers."""
    from serprep.corpora import READERS

    rows = [
        {
            "name": corpus.name,
            "title": corpus.title,
            "release": corpus.release,
            "utterances": corpus.n_utterances,
            "speakers": corpus.n_speakers,
            "emotions": dict(corpus.n_per_emotion),
            "licence": corpus.licence,
            "layout": corpus.layout,
            "source": corpus.source,
            "citation": corpus.citation,
        }
        for corpus in READERS.usable(lambda line: notes([line], "left out")).values()
    ]
    if as_json:
        print_json({"corpora": rows})
        return
    shown = [{**row, "utterances": row["utterances"] or "", "speakers": row["speakers"] or ""} for row in rows]
    print_table(shown, ["name", "title", "utterances", "speakers", "licence", "layout"])
