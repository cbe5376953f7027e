"""A bill of materials (CycloneDX 1.6, JSON) of what `requirements.txt` locks: `python deploy/sbom.py > sbom.json`.

No tool is needed: the lock names every package with its version and hashes. A wheel is one of the files hashed,
which of them depends on the platform, so every hash of the lock is listed.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

ROOT = Path(__file__).parents[1]
_PACKAGE = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def bill_of_materials(lock: str, project: dict[str, Any]) -> dict[str, Any]:
    """The document for a lock file's text; the same lock gives the same bytes."""
    name, version = project["name"], project["version"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, lock)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": f"pkg:pypi/{name}@{version}",
                "name": name,
                "version": version,
            }
        },
        "components": [_component(*package) for package in locked_packages(lock)],
    }


def locked_packages(lock: str) -> list[tuple[str, str, list[str]]]:
    """Name, version and hashes of every package, in the order of the lock; ValueError for one without a hash."""
    found: list[tuple[str, str, list[str]]] = []
    for line in lock.splitlines():
        if match := _PACKAGE.match(line):
            found.append((match["name"].lower(), match["version"], []))
        if found:
            found[-1][2].extend(_HASH.findall(line))
    unhashed = [name for name, _, hashes in found if not hashes]
    if unhashed:
        raise ValueError(f"no hash for {', '.join(unhashed)}")
    return found


def _component(name: str, version: str, hashes: list[str]) -> dict[str, Any]:
    reference = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": name,
        "version": version,
        "purl": reference,
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{name}/{version}/",
                "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
            }
        ],
    }


def main() -> None:
    """Print the bill of materials of this checkout."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    json.dump(bill_of_materials(lock, project), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
