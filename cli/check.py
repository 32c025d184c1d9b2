"""``serprep check``."""

from pathlib import Path

import click

from .output import json_option, notes, print_json, recognise_option


@click.command(short_help="Compare a folder with a manifest: missing, extra, changed files.")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.argument("root")
@recognise_option
@json_option
def check(manifest: Path, root: str, no_samples: bool, as_json: bool) -> int:
    """Compare the recordings under ROOT, a folder or URL, with a MANIFEST; exit status 1 if they differ."""
    from serprep.errors import one_line
    from serprep.pipeline.listing import check_corpus

    checked = check_corpus(manifest, root, samples=not no_samples, quiet=False)
    compared, release = checked.comparison, checked.release
    notes(checked.warnings, "warning")
    if as_json:
        lists = {name: list(getattr(compared, name)) for name in ("missing", "changed", "extra")}
        about = {"n_files": compared.n_files, "same": compared.same, "warnings": list(checked.warnings)}
        print_json({**about, **lists, "release": release and release.as_dict()})
    else:
        for kind in ("missing", "changed", "extra"):
            for path in getattr(compared, kind):
                click.echo(f"{kind:<8} {one_line(path)}")
        click.echo(
            f"{compared.n_files} files in the manifest: {len(compared.missing)} missing, "
            f"{len(compared.changed)} changed, {len(compared.extra)} extra"
        )
        if release:
            click.echo(release.sentence)
    return 0 if compared.same else 1
