import gc
import os
import subprocess
import sys
from concurrent.futures import CancelledError
from types import SimpleNamespace

import pytest

from serprep import parallel
from serprep.errors import CacheError, SerprepError
from serprep.parallel import Died, Workers, n_cores

# Functions are defined inside the tests, so that they travel to the workers by value.


@pytest.fixture(scope="module")
def pool():
    with Workers(2) as pool:
        yield pool


def test_every_item_gets_its_own_result(pool):
    def square(item):
        return item * item

    found = list(pool.run(square, range(50)))
    assert sorted(found) == [(number, number**2) for number in range(50)]


def test_equal_items_are_each_run(pool):
    def token(item):
        import uuid

        return uuid.uuid4().hex

    assert len({receipt for _, receipt in pool.run(token, ["same"] * 9)}) == 9


def test_results_come_as_they_are_done(pool, tmp_path):
    def waits_for_others(item):
        import time

        folder, number = item
        while number == 0 and len(list(folder.iterdir())) < 7:
            time.sleep(0.01)
        (folder / str(number)).touch()
        return number

    order = [number for number, _ in pool.run(waits_for_others, [(tmp_path, number) for number in range(12)])]
    # at most the few that waited behind it follow; two receipts of the other may be on their way
    assert order.index(0) >= 4 and sorted(order) == list(range(12))


def test_work_is_done_in_other_processes_one_thread_each(pool, tmp_path):
    def who(folder):
        import os
        import threading
        import time

        (folder / str(os.getpid())).touch()
        while len(list(folder.iterdir())) < 2:  # until both workers have something to do
            time.sleep(0.01)
        return os.getpid(), threading.get_ident()

    found = {receipt for _, receipt in pool.run(who, [tmp_path] * 20)}
    assert os.getpid() not in {process for process, _ in found}
    assert len({process for process, _ in found}) == len(found) == 2


def test_only_a_few_items_are_in_flight(pool, tmp_path):
    def mark(item):
        folder, number = item
        (folder / str(number)).touch()
        return number

    flow = pool.run(mark, [(tmp_path, number) for number in range(40)])
    next(flow)
    assert len(list(tmp_path.iterdir())) <= 2 * 2 + 2 + 1
    assert len(list(flow)) == 39


def test_a_task_that_kills_its_worker_is_handed_back_and_nothing_else_is_lost(pool):
    def work(item):
        import os

        if item in (3, 7):
            os.kill(os.getpid(), 9)
        return -item

    items = [3, 1, 2, 7, 4, 5, 6, 8, 9]
    found = dict(pool.run(work, items))
    assert {items[number] for number, receipt in found.items() if isinstance(receipt, Died)} == {3, 7}
    others = {number: -item for number, item in enumerate(items) if item not in (3, 7)}
    assert {number: receipt for number, receipt in found.items() if not isinstance(receipt, Died)} == others
    assert all("killed or crashed" in receipt.reason for receipt in found.values() if isinstance(receipt, Died))


def test_a_task_that_kills_its_worker_once_gets_a_second_chance(pool, tmp_path):
    def work(path):
        import os

        if not path.exists():
            path.touch()
            os.kill(os.getpid(), 9)
        return "done"

    assert list(pool.run(work, [tmp_path / "tried"])) == [(0, "done")]


def test_errors_keep_their_kind_and_the_workers(pool):
    def fail(item):
        from serprep.errors import CacheError

        if item == 2:
            raise CacheError("part x was damaged; build again")
        return item

    with pytest.raises(CacheError, match=r"^part x was damaged; build again$"):
        list(pool.run(fail, range(5)))
    assert dict(pool.run(fail, [0, 1])) == {0: 0, 1: 1}
    assert issubclass(CacheError, SerprepError)


