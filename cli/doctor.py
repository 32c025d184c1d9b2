"""``serprep doctor``."""

from dataclasses import asdict

import click

from .output import json_option, print_json, say


@click.command(short_help="Look at this installation: what is missing or wrong, and how to mend it.")
@json_option
def doctor(as_json: bool) -> None:
    """Versions, optional parts, compiled code, packages beside it, workers, free space, GPU.

    Exit status 1 if something is wrong.
    """
    from serprep.doctor import examine, summary

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            say(f"{finding.state:<9} {finding.part:<18}  {finding.text}")
            if finding.remedy:
                say(f"{'':<9} {'':<18}  {finding.remedy}")
    wrong = any(finding.state == "wrong" for finding in findings)
    if as_json:
        print_json({"wrong": wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        say(summary(findings))
    click.get_current_context().exit(int(wrong))
