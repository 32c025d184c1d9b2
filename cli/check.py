"""``serprep check``."""

from pathlib import Path

import click

from .output import json_option, print_json, recognise_option, recognised


@click.command(short_help="Compare a folder with a manifest: missing, extra, changed files.")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.argument("root")
@recognise_option
@json_option
def check(manifest: Path, root: str, no_samples: bool, as_json: bool) -> int:
    """Compare the recordings under ROOT, a folder or URL, with a MANIFEST; exit status 1 if they differ."""
    from serprep.errors import one_line
    from serprep.files import as_root
    from serprep.manifest.look import check_manifest
    from serprep.manifest.table import read_manifest
    from serprep.progress import Progress

    expected = read_manifest(manifest)
    with Progress("hashing", len({row.path for row in expected.utterances}), unit="files") as progress:
        found = check_manifest(expected, as_root(root), progress=progress.to)
    release = recognised(expected.info, found.digests, as_root(root), no_samples=no_samples)
    if as_json:
        lists = {name: list(getattr(found, name)) for name in ("missing", "changed", "extra")}
        print_json({"n_files": found.n_files, "same": found.same, **lists, "release": release and release.as_dict()})
    else:
        for kind in ("missing", "changed", "extra"):
            for path in getattr(found, kind):
                click.echo(f"{kind:<8} {one_line(path)}")
        click.echo(
            f"{found.n_files} files in the manifest: {len(found.missing)} missing, "
            f"{len(found.changed)} changed, {len(found.extra)} extra"
        )
        if release:
            click.echo(release.sentence)
    return 0 if found.same else 1
