"""``serprep onnx``."""

from pathlib import Path

import click

from .output import OutputFile, json_option, print_json


@click.command(short_help="A checkpoint as an ONNX file.")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("destination", type=OutputFile(path_type=Path))
@click.option(
    "--enrol",
    "enrolled",
    multiple=True,
    metavar="FILES",
    help="Recordings of the speaker, for checkpoints with statistics per speaker; may be given several times.",
)
@json_option
def onnx(checkpoint: Path, destination: Path, enrolled: tuple[str, ...], as_json: bool) -> None:
    """Write a CHECKPOINT to DESTINATION.onnx, which scores the features of one utterance a call."""
    from serprep_models.recordings import utterances_of

    enrol = utterances_of(enrolled) if enrolled else None
    from serprep_models.onnx import onnx
    from serprep_models.predict import enrolled_by
    from serprep_models.predictor import load

    predictor, _ = enrolled_by(load(checkpoint), enrol, quiet=False)
    path = onnx(predictor, destination)
    if as_json:
        print_json({"onnx": str(path.resolve()), "inputs": list(predictor.names), "labels": list(predictor.labels)})
    else:
        click.echo(path)
