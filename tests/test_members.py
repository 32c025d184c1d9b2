"""Who of a scheduler's workers is there, and who may be used."""

import json
from types import SimpleNamespace

import pytest

from serprep import fitness, members
from serprep.errors import SerprepError
from serprep.members import Members
from serprep.parallel import Workers, workers


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
        workers(scheduler=deserted, wait=0.0) as guest,
        pytest.raises(SerprepError, match=r"no worker within 0 s; start some with `dask worker .*--wait-for-workers"),
    ):
        list(guest.run(abs, [1]))


def test_who_waits_for_workers_says_so(deserted, monkeypatch, capsys):
    monkeypatch.setattr(members, "LOOK", 0.0)
    with workers(scheduler=deserted, wait=0.2) as guest, pytest.raises(SerprepError, match="no worker within"):
        list(guest.run(abs, [1]))
    assert f"waiting for workers: scheduler {deserted} has none" in capsys.readouterr().err


def test_workers_that_come_later_are_asked_and_join_and_who_leaves_is_forgotten(monkeypatch, capsys):
    client = SimpleNamespace(scheduler=SimpleNamespace(ncores=None))
    lab, there, asked = Members(lambda: client, "tcp://lab:8786", 0.0), {"a": 1}, []
    answers = {"a": json.dumps(fitness.own()), "b": "no JSON", "c": json.dumps(fitness.own()), "d": None}

    def tell(function, *words, workers, **options):
        asked.append((function is eval, sorted(workers)))
        return {worker: answers[worker] if function is eval else function() for worker in workers}

    monkeypatch.setattr(lab, "ask", lambda question, **options: dict(there))
    monkeypatch.setattr(lab, "tell", tell)
    with lab.admitting(lambda: ""):
        assert lab.look_around() == {"a": 1}
        there.update(b=1, c=4, d=1)
        assert lab.look_around() == {"a": 1, "c": 4}
        del there["a"]
        assert lab.look_around() == {"c": 4}
    assert asked == [(True, ["a"]), (False, ["a"]), (True, ["b", "c", "d"]), (False, ["c"])]
    said = capsys.readouterr().err
    assert "worker b is not used: it does not say what it computes with" in said and "worker d is not used" in said


def test_a_worker_with_other_code_is_not_used(pool, monkeypatch, capsys):
    own = fitness.own()
    monkeypatch.setattr(fitness, "own", lambda: {**own, "code": "0" * 64})
    pool.client.wait_for_workers(2)
    address = pool.client.scheduler.address
    with workers(scheduler=address) as guest, pytest.raises(SerprepError, match=r"cannot be used: .*has other code"):
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

    with workers(scheduler=pool.client.scheduler.address) as guest:
        with guest.members.admitting(only_the_first):
            used = {receipt for _, receipt in guest.run(who, range(8))}
        refused = [worker for worker, reason in guest.members._reasons.items() if reason == "it is another"]
        assert len(used) <= 1 and not used & set(refused)
        (worker,) = used
        with pytest.raises(SerprepError, match=f"worker {worker} cannot be used|cannot be used: it is another"):
            guest.members.distrust(worker, "it cannot read a.wav")
