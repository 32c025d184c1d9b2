"""``serprep predict``."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from .output import OutputFile, json_option, notes, print_json


@click.command(short_help="Labels and probabilities of new recordings.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("audio", nargs=-1, required=True)
@click.option(
    "--with",
    "others",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="CHECKPOINT",
    help="Another checkpoint to average with; may be given several times.",
)
@click.option(
    "--enrol",
    "enrolled",
    multiple=True,
    metavar="FILES",
    help="Recordings of the speaker, without labels: files or folders; may be given several times. "
    "For checkpoints with statistics per speaker.",
)
@click.option(
    "--abstain",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="P",
    help="Give no label below this probability, and say what that was worth; for calibrated checkpoints.",
)
@click.option("--root", type=click.Path(path_type=Path), help="Where the recordings of a manifest lie.")
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    metavar="FORM",
    help="csv, jsonl, arff, or what another package brings.",
)
@click.option("-o", "--output", type=OutputFile(path_type=Path), help="File to write; default: standard output.")
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Local processes; default: one per core.")
@json_option
def predict(
    checkpoint: Path,
    audio: tuple[str, ...],
    others: tuple[Path, ...],
    enrolled: tuple[str, ...],
    abstain: float | None,
    root: Path | None,
    form: str,
    output: Path | None,
    workers: int | None,
    as_json: bool,
) -> int:
    """Predict AUDIO with a CHECKPOINT: files, folders, a manifest, or a store.

    Where CHECKPOINT is a folder with several checkpoints below it, such as the folds and
    seeds of a system, their probabilities are averaged.

    A checkpoint with statistics per speaker (a transductive one) needs recordings of the
    speaker of all AUDIO: name them with --enrol.  For a STORE it takes each speaker's own.
    """
    from serprep.exports import FORMS
    from serprep.files import write_whole
    from serprep.parallel import Workers
    from serprep.store.store import open_store
    from serprep_models.recordings import other_recordings, utterances_of

    # what is named wrongly is told before torch is loaded, and checkpoints
    FORMS[form]
    store = open_store(audio[0]) if len(audio) == 1 and is_store(audio[0]) else None
    utterances = utterances_of(audio, root=root) if store is None else None
    enrol = utterances_of(enrolled, root=root) if enrolled else None
    from serprep_models.checkpoint import checkpoints_below
    from serprep_models.predict import predict_files
    from serprep_models.predict_store import predict_store
    from serprep_models.predictions import render
    from serprep_models.predictor import load

    checkpoints = [path for place in (checkpoint, *others) for path in checkpoints_below(place)]
    if len(checkpoints) > 1:
        notes([f"the mean of {len(checkpoints)} checkpoints"])
    if store is not None:
        predictions = predict_store(checkpoints, store, enrol=enrol, quiet=False)
    else:
        assert utterances is not None
        notes(other_recordings(audio))
        with Workers(workers) as pool:
            predictions = predict_files(checkpoints, utterances, enrol=enrol, pool=pool, quiet=False)
    if abstain is not None:
        predictions = predictions.abstaining(load(checkpoints).abstention(abstain))
    notes(predictions.notes)
    text = render(predictions, form)
    if output:
        write_whole(output, text.encode())
    if as_json:
        print_json(
            {
                "predictions": [json.loads(line) for line in render(predictions, "jsonl").splitlines()],
                "left_out": dict(predictions.reasons),
                "checkpoints": list(map(str, checkpoints)),
                "transductive": predictions.transductive,
                "abstention": predictions.abstention and asdict(predictions.abstention),
            }
        )
        return 3 if predictions.reasons else 0
    notes([f"{name}: {reason}" for name, reason in predictions.reasons.items()], "left out")
    if output:
        notes([f"{len(predictions.ids)}, in {output}"], "utterances predicted")
    else:
        click.echo(text, nl=False)
    return 3 if predictions.reasons else 0


def is_store(place: str) -> bool:
    """Whether an argument names a store rather than recordings."""
    from serprep.forms import form_of
    from serprep.version import versions

    if form_of(place) or ("@" in place and not Path(place).exists()):
        return True
    return bool(place) and not Path(place).is_file() and bool(versions(place))  # a data set
