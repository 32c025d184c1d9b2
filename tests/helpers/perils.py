"""What extractors do to the process that they run in; importable there."""

import os
import signal

from serprep.contained import limited
from serprep.errors import LimitError


def peril(word):
    """One of the things that end a process, or the word itself."""
    try:
        with limited(0.2, 64 << 20):
            if word == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            elif word == "exit":
                os._exit(7)
            elif word == "hang":
                while True:
                    pass
            elif word == "memory":
                bytearray(1 << 30)
            elif word == "print":
                print("something")
    except LimitError as error:
        return str(error)
    return word
