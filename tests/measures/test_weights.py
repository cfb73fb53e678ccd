"""Weights are found, checked and fetched; the server is one of this test's own."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sgad.errors import InputError, RunFailure
from sgad.measures.extractors import weights
from sgad.measures.extractors.weights import INCEPTION_NAMES, download_weights, find_inception_weights

CONTENT = bytes(range(256)) * 8192
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    ranges = True
    content = CONTENT
    breaks = False
    asked: list[str | None] = []  # noqa: RUF012  (reset by the fixture)

    def do_GET(self):
        asked = self.headers.get("Range")
        type(self).asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.ranges else 0
        if start >= len(self.content):
            self.send_error(416)
            return
        body = self.content[start:]
        self.send_response(206 if asked and self.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.breaks else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    handler = type("Handler", (_Handler,), {"asked": []})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield handler, f"http://127.0.0.1:{running.server_address[1]}/weights.pth"
    running.shutdown()
    running.server_close()
    thread.join()


def test_a_download_is_checked_and_named(tmp_path, server):
    path = download_weights(tmp_path, urls=(server[1],), sha256=DIGEST)
    assert path.name == INCEPTION_NAMES[0]
    assert path.read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_an_interrupted_download_goes_on(tmp_path, server):
    (tmp_path / f"{INCEPTION_NAMES[0]}.part").write_bytes(CONTENT[:1000])
    path = download_weights(tmp_path, urls=(server[1],), sha256=DIGEST)
    assert path.read_bytes() == CONTENT
    assert server[0].asked == ["bytes=1000-"]


def test_a_connection_that_closes_early_is_said_and_continued(tmp_path, server):
    server[0].breaks = True
    with pytest.raises(RunFailure, match=r"connection broke after \d+ of \d+ bytes|IncompleteRead"):
        download_weights(tmp_path, urls=(server[1],), sha256=DIGEST)
    half = (tmp_path / f"{INCEPTION_NAMES[0]}.part").stat().st_size
    assert 0 < half < len(CONTENT)
    server[0].breaks = False
    assert download_weights(tmp_path, urls=(server[1],), sha256=DIGEST).read_bytes() == CONTENT
    assert server[0].asked == [None, f"bytes={half}-"]


def test_an_answer_that_is_no_http_is_a_sentence(tmp_path, server):
    # A line that is too long raises an HTTPException, which is no OSError.
    server[0].end_headers = lambda self: self.wfile.write(b"x" * 70_000)
    with pytest.raises(RunFailure, match="could not be fetched"):
        download_weights(tmp_path, urls=(server[1],), sha256=DIGEST)


def test_a_server_without_ranges_starts_anew(tmp_path, server):
    server[0].ranges = False
    (tmp_path / f"{INCEPTION_NAMES[0]}.part").write_bytes(b"x" * 1000)
    assert download_weights(tmp_path, urls=(server[1],), sha256=DIGEST).read_bytes() == CONTENT


def test_a_whole_part_is_taken_over(tmp_path, server):
    (tmp_path / f"{INCEPTION_NAMES[0]}.part").write_bytes(CONTENT)
    assert download_weights(tmp_path, urls=(server[1],), sha256=DIGEST).read_bytes() == CONTENT
    assert server[0].asked == []


def test_another_file_is_refused_and_removed(tmp_path, server):
    with pytest.raises(RunFailure, match="wrong sha256"):
        download_weights(tmp_path, urls=(server[1],), sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_fetched(tmp_path, server):
    (tmp_path / INCEPTION_NAMES[0]).write_bytes(CONTENT)
    download_weights(tmp_path, urls=(server[1],), sha256=DIGEST)
    assert server[0].asked == []


def test_the_second_address_serves_when_the_first_does_not(tmp_path, server):
    urls = ("http://127.0.0.1:9/absent.pth", server[1])
    assert download_weights(tmp_path, urls=urls, sha256=DIGEST).read_bytes() == CONTENT


def test_offline_it_says_what_to_do(tmp_path):
    with pytest.raises(RunFailure, match=r"could not be fetched \(.* put it at .* or give --weights"):
        download_weights(tmp_path, urls=("http://127.0.0.1:9/absent.pth",))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", INCEPTION_NAMES)
def test_both_public_names_are_found(tmp_path, monkeypatch, name):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "INCEPTION_BYTES", 3)
    assert find_inception_weights() is None
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / name).write_bytes(b"abc")
    assert find_inception_weights() == tmp_path / "hub" / "checkpoints" / name


def test_a_half_written_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / INCEPTION_NAMES[1]).write_bytes(b"abc")
    with pytest.raises(InputError, match="has 3 bytes instead of 95628359; delete it"):
        find_inception_weights()


def test_a_given_path_must_exist(tmp_path):
    with pytest.raises(InputError, match=r"absent.pth does not exist"):
        find_inception_weights(tmp_path / "absent.pth")
