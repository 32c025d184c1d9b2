import os
import time

import pytest

from serprep.errors import CacheError, SerprepError
from serprep.parallel import Died, Workers, n_cores, workers

# Functions are defined inside the tests, so that they travel to the workers by value.


@pytest.fixture(scope="module")
def pool():
    with workers(2) as pool:
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


def test_results_come_as_they_are_done(pool):
    def slow_first(item):
        import time

        time.sleep(1.0 if item == 0 else 0.0)
        return item

    order = [number for number, _ in pool.run(slow_first, range(12))]
    assert order.index(0) >= 5 and sorted(order) == list(range(12))  # at most the few that waited behind it follow


def test_work_is_done_in_other_processes_one_thread_each(pool):
    def who(item):
        import os
        import threading
        import time

        time.sleep(0.02)
        return os.getpid(), threading.get_ident()

    found = {receipt for _, receipt in pool.run(who, range(20))}
    assert os.getpid() not in {process for process, _ in found}
    assert len({process for process, _ in found}) == len(found) == 2


def test_only_a_few_items_are_in_flight(pool, tmp_path):
    def mark(item):
        folder, number = item
        (folder / str(number)).touch()
        return number

    flow = pool.run(mark, [(tmp_path, number) for number in range(40)])
    next(flow)
    time.sleep(0.5)  # whatever was handed out is done by now
    assert len(list(tmp_path.iterdir())) <= 2 * 2 + 2 + 1
    assert len(list(flow)) == 39


def test_a_task_that_kills_its_worker_is_handed_back_and_nothing_else_is_lost(pool):
    def work(item):
        import os
        import time

        if item in (3, 7):
            os.kill(os.getpid(), 9)
        time.sleep(0.01)
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
    with workers(2) as pool:
        assert list(pool.run(len, [])) == []
        assert pool._client is None


def test_a_closed_pool_can_be_closed_again_and_leaves_no_process(tmp_path):
    def who(item):
        import os

        return os.getpid()

    pool = Workers(1)
    ((_, process),) = pool.run(who, [0])
    pool.close()
    pool.close()
    for _ in range(100):
        if not os.path.exists(f"/proc/{process}"):  # noqa: PTH110
            break
        time.sleep(0.05)
    else:
        pytest.fail("the worker is still there")


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
    with workers(scheduler="bogus://127.0.0.1:1") as pool, pytest.raises(SerprepError, match="expected a running Dask"):
        list(pool.run(len, [""]))


def test_a_running_scheduler_is_used_and_left_running(pool):
    address = pool.client.scheduler.address

    def who(item):
        import os

        return os.getpid()

    own = {receipt for _, receipt in pool.run(who, range(8))}
    with workers(scheduler=address) as guest:
        assert {receipt for _, receipt in guest.run(who, range(8))} <= own
    assert dict(pool.run(abs, [-1])) == {0: 1}


def test_a_large_item_is_sent_without_a_warning(pool):
    assert list(pool.run(len, [bytes(12 << 20)])) == [(0, 12 << 20)]
