"""What a serving process holds: none of the training stack, and the heavy readers only when they are asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, environment

NEVER = (
    "xgboost", "sklearn", "shap", "pandas", "scipy", "onnx", "optuna", "training", "matplotlib",
    "pydantic", "fhir", "alembic", "mako", "babel", "pytest", "psycopg",
)  # fmt: skip

# A whole service in a process of its own: every address is called once, then it says what it has imported.
PROBE = """
import json, os, sys
from pathlib import Path
from cds_service.app import create_started_app
app = create_started_app(os.environ)
client = app.test_client()
body = json.loads(Path("fixtures/hooks/patient-view-full.json").read_text())
answers = [client.post("/cds-services/vitals-risk", json=body)]
twin = Path("fixtures/twins/sepsis-from-nursing-home/bundle.json").read_bytes()
answers.append(client.post("/fhir/$assess", data=twin, content_type="application/json"))
answers.append(client.get("/predict?age=50&heart_rate=120"))
for path in ("/cds-services", "/livez", "/readyz", "/metrics", "/openapi.json", "/models/risk/1.0.0/card"):
    answers.append(client.get(path))
answers.append(client.post("/cds-services/vitals-risk", data=b"{"))
app.extensions["cds"].drain()
found = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"statuses": [answer.status_code for answer in answers], "modules": found}))
"""


def probe(directory: Path, empty_database: Path, **more: str) -> dict[str, list[str]]:
    (directory / "cds.db").write_bytes(empty_database.read_bytes())
    variables = environment(directory, CDS_LOG_FILE=str(directory / "log.jsonl"), **more)
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        env=variables,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_a_serving_process_imports_neither_training_nor_full_fhir_models(tmp_path: Path, empty_database: Path) -> None:
    found = probe(tmp_path, empty_database)

    assert found["statuses"] == [200] * 9 + [415]
    assert [name for name in NEVER if name in found["modules"]] == []


def test_strict_mode_brings_the_full_models_and_nothing_of_training(tmp_path: Path, empty_database: Path) -> None:
    found = probe(tmp_path, empty_database, CDS_FHIR_VALIDATION="strict")

    assert "fhir" in found["modules"]
    assert [name for name in ("xgboost", "sklearn", "pandas", "training") if name in found["modules"]] == []


@pytest.mark.parametrize("module", ["cds_service.domain.early_warning", "cds_service.domain.state"])
def test_the_domain_needs_nothing_but_itself(module: str) -> None:
    others = (*NEVER, "flask", "sqlalchemy", "msgspec", "onnxruntime")
    code = f"import sys, {module}; print([name for name in {others} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_only_commands_that_serve_load_the_web_application() -> None:
    code = (
        "import sys\n"
        "from importlib import import_module\n"
        "from cds_service.cli import MODULES\n"
        "for name in {*MODULES.values()} - {'operate'}:\n"
        "    import_module(f'cds_service.cli.{name}')\n"
        "print([name for name in ('flask', 'granian', 'cds_service.web') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_what_serves_computes_with_one_thread_and_whatever_else_as_it_is_told(tmp_path: Path) -> None:
    """OpenBLAS reads its variable when numpy is imported, so nothing may import that before the command is known."""
    code = (
        "import os, sys, cds_service.cli as cli\n"
        "early = 'numpy' in sys.modules\n"
        "serving, name = ['serve-mllp'], 'OPENBLAS_NUM_THREADS'\n"
        "said = [(cli.main(words), os.environ.pop(name, None)) for words in (serving, ['migrate', '--json'])]\n"
        "os.environ[name] = '3'\n"
        "print([early, *said, (cli.main(serving), os.environ[name])])"
    )
    variables = environment(tmp_path)
    variables.pop("OPENBLAS_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, cwd=REPOSITORY, capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[False, (1, '1'), (0, None), (1, '3')]", done.stderr


def test_a_service_is_ready_without_what_no_opened_chart_needs() -> None:
    """What `cds serve` imports before it is ready; the rest follows (docs/architecture.md, How it starts)."""
    later = (
        "apispec", "httpx", "jwt", "marshmallow", "pyarrow", "cds_service.app", "cds_service.beside",
        "cds_service.cdshooks.schemas", "cds_service.hl7.reader", "cds_service.inference.ranker", "cds_service.mllp",
        "cds_service.services.roll_up", "cds_service.web.console", "cds_service.web.labels", "cds_service.web.schemas",
    )  # fmt: skip
    code = (
        "import sys, cds_service.cli.operate\n"
        f"print([name for name in {later} if name in sys.modules], sum(n.startswith('cds_') for n in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    found, _, count = done.stdout.strip().rpartition(" ")

    assert found == "[]"
    assert int(count) < 220  # of 350 modules of ours: each costs a millisecond or two


def test_a_rollback_waits_for_nothing_that_runs_or_trains_models() -> None:
    """What would cost it the second it has (docs/reference/registry.md): numbers, ONNX Runtime, keys of clients."""
    costly = ("numpy", "onnxruntime", "jwt", "httpx", "alembic")
    code = f"import sys, cds_service.cli.models; print([name for name in {costly} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_loading_and_asking_the_models_leaves_nothing_and_calls_nobody(tmp_path: Path) -> None:
    """ONNX Runtime keeps an id of the machine and a store of what it will report, unless it is told not to."""
    code = (
        "import socket\n"
        "def nobody(*_): raise AssertionError('called out')\n"
        "socket.socket.connect = nobody\n"
        "from pathlib import Path\n"
        "import training.state\n"
        "from cds_service.inference.predictor import load_predictor\n"
        "load_predictor(Path('models'))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env={"HOME": str(tmp_path)}, timeout=60, check=True)

    assert list(tmp_path.iterdir()) == []
