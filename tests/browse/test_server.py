import io
import json
import re

import pytest
import soundfile

from serprep.browse.page import FILES


@pytest.fixture(scope="module")
def client(subject):
    from starlette.testclient import TestClient

    from serprep.browse.server import application

    return TestClient(application(subject, "token"), base_url="http://127.0.0.1", raise_server_exceptions=False)


def data(response):
    """What a script of data hands over."""
    return json.loads(re.fullmatch(r'serprep\.take\("[\w/]+",(.*)\);\n', response.text)[1])


@pytest.mark.parametrize(
    "path",
    ["/", "/browse.js", "/data/first.js", "/data/rows.js", "/audio/0.wav", "/wrong/", "/Token/", "/wrong/audio/0.wav"],
)
def test_without_the_token_there_is_nothing(client, path):
    assert client.get(path).status_code == 404


def test_a_foreign_host_is_refused(client):
    assert client.get("/token/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    "path",
    ["", *FILES, "data/corpus.js", "data/first.js", "data/rows.js", "data/map/0.js", "audio/0.wav", "matched/0.wav"],
)
def test_every_answer_has_the_policy(client, path):
    answered = client.get(f"/token/{path}")
    assert answered.status_code == 200
    policy = answered.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';") and "frame-ancestors 'none'" in policy
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert answered.headers["referrer-policy"] == "no-referrer"


def test_the_nonce_of_the_page_is_that_of_the_policy(client):
    answered = client.get("/token/")
    nonce = re.search(r'data-nonce="([\w-]+)"', answered.text)[1]
    assert f"'nonce-{nonce}'" in answered.headers["content-security-policy"] and len(nonce) > 16


@pytest.mark.parametrize(
    "path",
    [
        "../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "assets/index.html",
        "page.py",
        "audio/0.wav/../../../page.py",
        "audio/..%2f..%2fetc%2fpasswd.wav",
        "audio/-1.wav",
        "audio/0x1.wav",
        "audio/bad.wav",
        "audio/t.csv",
        "audio/1e9.wav",
        "data/utterance/..%2Frows.js",
    ],
)
def test_paths_lead_nowhere(client, path):
    assert client.get(f"/token/{path}").status_code in (400, 404)


def test_numbers_beyond_the_last_are_not_there(client, subject):
    for path in ("audio/{}.wav", "matched/{}.wav", "data/utterance/{}.js", "data/map/{}.js"):
        for number in (len(subject), 10**30):
            assert client.get(f"/token/{path.format(number)}").status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_written(client, method):
    for path in ("", "data/rows.js", "audio/0.wav"):
        assert client.request(method, f"/token/{path}").status_code == 405


def test_rows_map_and_utterances_are_told(client, subject):
    rows = data(client.get("/token/data/rows.js"))
    assert rows[0]["name"] == "id" and len(rows[0]["values"]) == len(subject)
    assert len(data(client.get("/token/data/map/0.js"))["x"]) == len(subject.store)
    assert data(client.get("/token/data/utterance/2.js"))["id"] == subject.store.ids[2]


def test_recordings_are_played_by_number(client):
    samples, rate = soundfile.read(io.BytesIO(client.get("/token/audio/1.wav").content))
    assert (len(samples), rate) == (9600, 16_000)


def test_why_a_quarantined_one_is_silent_is_said(client, subject):
    answered = client.get(f"/token/audio/{len(subject.store)}.wav")
    assert answered.status_code == 404 and answered.headers["content-type"].startswith("text/plain")


def test_it_listens_on_this_machine_alone_at_an_address_that_nobody_can_guess(subject, monkeypatch):
    from serprep.browse import server

    heard = []

    def run(_, sockets):
        heard.append(sockets[0].getsockname())
        raise KeyboardInterrupt  # as Ctrl-C does

    monkeypatch.setattr("uvicorn.Server.run", run)
    told = []
    for _ in range(2):
        server.serve(subject, tell=told.append)
    for (host, port), address in zip(heard, told, strict=True):
        assert host == "127.0.0.1"
        assert re.fullmatch(rf"http://127\.0\.0\.1:{port}/[\w-]{{22}}/", address)
    assert told[0].split("/")[3] != told[1].split("/")[3]