def test_nothing_to_do_starts_nothing():
    with Workers(2) as pool:
        assert list(pool.run(len, [])) == []
        assert pool._client is None
    code = (
        "import sys; from serprep.parallel import Workers; "
        "print(list(Workers().run(len, [])), 'distributed' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[] False\n"


def test_a_closed_pool_can_be_closed_again_and_leaves_no_process(tmp_path):
    def who(item):
        import os

        return os.getpid()

    pool = Workers(1)
    ((_, process),) = pool.run(who, [0])
    pool.close()
    pool.close()
    with pytest.raises(ProcessLookupError, match="No such process"):
        os.kill(process, 0)


def test_the_cluster_listens_on_this_machine_only(pool):
    client = pool.client
    list(pool.run(abs, [1]))
    addresses = [client.scheduler.address, *client.scheduler_info()["workers"]]
    assert all(address.startswith("tcp://127.0.0.1:") for address in addresses), addresses
    http = client.cluster.scheduler.http_server
    assert http.address == "127.0.0.1"


@pytest.mark.parametrize("n_workers", [0, -1, 10_001])
def test_impossible_numbers_of_workers(n_workers):
    with pytest.raises(SerprepError, match=f"workers is {n_workers}; expected 1 or more"):
        Workers(n_workers)


def test_one_worker_per_core_by_default():
    assert Workers().n_workers == n_cores() >= 1


def test_a_scheduler_that_is_none(monkeypatch):
    with Workers(scheduler="bogus://127.0.0.1:1") as pool, pytest.raises(SerprepError, match="expected a running Dask"):
        list(pool.run(len, [""]))


def test_a_running_scheduler_is_used_and_left_running(pool):
    address = pool.client.scheduler.address

    def who(item):
        import os

        return os.getpid()

    own = {receipt for _, receipt in pool.run(who, range(8))}
    with Workers(scheduler=address) as guest:
        assert {receipt for _, receipt in guest.run(who, range(8))} <= own
    assert dict(pool.run(abs, [-1])) == {0: 1}


def test_a_large_item_is_sent_without_a_warning(pool):
    assert list(pool.run(len, [bytes(12 << 20)])) == [(0, 12 << 20)]


# -- nothing waits for ever ---------------------------------------------------------------


def test_batches_nobody_works_on_are_handed_out_again_on_new_workers(monkeypatch, capsys, tmp_path):
    """As if the scheduler had lost them: the first look finds nobody at work, and no batch is done before it."""
    with Workers(1) as pool:
        first, looked = pool.client, tmp_path / "looked"

        def look(flight):
            seen = looked.exists()
            looked.touch()
            return seen

        monkeypatch.setattr(pool, "_look", look)

        def wait_for(item):
            import time

            while not looked.exists():
                time.sleep(0.01)
            return item

        assert sorted(pool.run(wait_for, range(4))) == [(number, number) for number in range(4)]
        assert pool.client is not first
    assert "no worker works: 4 batches are handed out again" in capsys.readouterr().err


def test_who_never_works_is_given_up(monkeypatch):
    with Workers(1) as pool:
        monkeypatch.setattr(pool, "_look", lambda flight: False)
        monkeypatch.setattr(pool, "close", lambda: None)
        with pytest.raises(
            SerprepError, match=r"handed out 3 times, and no worker worked on them; .*goes on from there"
        ):
            list(pool.run(lambda item: __import__("time").sleep(60), range(2)))
        monkeypatch.undo()


@pytest.fixture
def looking(monkeypatch):
    """A pool whose workers answer what the test says, and which looks at once; → pool, flight, answers."""
    monkeypatch.setattr(parallel, "LOOK", 0.0)
    pool, flight, answers = Workers(2), parallel._Flight(), {}
    flight.numbers[type("Future", (), {"key": "batch"})()] = 0
    pool._client = SimpleNamespace(scheduler=SimpleNamespace(ncores=None))
    pool._processes = SimpleNamespace(names=frozenset(), revive=list)
    monkeypatch.setattr(pool.members, "ask", lambda question, **options: dict.fromkeys(answers, 1))
    monkeypatch.setattr(pool.members, "tell", lambda *words, workers, **options: dict(answers))
    return pool, flight, answers


def test_a_batch_that_is_computed_may_take_as_long_as_it_likes(looking):
    pool, flight, answers = looking
    answers.update(one=["batch"], two=[])
    assert all(pool._look(flight) for _ in range(1000))


@pytest.mark.parametrize(
    ("state", "looks"),
    [
        ({"one": [], "two": []}, parallel.PATIENCE),  # alive and idle
        ({"one": ["another batch"], "two": []}, parallel.PATIENCE),
        ({}, 2 * parallel.PATIENCE),  # none is there, or not yet
        ({"one": None, "two": []}, 2 * parallel.PATIENCE),  # one does not answer
    ],
)
def test_after_so_many_looks_nobody_works(looking, capsys, state, looks):
    pool, flight, answers = looking
    answers.update(state)
    found = [pool._look(flight) for _ in range(looks)]
    assert found == [True] * (looks - 1) + [False]
    assert looks * 5 <= 60  # seconds
    assert capsys.readouterr().err.count("waiting for workers: 1 batches are handed out") == 1


def test_a_stopped_process_is_ended_and_one_that_computes_is_not(looking):
    pool, flight, answers = looking
    answers.update(one=None)
    killed, now = [], iter(range(10_000))
    pool._processes = SimpleNamespace(
        names=frozenset(["stopped", "computing", "unknown"]),
        revive=list,
        kill=killed.append,
        ticks={"stopped": lambda: 7, "computing": lambda: next(now), "unknown": lambda: None},
    )
    ticks = pool._processes.ticks
    pool._processes.ticks = lambda name: ticks[name]()
    for _ in range(parallel.SILENCE + 1):
        pool._look(flight)
    assert killed == ["stopped"]


def test_a_process_that_starts_slowly_is_waited_for(looking):
    pool, flight, _ = looking
    now = iter(range(0, 10**6, parallel.BUSY_TICKS))
    pool._processes = SimpleNamespace(names=frozenset(["starting"]), revive=list, ticks=lambda name: next(now))
    assert all(pool._look(flight) for _ in range(1000))


def test_processes_that_end_again_and_again_are_named(looking):
    pool, flight, _ = looking
    pool._processes.revive = lambda: ["OSError: [Errno 24] Too many open files"]
    with pytest.raises(SerprepError, match=r"end again and again: too many open files.*ulimit -n"):
        for _ in range(100):
            pool._look(flight)


def test_a_batch_whose_workers_have_all_left_goes_to_others_and_is_a_suspect_after_four_times(monkeypatch):
    """Here a client pretends: whoever has item -2 leaves, and another worker comes."""
    pool, asked = Workers(scheduler="tcp://lab:8786"), []

    class Future:
        def __init__(self, item, workers):
            self.key, self.status, self.item = object(), "finished" if item == -1 else "pending", item
            asked.append((item, tuple(workers)))

        def add_done_callback(self, tell):
            if self.status == "finished":
                tell(self)

        def result(self, timeout):
            return abs(self.item), {}

        def release(self):
            pass

    def look(flight):
        pool.members.present = frozenset({f"w{len(asked)}"})
        pool.members.threads = dict.fromkeys(pool.members.present, 1)
        return True

    pool._client = SimpleNamespace(
        status="running", submit=lambda function, item, workers, pure: Future(item, workers), cancel=lambda some: None
    )
    pool.members.threads = {"w0": 1}
    monkeypatch.setattr(pool, "_look", look)
    monkeypatch.setattr(parallel, "TICK", 0.001)
    (first, second) = pool.run(abs, [-1, -2], once=True)
    assert first == (0, 1) and second[0] == 1 and isinstance(second[1], Died)
    assert asked == [(-1, ("w0",)), *((-2, (f"w{n}",)) for n in (0, 2, 3, 4))]


def test_a_receipt_that_goes_with_its_worker_costs_its_batch_alone(monkeypatch):
    """Here a client pretends: of each item the first receipt is lost."""
    pool, lost = Workers(scheduler="tcp://lab:8786"), set()

    class Future:
        def __init__(self, function, item):
            self.key, self.status, self.item, self.function = object(), "finished", item, function
            if item not in lost:
                lost.add(item)
                self.status = "lost"

        def add_done_callback(self, tell):
            tell(self)

        def result(self, timeout):
            return self.function(self.item)

        def release(self):
            pass

    pool._client = SimpleNamespace(status="running", submit=lambda function, item, **options: Future(function, item))
    pool.members.threads = {"a": 1}
    monkeypatch.setattr(pool, "_look", lambda flight: True)
    assert sorted(pool.run(abs, [-1, -2, -3])) == [(0, 1), (1, 2), (2, 3)] and lost == {-1, -2, -3}
    pool._client.status = "connecting"
    with pytest.raises(SerprepError, match="scheduler tcp://lab:8786: the connection was lost"):
        list(pool.run(abs, [-1]))


def test_a_scheduler_that_goes_in_the_middle_is_named():
    host = Workers(1)
    host.client  # noqa: B018 - starts it

    def nap(item):
        import time

        time.sleep(0.0 if item == 0 else 600.0)
        return item

    with Workers(scheduler=host.client.scheduler.address) as guest:
        flow = guest.run(nap, range(3))
        assert next(flow) == (0, 0)
        host.close()
        with pytest.raises(SerprepError, match=r"^scheduler tcp:[^\n]*: the connection was lost[^\n]*; what is"):
            list(flow)


def test_a_batch_that_is_cancelled_while_its_receipt_is_fetched_is_looked_at_again(pool, monkeypatch):
    from distributed import Future

    result, cancelled = Future.result, []

    def cancels_once(self, timeout=None):
        if cancelled:
            return result(self, timeout)
        cancelled.append(self)
        raise CancelledError

    monkeypatch.setattr(Future, "result", cancels_once)
    assert sorted(pool.run(abs, [-1, -2])) == [(0, 1), (1, 2)] and cancelled


SCRIPT = """
import multiprocessing, os
from serprep.parallel import Workers

def square(item):
    return item * item

def work():
    with Workers(1) as pool:
        print(sorted(pool.run(square, range(4))), flush=True)

os.rmdir(os.getcwd())
work()
daemon = multiprocessing.get_context("fork").Process(target=work, daemon=True)
daemon.start()
daemon.join()
"""


def test_a_local_cluster_takes_nothing_from_the_user_and_leaves_nothing(tmp_path):
    """A broken configuration, TLS, a lifetime; no main guard, a daemonic process, no working directory."""
    settings, temporary, here = tmp_path / ".config" / "dask", tmp_path / "temporary", tmp_path / "here"
    for folder in (settings, temporary, here):
        folder.mkdir(parents=True)
    (settings / "broken.yaml").write_text("distributed: [")
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "TMPDIR": str(temporary),
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True",
        "DASK_DISTRIBUTED__COMM__DEFAULT_SCHEME": "tls",
        "DASK_DISTRIBUTED__WORKER__LIFETIME__DURATION": "1s",
        "DASK_DISTRIBUTED__SCHEDULER__IDLE_TIMEOUT": "1s",
        "DASK_DISTRIBUTED__WORKER__PRELOAD": "no_such_module",
    }
    command = [sys.executable, str(tmp_path / "script.py")]
    done = subprocess.run(command, env=environment, cwd=here, capture_output=True, text=True)
    assert done.stdout == "[(0, 0), (1, 1), (2, 4), (3, 9)]\n" * 2
    assert "Traceback" not in done.stderr and "rror" not in done.stderr
    assert list(temporary.iterdir()) == [] and [path.name for path in settings.iterdir()] == ["broken.yaml"]


@pytest.mark.parametrize("address", ["tls://127.0.0.1:1", "nonsense", "tcp://"])
def test_bad_addresses_are_one_line(address):
    with Workers(scheduler=address) as guest, pytest.raises(SerprepError, match=r"^scheduler [^\n]*expected a running"):
        list(guest.run(abs, [1]))


def test_a_client_that_found_nobody_is_not_collected_while_another_starts(monkeypatch):
    """Its end takes the lock that the other one holds: the two would wait for ever."""
    import distributed

    seen = []

    class Client:
        def __init__(self, *args, **options):
            seen.append(gc.isenabled())
            raise OSError("nobody there")

    monkeypatch.setattr(distributed, "Client", Client)
    with pytest.raises(SerprepError, match="nobody there"):
        list(Workers(scheduler="tcp://127.0.0.1:9").run(abs, [1]))
    assert seen == [False] and gc.isenabled()
