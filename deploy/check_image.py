"""Builds the image and holds a container of it to what docs/howto/behind-a-proxy.md says: `make image-check`.

It takes a container engine that `docker` reaches, and the base image. Without an engine it says so in one line and ends
with 0; a claim that does not hold ends it with 1. The container sees no network; what it made is removed at the end.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cds_service.services.example import moved_to_now

ROOT = Path(__file__).parents[1]
IMAGE, USER, VOLUME = "cds-service", "10001", "/var/lib/cds"
HEALTHY_S = 60

_CONFINED = (
    *("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges:true", "--network=none", "--pids-limit=512"),
    *("--tmpfs=/tmp:size=16m,mode=1777", "--env=CDS_CLIENT_AUTH=off", "--env=CDS_HTTP_BIND=127.0.0.1:8080"),
)
_ASK = """import sys, urllib.request as u
headers = {"Content-Type": "application/json"}
request = u.Request("http://127.0.0.1:8080/cds-services/vitals-risk", sys.stdin.buffer.read(), headers)
print(u.urlopen(request, timeout=10).read().decode())"""
_WRITE = "import sys; open(sys.argv[1], 'w')"
_READ_ONLY = ("/srv/cds/x", "/opt/cds/x", "/etc/x", "/var/lib/x", "/home/x")


def main() -> int:
    """Build, run, ask, stop and start again: 0 when every claim holds, 1 when one does not."""
    if shutil.which("docker") is None or _docker("info", fails=True).returncode:
        print("no container engine answers to `docker` here: nothing was checked")
        return 0
    _docker("build", "--tag", IMAGE, str(ROOT))
    claims = [claim for volume in _volume() for claim in _claims(volume)]
    for claim, holds in claims:
        print(f"{'ok ' if holds else 'NOT'} {claim}")
    return int(not all(holds for _, holds in claims))


def _claims(volume: str) -> Iterator[tuple[str, bool]]:
    """Each claim of the page, and whether it holds."""
    mounted = f"--volume={volume}:{VOLUME}"
    migrated = _docker("run", "--rm", *_CONFINED, mounted, IMAGE, "cds", "migrate", fails=True)
    yield "cds migrate runs on a read-only root and an empty volume", migrated.returncode == 0
    text = (ROOT / "fixtures" / "hooks" / "try.json").read_text(encoding="utf-8")
    body = moved_to_now(text, datetime.now(UTC), hook_instance=str(uuid4()))
    with _container(mounted) as first:
        yield "the health check says healthy", _is_healthy(first)
        yield f"every process is of user {USER}", _users(first) == {USER}
        answer = _answer(first, body)
        yield "a hook is answered with a card", bool(answer) and bool(json.loads(answer)["cards"])
        for path in _READ_ONLY:
            yield f"nothing can be written to {path}", _is_read_only(first, path)
        yield "nothing outside the volume was written", not _docker("diff", first).stdout
        yield "SIGTERM ends it with 0", _stopped(first) == 0
    with _container(mounted) as second:
        stored = _is_healthy(second) and _answer(second, body) == answer
        yield "another container on the volume gives the stored answer", stored


@contextmanager
def _container(mounted: str) -> Iterator[str]:
    """A container of the image that serves until the block ends."""
    running = _docker("run", "--detach", *_CONFINED, mounted, IMAGE).stdout.strip()
    try:
        yield running
    finally:
        _docker("rm", "--force", running)


def _volume() -> Iterator[str]:
    """An empty volume, once; removed afterwards."""
    name = _docker("volume", "create").stdout.strip()
    try:
        yield name
    finally:
        _docker("volume", "rm", "--force", name)


def _is_healthy(container: str) -> bool:
    """Whether the image's own check says so in time."""
    end = time.monotonic() + HEALTHY_S
    while time.monotonic() < end:
        if _docker("inspect", "--format={{.State.Health.Status}}", container).stdout.strip() == "healthy":
            return True
        time.sleep(1)
    return False


def _users(container: str) -> set[str]:
    """The ids of the users its processes run as."""
    lines = _docker("top", container, "-eo", "pid,uid").stdout.splitlines()[1:]
    return {line.split()[1] for line in lines}


def _answer(container: str, body: str) -> str:
    """What the service answers to the hook, asked from inside; empty where it refuses."""
    return _docker("exec", "--interactive", container, "python", "-c", _ASK, text=body, fails=True).stdout


def _is_read_only(container: str, path: str) -> bool:
    """Whether a file cannot be made there, because of the file system."""
    tried = _docker("exec", container, "python", "-c", _WRITE, path, fails=True)
    return tried.returncode != 0 and "Read-only file system" in tried.stderr


def _stopped(container: str) -> int:
    """The exit code after SIGTERM."""
    _docker("stop", "--time=30", container)
    return int(_docker("inspect", "--format={{.State.ExitCode}}", container).stdout)


def _docker(*command: str, text: str | None = None, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """What the command printed; one that may not fail ends the check with what it said."""
    done = subprocess.run(["docker", *command], input=text, capture_output=True, text=True, check=False)
    if done.returncode and not fails:
        sys.exit(f"docker {command[0]}: {done.stderr.strip()}")
    return done


if __name__ == "__main__":
    sys.exit(main())
