"""``serprep completion``."""

import click

from .output import say

_PLACES = {
    "bash": 'eval "$(serprep completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(serprep completion zsh)"   # in ~/.zshrc, after compinit',
    "fish": "serprep completion fish > ~/.config/fish/completions/serprep.fish",
}


@click.command(short_help="Print what lets bash, zsh or fish complete commands and options.")
@click.argument("shell", type=click.Choice(sorted(_PLACES)), required=False)
@click.pass_context
def completion(context: click.Context, shell: str | None) -> None:
    """Print the completion script of a SHELL; without one, where each belongs."""
    from click.shell_completion import get_completion_class

    if shell is None:
        for line in _PLACES.values():
            say(line)
        return
    complete = get_completion_class(shell)
    assert complete is not None
    click.echo(complete(context.find_root().command, {}, "serprep", "_SERPREP_COMPLETE").source())
