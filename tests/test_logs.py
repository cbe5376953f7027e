import ast
import json
from pathlib import Path
from typing import Any

import pytest

from cds_service import logs
from cds_service.errors import ConfigurationError

PACKAGE = Path(logs.__file__).parent


@pytest.fixture
def written(tmp_path: Path) -> Any:
    path = tmp_path / "log.jsonl"
    logs.configure(path)
    yield lambda: [json.loads(line) for line in path.read_bytes().splitlines()]
    logs.configure(None)


def test_an_event_is_one_line_with_time_level_module_and_fields(written: Any) -> None:
    logs.get_logger("a.module").info("prediction_logged", prediction_id="p1", shown=True, not_used=["stale"])

    (event,) = written()
    assert event.pop("time").endswith("Z")
    assert event == {
        "level": "info",
        "event": "prediction_logged",
        "module": "a.module",
        "prediction_id": "p1",
        "shown": True,
        "not_used": ["stale"],
    }


def test_fields_not_on_the_list_are_counted_and_left_out(written: Any) -> None:
    logs.get_logger("m").info("happened", patient="Jane Doe", reason={"name": "Jane Doe"}, status=200)

    (event,) = written()
    assert (event["left_out"], event["status"]) == (2, 200)
    assert "Jane" not in json.dumps(event)


@pytest.mark.parametrize("text", ["a\nlevel=critical", "a\r\n{}", "\x00\x1b[2K", "\u2028", "\ud800"])
def test_no_value_can_start_a_line_of_its_own(written: Any, tmp_path: Path, text: str) -> None:
    logs.get_logger("m").warning("happened", reason=text)

    assert len(written()) == 1
    assert (tmp_path / "log.jsonl").read_bytes().count(b"\n") == 1


def test_long_texts_are_cut(written: Any) -> None:
    logs.get_logger("m").info("happened", reason="x" * 5000)

    assert len(written()[0]["reason"]) == 200


def test_the_request_id_is_on_every_event_of_the_request(written: Any) -> None:
    token = logs.request_id.set("r-1")
    logs.get_logger("m").info("happened")
    logs.request_id.reset(token)

    assert written()[0]["request_id"] == "r-1"


def test_a_logger_in_use_follows_a_later_configuration(tmp_path: Path, written: Any) -> None:
    log = logs.get_logger("m")
    log.info("first")
    logs.configure(tmp_path / "other.jsonl")
    log.info("second")

    assert len(written()) == 1
    assert "second" in (tmp_path / "other.jsonl").read_text()


def test_a_log_file_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="CDS_LOG_FILE: cannot be written"):
        logs.configure(tmp_path / "missing" / "log.jsonl")


def test_frames_hold_places_and_no_message() -> None:
    try:
        raise ValueError("Jane Doe")
    except ValueError as error:
        frames = logs.frames(error)

    assert frames[-1].startswith("test_logs.py:")
    assert "Jane" not in "".join(frames)


def test_a_full_disk_loses_lines_and_fails_no_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.jsonl"
    log = logs.get_logger("a.module")
    logs.configure(Path("/dev/full"))
    for _ in range(200):
        log.info("service_started")
    logs.configure(path)
    log.info("service_drained")
    logs.configure(None)

    assert capsys.readouterr().err == "cds: the log cannot be written: No space left on device\n"
    assert [json.loads(line)["event"] for line in path.read_bytes().splitlines()] == ["service_drained"]


def test_every_field_the_code_logs_is_on_the_list() -> None:
    unknown = [
        f"{path.name}:{call.lineno} {keyword.arg}"
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _is_log_call(call)
        for keyword in call.keywords
        if keyword.arg not in logs.FIELDS
    ]

    assert unknown == []


def _is_log_call(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id == "log"
        and function.attr in {"info", "warning", "error"}
    )
