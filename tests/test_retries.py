"""What passes is tried again, ever later, and counted; what does not, is not."""

import pytest

from serprep import remote, retries


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, status, code=""):
        super().__init__(f"({code})")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}}


class IncompleteReadError(Exception):
    """Named like botocore's."""


class ClientPayloadError(Exception):
    """Named like aiohttp's."""


@pytest.fixture
def pauses(monkeypatch):
    retries.taken()
    found = []
    monkeypatch.setattr(retries, "pause", found.append)
    yield found
    retries.taken()


def failing(*errors):
    errors = list(errors)

    def action():
        if errors:
            raise errors.pop(0)
        return "answer"

    return action


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_trouble_is_waited_for_and_counted(pauses, status):
    assert retries.retried(failing(ClientError(status), ClientError(status)), place="s3://lab/x") == "answer"
    assert retries.taken() == {f"status {status}": 2} and retries.taken() == {}


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ConnectionResetError(), "connection"),
        (TimeoutError(), "timeout"),
        (IncompleteReadError(), "cut short"),
        (ClientPayloadError(), "cut short"),
        (retries.CutShort(), "cut short"),
    ],
)
def test_so_are_resets_timeouts_and_bodies_cut_short(pauses, error, word):
    wrapped = OSError("translated")
    wrapped.__cause__ = error
    assert retries.retried(failing(error, wrapped), place="x") == "answer"
    assert retries.taken() == {word: 2}


@pytest.mark.parametrize(
    "error",
    [
        ClientError(403, "AccessDenied"),
        ClientError(404, "NoSuchBucket"),
        ClientError(301, "PermanentRedirect"),
        ClientError(501, "NotImplemented"),
        FileNotFoundError(),
        PermissionError(),
        ImportError(),
        ValueError(),
    ],
)
def test_what_is_permanent_is_not_tried_again(pauses, error):
    with pytest.raises(type(error), match=r"^") as caught:
        retries.retried(failing(error, error), place="x")
    assert caught.value is error
    assert pauses == [] and retries.taken() == {}


def test_pauses_grow_differ_from_each_other_and_end(pauses, capsys):
    errors = [ClientError(503)] * retries.ATTEMPTS
    with pytest.raises(ClientError, match=r"\(\)"):
        retries.retried(failing(*errors), place="s3://lab/x")
    most = [min(retries.LONGEST, retries.FIRST * 2**n) for n in range(retries.ATTEMPTS - 1)]
    assert len(pauses) == len(most) and all(m / 2 <= p <= m for p, m in zip(pauses, most, strict=True))
    again = list(pauses)
    pauses.clear()
    with pytest.raises(ClientError, match=r"\(\)"):
        retries.retried(failing(*errors), place="s3://lab/x")
    assert pauses != again
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and said[0].startswith("waiting for s3://lab/x: status 503, tried ")


def test_other_lengths_than_asked_for_are_no_content(pauses, monkeypatch):
    bodies = [b"1234", b"123456", b"12345"]
    filesystem = type("F", (), {"cat_file": lambda self, path, start, end: bodies.pop(0)})()
    monkeypatch.setattr(remote, "connect", lambda url: (filesystem, url))
    assert remote.read("s3://lab/x", 0, 5, exact=True) == b"12345"
    assert retries.taken() == {"cut short": 2}


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("RequestTimeTooSkewed", "this machine's clock is off; set it"),
        ("ExpiredToken", "the credentials have expired"),
        ("SignatureDoesNotMatch", "the secret key is another one"),
        ("AccessDenied", "check the credentials and what they may do"),
    ],
)
def test_what_is_forbidden_names_object_and_remedy(code, says):
    with pytest.raises(PermissionError, match=f"{says}.*s3://lab/x"), remote.errors("s3://lab/x"):
        raise PermissionError("Forbidden") from ClientError(403, code)


def test_another_region_is_named():
    with (
        pytest.raises(OSError, match=r"the bucket is in another region.*AWS_DEFAULT_REGION"),
        remote.errors("s3://l/x"),
    ):
        raise OSError("expecting 'eu-west-1'") from ClientError(400, "AuthorizationHeaderMalformed")


def test_credentials_are_in_no_message(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG")
    url = "https://me:geheim@host/a?X-Amz-Signature=12ab&X-Amz-Credential=AKIA"
    with pytest.raises(OSError, match="host") as caught, remote.errors(url):
        raise RuntimeError("wJalrXUtnFEMI/K7MDENG is wrong for https://me:geheim@host")
    assert not any(word in str(caught.value) for word in ("wJalr", "geheim", "12ab", "AKIA"))
