"""A forked child predicts, though its parent's threads are gone."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from serprep_models.threads import one_thread

FORKED = """
import os, sys
import numpy as np
import torch
torch.set_num_threads(2)
import serprep_models
predictor = serprep_models.load(sys.argv[1])
signal = 0.3 * np.sin(np.arange(16_000) * 0.1)
before = predictor.predict(signal, 16_000)  # OpenMP's threads are there now
child = os.fork()
if child == 0:
    again = serprep_models.load(sys.argv[1]).predict(signal, 16_000)
    close = all(abs(before[name] - again[name]) < 1e-5 for name in before)
    os._exit(0 if close and predictor.predict(signal, 16_000) == again else 9)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_predicts_as_its_parent(trained) -> None:
    place = trained / "hsf-crnn" / "fold-01" / "seed-0"
    with subprocess.Popen([sys.executable, "-c", FORKED, place], start_new_session=True) as process:
        try:
            assert process.wait(timeout=120) == 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_one_thread_is_for_a_while() -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
