"""Helper process: initialises openSMILE once, then forks for each utterance.

Run as ``python -I -S this_file SETTINGS`` by `opensmile_fork`; imports nothing but the
standard library (numpy alone would double the cost of a fork) and stays single-threaded.

Protocol: a request is 24 bytes on standard input (bytes of int16 samples, seconds of the
processor allowed as float64, bytes of memory allowed), an answer one line on standard
output: ``exit N``, ``signal N``, ``hung`` or ``refused ERRNO`` (no process could be made).
One shared memory file holds what came out (rows and columns), the samples, and after them
the values, rows of float32.  A child that computes too long is killed
by its own alarm, which counts its own time; one that waits for ever is killed after many
times that, counted in ticks of this process, so that being suspended does not count.  One
that crashes takes nobody along, and all go when the parent goes.
"""

import contextlib
import ctypes
import json
import mmap
import os
import resource
import select
import signal
import struct
import sys
import time

REQUEST = struct.Struct("<QdQ")
SIZE = struct.Struct("<QQ")  # rows and columns that came out, at the beginning of the shared memory; samples follow
PR_SET_PDEATHSIG = 1
SOURCE, SINK = b"extsource", b"extsink"
TICK = 1.0  # seconds
PATIENCE, LEAST = 10, 300  # ticks allowed per second of the processor, and at least

SinkCallback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_float),
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


def load(settings):
    """The library with the types of the functions used here."""
    api = ctypes.CDLL(settings["library"])
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    api.smile_new.restype = pointer
    api.smile_initialize.argtypes = [pointer, text, number, pointer, number, number, number, pointer]
    api.smile_run.argtypes = [pointer]
    api.smile_extaudiosource_write_data.argtypes = [pointer, text, pointer, number]
    api.smile_extaudiosource_set_external_eoi.argtypes = [pointer, text]
    api.smile_extsink_set_data_callback_ex.argtypes = [pointer, text, SinkCallback, pointer]
    return api


def initialise(api, settings):
    """An openSMILE object with its component graph, as the package makes it for every utterance."""
    flat = [os.fsencode(word) for pair in settings["options"].items() for word in pair]
    array = (ctypes.c_char_p * (len(flat) + 1))(*flat, None)
    smile = api.smile_new()
    status = api.smile_initialize(
        smile, os.fsencode(settings["config"]), len(settings["options"]), array, settings["loglevel"], 0, 0, None
    )
    if status:
        raise SystemExit(f"openSMILE could not be initialised (status {status})")
    return smile


def compute(api, smile, shared, n_bytes, memory):
    """In the child: run the graph on the shared samples; returns an exit status."""
    rows, columns = [], []

    def keep(data, n_rows, n_columns, _meta, _user):
        columns.extend([n_columns] * n_rows)
        rows.append(ctypes.string_at(data, 4 * n_rows * n_columns))
        return 1

    callback = SinkCallback(keep)
    samples = shared[SIZE.size : SIZE.size + n_bytes]
    failed = (
        api.smile_extsink_set_data_callback_ex(smile, SINK, callback, None)
        or api.smile_extaudiosource_write_data(smile, SOURCE, samples, n_bytes)
        or api.smile_extaudiosource_set_external_eoi(smile, SOURCE)
        or api.smile_run(smile)
    )
    if failed:
        return 10 + failed
    if len(set(columns)) != 1:
        return 2
    shared[: SIZE.size] = SIZE.pack(len(columns), columns[0])
    left, at = memoryview(b"".join(rows)), SIZE.size + n_bytes
    while left:
        written = os.pwrite(memory, left, at)
        left, at = left[written:], at + written
    return 0


def child(api, smile, shared, request, libc, memory_file):
    """Limits, then the computation; never returns."""
    n_bytes, seconds, memory = request
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # where it is refused, the ticks of the parent limit it
        signal.setitimer(signal.ITIMER_PROF, seconds)
    limit_memory(memory)
    os._exit(compute(api, smile, shared, n_bytes, memory_file))


def limit_memory(more):
    """Allow so many bytes more than this process has, where the system knows how; never more than it may have."""
    with contextlib.suppress(OSError, ValueError):
        with open("/proc/self/statm") as file:  # noqa: PTH123 - pathlib is slow to import
            most = int(file.read().split()[0]) * resource.getpagesize() + more
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def wake_on_end():
    """A descriptor that can be read when a child has ended."""
    ear, mouth = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(mouth)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return ear


def wait_for(pid, ear, ticks):
    """The child's wait status, None if it took more ticks than it may; exits if the parent has gone meanwhile."""
    poll = select.poll()
    poll.register(ear, select.POLLIN)
    poll.register(0, 0)  # nothing but hang-ups and errors
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        ready = dict(poll.poll(1000 * TICK))
        if ear in ready:
            os.read(ear, 4096)
        elif ready:
            os.kill(pid, signal.SIGKILL)
            raise SystemExit(0)
        else:  # a tick, however long this process was stopped in it
            ticks -= 1
            if ticks <= 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return None


def fork():
    """`os.fork`, tried again where the system has too many processes for the moment."""
    for pause in (0.1, 0.3, 1.0):
        try:
            return os.fork()
        except BlockingIOError:
            time.sleep(pause)
    return os.fork()


def main():
    settings = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, who then closes the pipe
    libc = ctypes.CDLL(None)
    api = load(settings)
    smile = initialise(api, settings)
    memory = settings["memory"]
    shared = mmap.mmap(memory, SIZE.size)
    ear = wake_on_end()
    os.write(1, b"ready\n")
    while True:
        data = os.read(0, REQUEST.size)
        while data and len(data) < REQUEST.size:
            more = os.read(0, REQUEST.size - len(data))
            data = data + more if more else b""
        if not data:
            return
        request = REQUEST.unpack(data)
        if len(shared) < SIZE.size + request[0]:
            shared.close()
            shared = mmap.mmap(memory, SIZE.size + request[0])
        try:
            pid = fork()
        except OSError as error:
            os.write(1, f"refused {error.errno}\n".encode())
            continue
        if pid == 0:
            try:
                child(api, smile, shared, request, libc, memory)
            except MemoryError:
                os._exit(3)
            finally:
                os._exit(4)
        status = wait_for(pid, ear, max(LEAST, int(PATIENCE * request[1])))
        if status is None:
            answer = "hung"
        elif os.WIFSIGNALED(status):
            answer = f"signal {os.WTERMSIG(status)}"
        else:
            answer = f"exit {os.WEXITSTATUS(status)}"
        os.write(1, answer.encode() + b"\n")


if __name__ == "__main__":
    main()
