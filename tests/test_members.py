"""Who of a scheduler's workers is there, and who may be used."""

import asyncio
import json
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from types import SimpleNamespace

import pytest

from serprep import fitness, members
from serprep.errors import SerprepError
from serprep.members import Members
from serprep.parallel import Workers


@pytest.fixture(scope="module")
def deserted():
    """Address of a scheduler without workers."""
    pool = Workers(1)
    address = pool.client.scheduler.address
    pool._processes.close()
    yield address
    pool.close()


def test_a_scheduler_without_workers_is_left(deserted):
    with (
        Workers(scheduler=deserted, wait=0.0) as guest,
        pytest.raises(SerprepError, match=r"no worker within 0 s; start some with `dask worker .*--wait-for-workers"),
    ):
        list(guest.run(abs, [1]))


def test_who_waits_for_workers_says_so(deserted, monkeypatch, capsys):
    monkeypatch.setattr(members, "LOOK", 0.0)
    with Workers(scheduler=deserted, wait=0.2) as guest, pytest.raises(SerprepError, match="no worker within"):
        list(guest.run(abs, [1]))
    assert f"waiting for workers: scheduler {deserted} has none" in capsys.readouterr().err


@pytest.fixture
def lab(monkeypatch):
    """Workers that the test lets come, leave and answer; → members, threads of each that is there, its answer."""
    client = SimpleNamespace(scheduler=SimpleNamespace(ncores=None))
    lab, there, answers = Members(lambda: client, "tcp://lab:8786", 0.0), {}, defaultdict(Future)
    monkeypatch.setattr(lab, "ask", lambda question, **options: dict(there))
    monkeypatch.setattr(lab, "examined", answers.__getitem__)
    return lab, there, answers


def test_workers_that_come_later_are_asked_and_join_and_who_leaves_is_forgotten(lab, capsys):
    lab, there, answers = lab
    there.update(a=1)
    answers["a"].set_result("")
    with lab.admitting(lambda: ""):
        assert lab.look_around() == {"a": 1}
        there.update(b=1, c=4, d=1)
        answers["b"].set_result("it has no serprep")
        answers["c"].set_result("")
        assert lab.look_around() == {"a": 1, "c": 4}
        del there["a"], there["d"]  # before it has answered
        assert lab.look_around() == {"c": 4} and answers["d"].cancelled()
    assert capsys.readouterr().err == "worker b is not used: it has no serprep\n"


def test_nobody_waits_for_a_worker_that_has_not_answered_where_others_work(lab, monkeypatch):
    lab, there, answers = lab
    monkeypatch.setattr(members, "TICK", 0.0)
    monkeypatch.setattr(members, "LOOK", 0.0)
    there.update(works=2, starts=1)
    answers["works"].set_result("")
    assert lab.meet() == lab.look_around() == {"works": 2}
    del there["works"]
    monkeypatch.setattr(members, "wait", lambda *words: answers["starts"].done() or answers["starts"].set_result(""))
    assert lab.meet() == {"starts": 1}
    there.update(late=1)
    lab.look_around()
    lab.forget()
    assert lab.threads == {} and answers["late"].cancelled()  # else its loop ends before it


def test_what_a_worker_answers_is_why_it_is_not_used(monkeypatch):
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    own = json.dumps(fitness.own())
    answers = {"fit": own, "blind": own, "slow": own, "failing": own, "odd": "no JSON", "silent": None}
    tests = {"fit": "", "blind": "it does not see it", "slow": None, "failing": TimeoutError()}

    async def answer(client, worker, function, *words, seconds=0.0):
        return answers[worker] if function is eval else tests[worker]

    client = SimpleNamespace(loop=SimpleNamespace(asyncio_loop=loop))
    lab = Members(lambda: client, "tcp://lab:8786", 0.0)
    monkeypatch.setattr(lab, "_answer", answer)
    with lab.admitting(lambda: ""):
        reasons = {worker: lab.examined(worker).result() for worker in answers}
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    assert reasons == {
        "fit": "",
        "blind": "it does not see it",
        "slow": "it does not answer within 60 s",
        "failing": "TimeoutError: ",
        "odd": "it does not say what it computes with (no JSON)",
        "silent": "it does not answer within 60 s",
    }


def test_a_worker_that_dies_while_it_answers_has_left_before_that_counts_against_it(monkeypatch):
    order = []

    class Client:
        async def _run(self, *words, workers, on_error):
            return {workers[0]: OSError("stream is closed")}

    async def sleep(seconds):
        order.append(seconds)

    monkeypatch.setattr(members, "asyncio", SimpleNamespace(sleep=sleep, wait_for=asyncio.wait_for))
    with ThreadPoolExecutor(1) as another:  # in this thread a browser's loop may run
        answer = another.submit(asyncio.run, Members._answer(Client(), "a", abs)).result()
    assert isinstance(answer, OSError) and order == [members.TICK]


def test_a_worker_with_other_code_is_not_used(pool, monkeypatch, capsys):
    own = fitness.own()
    pool.client.wait_for_workers(2)
    monkeypatch.setattr(fitness, "own", lambda: {**own, "code": "0" * 64})
    pool.client.wait_for_workers(2)
    address = pool.client.scheduler.address
    with Workers(scheduler=address) as guest, pytest.raises(SerprepError, match=r"cannot be used: .*has other code"):
        list(guest.run(abs, [1]))
    assert capsys.readouterr().err.count("is not used: its serprep") == 2


def test_a_worker_that_fails_a_test_is_not_used(pool, tmp_path):
    def only_the_first():
        try:
            (tmp_path / "first").open("x").close()
        except FileExistsError:
            return "it is another"
        return ""

    def who(item):
        from serprep.parallel import here

        return here()

    pool.client.wait_for_workers(2)
    with Workers(scheduler=pool.client.scheduler.address) as guest:
        with guest.members.admitting(only_the_first):
            used = {receipt for _, receipt in guest.run(who, range(8))}
        refused = [worker for worker, reason in guest.members._reasons.items() if reason == "it is another"]
        assert len(used) <= 1 and not used & set(refused)
        (worker,) = used
        with pytest.raises(SerprepError, match=f"worker {worker} cannot be used|cannot be used: it is another"):
            guest.members.distrust(worker, "it cannot read a.wav")
