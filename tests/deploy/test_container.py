"""The image's recipe, and the two programs that it adds. No image is built here."""

import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.deploy.parts import COMPOSE, DEPLOY

CONTAINER = DEPLOY / "container"
DOCKERFILE = CONTAINER / "Dockerfile"
TEXT = DOCKERFILE.read_text("utf-8")


def test_it_begins_with_one_image_of_a_version():
    bases = re.findall(r"^FROM (\S+)", TEXT, flags=re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+", bases[0])


def test_everything_is_installed_from_the_lock():
    assert "--require-hashes -r requirements.lock" in TEXT
    installs = re.findall(r"pip install .*", TEXT)
    assert installs
    assert all("--no-index" in line for line in installs)


def test_it_names_no_host():
    assert "://" not in TEXT
    assert "index-url" not in TEXT


def test_it_runs_as_nobody_in_particular():
    assert re.findall(r"^USER (\S+)", TEXT, flags=re.MULTILINE)[-1] == "10001:10001"


def test_every_package_of_the_product_is_in_it():
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))
    packages = {
        name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]
    }
    copied = set(re.findall(r"^COPY (\w+) \1$", TEXT, flags=re.MULTILINE))
    let_in = set((CONTAINER / "Dockerfile.dockerignore").read_text("utf-8").split())
    assert copied == packages
    assert {f"!{name}" for name in packages} <= let_in
    assert f"hanhtrinh:{project['project']['version']}" in COMPOSE.read_text("utf-8")
    kustomization = (DEPLOY / "kubernetes" / "kustomization.yaml").read_text("utf-8")
    assert f"newTag: {project['project']['version']}" in kustomization


def test_start_copies_the_kernels_and_becomes_the_verb(tmp_path):
    (tmp_path / "kernels" / "hanhtrinh").mkdir(parents=True)
    (tmp_path / "kernels" / "hanhtrinh" / "one.nbi").write_bytes(b"kernel")
    program = tmp_path / "hanhtrinh"
    program.write_text('#!/bin/sh\necho "$$ $@"\n')
    program.chmod(0o755)
    text = (CONTAINER / "start").read_text("utf-8")
    assert "/opt/kernels" in text
    start = tmp_path / "start"
    start.write_text(text.replace("/opt/kernels", f"{tmp_path}/kernels"))
    environment = {
        "PATH": f"{tmp_path}:{os.defpath}", "NUMBA_CACHE_DIR": str(tmp_path / "cache" / "here"),
    }  # fmt: skip
    running = subprocess.Popen(
        ["/bin/sh", start, "worker", "two words"], env=environment, stdout=subprocess.PIPE
    )
    said = running.communicate(timeout=30)[0].decode().split(maxsplit=1)
    assert said == [str(running.pid), "worker two words\n"]  # signals reach it
    assert (tmp_path / "cache" / "here" / "hanhtrinh" / "one.nbi").read_bytes() == b"kernel"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/metrics" else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("path", "code"), [("metrics", 0), ("api/v1/ready", 1)])
def test_the_probe_says_what_the_part_answers(path, code):
    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            assert probe(f"{server.server_port}/{path}") == code
        finally:
            server.shutdown()
            thread.join()
    assert probe(f"{server.server_port}/{path}") == 1  # nobody is there any more


def probe(target):
    return subprocess.run(
        [sys.executable, CONTAINER / "probe", target], capture_output=True, timeout=30, check=False
    ).returncode
