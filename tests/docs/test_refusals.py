"""The page for integrators explains every reason a caller can be refused for."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = (
    "web",
    "web/stored.py",
    "web/console/launch.py",
    "cdshooks/client_token.py",
    "cdshooks/id_token.py",
    "fhir/smart.py",
    "services/launch.py",
    "storage/token_log.py",
)
# How a reason is named in the source: where it is raised, and by the readers of a claim.
RAISED = r'(?:Unauthorized|Forbidden|record_refusal)\(\s*"([a-z-]+)"|else "([a-z-]+)"\)|_(?:text|moment)\(.*?"([a-z]+)"'


def test_every_reason_of_a_refusal_is_explained_and_no_other() -> None:
    sources = [ROOT / "cds_service" / name for name in SOURCES]
    files = [path for source in sources for path in ([source] if source.is_file() else source.glob("a*.py"))]
    found = {name for path in files for match in re.findall(RAISED, path.read_text()) for name in match if name}
    page = (ROOT / "docs" / "howto" / "register-clients.md").read_text()

    explained = {
        name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`([a-z-]+)`", row)
    }

    assert explained == found
