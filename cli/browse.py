"""``serprep browse``."""

from pathlib import Path

import click

from .output import notes, say


@click.command(short_help="Look at a store and listen to it, in a web browser.")
@click.argument("what", metavar="RECIPE|STORE")
@click.option(
    "--audio", type=click.Path(path_type=Path), metavar="ROOT", help="The recordings; default: the recipe's root."
)
@click.option(
    "--export",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write the page into FOLDER instead; recordings only with --audio: mind their licence.",
)
@click.option("--no-open", is_flag=True, help="Don't open the web browser; print the address only.")
def browse(what: str, audio: Path | None, folder: Path | None, no_open: bool) -> None:
    """Show every utterance of a STORE, or of what a RECIPE built: table, map, pictures, sound.

    The page is served on this machine alone, until Ctrl-C.  What you mark there, it saves as a
    CSV that [corpus] marks of a recipe names.
    """
    from dataclasses import replace

    from serprep_models.browsed import subject_of

    subject = subject_of(what, audio=audio)
    notes(subject.notes)
    if folder is not None:
        from serprep.browse.export import export
        from serprep.progress import Progress

        with Progress("writing", len(subject), unit="utterances") as progress:
            n_sounds = export(replace(subject, audio=audio), folder, progress=progress.to)
        say(f"written: {len(subject)} utterances, {n_sounds} recordings, in {folder}; open {folder / 'index.html'}")
        return
    from serprep.browse.server import serve

    def tell(address: str) -> None:
        say(f"{address}   (Ctrl-C ends it)")
        if not no_open:
            click.launch(address)

    serve(subject, tell=tell)
