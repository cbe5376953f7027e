import json
from collections.abc import Callable
from time import process_time
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cds_service.errors import MalformedJson, TooLarge
from cds_service.web import strict_json
from cds_service.web.json_faults import MAX_DEPTH, find_fault
from cds_service.web.strict_json import content_hash, parse


def nested(levels: int, *, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + closing * levels


REFUSED = [
    pytest.param(b"", "the body is empty", "line 1 column 1", id="empty"),
    pytest.param(b" \n", "the body is empty", "", id="white-space-only"),
    pytest.param(b'{"a": 1', "ends too early", "line 1 column 8", id="truncated"),
    pytest.param(b"{} {}", "more follows", "line 1 column 4", id="two-documents"),
    pytest.param(b'{"a": [1, NaN]}', "NaN is not a JSON value", "a[1]", id="nan"),
    pytest.param(b'{"a": -Infinity}', "-Infinity is not a JSON value", "a", id="infinity"),
    pytest.param(b'{"a": {"b": 1e999}}', "too large for a double", "a.b", id="overflowing-number"),
    pytest.param(b'{"a": 18446744073709551616}', "more than 64 bits", "a", id="integer-of-65-bits"),
    pytest.param(b"[" + b"9" * 5000 + b"]", "more than 64 bits", "[0]", id="integer-of-5000-digits"),
    pytest.param(b'{"a": {"b": 1, "b": 1}}', "occurs twice", "a.b", id="duplicate-member"),
    pytest.param(b'{"b": 1, "\\u0062": 2}', "occurs twice", "b", id="duplicate-member-spelled-with-escape"),
    pytest.param(b'{"a": 1, "a": "\\u003a"}', "occurs twice", "a", id="duplicate-hidden-behind-escaped-colon"),
    pytest.param(nested(MAX_DEPTH + 1), "more than 32 deep", "[0]", id="lists-33-deep"),
    pytest.param(nested(100_000), "more than 32 deep", "", id="lists-100000-deep"),
    pytest.param(b'{"a":' * 33 + b"1" + b"}" * 33, "more than 32 deep", "a.a", id="objects-33-deep"),
    pytest.param(b'{"fhirAuthorization":' + nested(32) + b"}", "more than 32 deep", "", id="authorization-33-deep"),
    pytest.param(b"\xef\xbb\xbf{}", "byte order mark", "byte 0", id="byte-order-mark"),
    pytest.param('{"a": 1}'.encode("utf-16"), "not valid UTF-8", "byte 0", id="utf-16"),
    pytest.param(b'{"a": "\xff"}', "not valid UTF-8", "byte 7", id="latin-1"),
    pytest.param(b'{"a": "\xed\xa0\x80"}', "not valid UTF-8", "byte 7", id="surrogate-in-utf-8"),
    pytest.param(b'{"a": "\\ud800"}', "half of a surrogate pair", "a", id="lone-surrogate"),
    pytest.param(b'{"a": "x\\u0000"}', "U+0000", "a", id="nul-escape"),
    pytest.param(b'{"a\\u0000": 1}', "U+0000", "", id="nul-in-key"),
    pytest.param(b'{"a": "\x00"}', "invalid control character", "line 1 column 8", id="nul-byte"),
    pytest.param(b"{}\x00", "more follows", "line 1 column 3", id="nul-after-the-document"),
    pytest.param(b"[1,]", "not JSON", "line 1", id="trailing-comma"),
    pytest.param(b"<a/>", "not JSON", "line 1 column 1", id="xml"),
]


@pytest.mark.parametrize(("body", "text", "where"), REFUSED)
def test_what_is_not_strict_json_is_refused_with_its_place(body: bytes, text: str, where: str) -> None:
    with pytest.raises(MalformedJson) as refusal:
        parse(body)

    assert text in refusal.value.text
    assert where in refusal.value.where
    assert refusal.value.status == 400


ACCEPTED = [
    pytest.param(b"null", None, id="scalar"),
    pytest.param(nested(MAX_DEPTH), None, id="lists-32-deep"),
    pytest.param(b'{"a": 18446744073709551615, "b": -9223372036854775808}', None, id="integers-of-64-bits"),
    pytest.param(b'{"a": "\\u003a", "b": ":::"}', {"a": ":", "b": ":::"}, id="colons-in-strings"),
    pytest.param(b'{"a": "\\\\u0000 \\\\u003a"}', {"a": "\\u0000 \\u003a"}, id="escaped-backslash-before-u0000"),
    pytest.param(b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}, id="surrogate-pair"),
    pytest.param(b'\r\n\t {"a" : {"b" : [ ] } } ', {"a": {"b": []}}, id="white-space-everywhere"),
]


@pytest.mark.parametrize(("body", "document"), ACCEPTED)
def test_strict_json_is_read(body: bytes, document: Any) -> None:
    parsed = parse(body)

    assert parsed.document == (json.loads(body) if document is None else document)


def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge, match="larger than 10 bytes"):
        parse(b"not even JSON", max_bytes=10)


def test_the_message_shows_no_value_and_only_the_start_of_a_key() -> None:
    body = b'{"' + b"k" * 500 + b'": {"birthDate": "1954-05-01", "birthDate": "1955-05-01"}}'

    with pytest.raises(MalformedJson) as refusal:
        parse(body)

    assert "195" not in str(refusal.value)
    assert len(str(refusal.value)) < 120


def test_a_retry_with_a_fresh_token_and_other_spelling_has_the_same_hash() -> None:
    first = parse(
        b'{"hook": "patient-view", "context": {"a": 1, "b": 2.50}, "fhirAuthorization": {"access_token": "x"}}'
    )
    again = parse(b'{"context":{"b":2.5,"\\u0061":1},"fhirAuthorization":{"access_token":"y"},"hook":"patient-view"}')
    other = parse(b'{"hook": "patient-view", "context": {"a": 1, "b": 2.51}}')

    assert content_hash(first) == content_hash(again)
    assert content_hash(first) != content_hash(other)
    assert b"access_token" not in first.canonical


def test_the_depth_limit_rests_on_the_encoders_own_limit() -> None:
    assert strict_json._encode(json.loads(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(orjson.JSONEncodeError):
        strict_json._encode(json.loads(nested(MAX_DEPTH + 1)))


class _Pairs(list[tuple[str, Any]]):
    """Members of an object, duplicates included."""


json_keys = st.one_of(st.sampled_from(["a", "b", ":", "fhirAuthorization"]), st.text(max_size=3))
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([":", '":', "\\u003a"]),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(json_keys, inner), max_size=4).map(_Pairs),
    max_leaves=12,
)


def written(value: Any, ascii_only: bool, space: str) -> str:
    """JSON text of `value` as a careless client would write it."""
    if isinstance(value, _Pairs):
        members = (f"{written(k, ascii_only, space)}{space}:{space}{written(v, ascii_only, space)}" for k, v in value)
        return "{" + f",{space}".join(members) + space + "}"
    if isinstance(value, list):
        return f"[{space}" + f"{space},".join(written(inner, ascii_only, space) for inner in value) + "]"
    text = json.dumps(value, ensure_ascii=ascii_only)
    return text.replace(":", "\\u003A") if ascii_only and isinstance(value, str) else text


def is_taken(body: bytes) -> bool:
    try:
        parse(body)
    except MalformedJson:
        return False
    return True


@given(json_values, st.booleans(), st.sampled_from(["", " ", "\n\t"]))
@example([_Pairs([("a", 1), ("a", 1)])], False, "")
@example(_Pairs([("fhirAuthorization", _Pairs([(":", 1), (":", 1)]))]), True, " ")
def test_the_fast_reading_refuses_exactly_what_the_slow_one_does(value: Any, ascii_only: bool, space: str) -> None:
    body = written(value, ascii_only, space).encode("utf-8", "surrogatepass")

    assert is_taken(body) == (find_fault(body) is None)


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\u003a0 1e9.-tnl', max_size=30).map(str.encode))
def test_any_bytes_are_read_alike_by_both_readings(body: bytes) -> None:
    assert is_taken(body) == (find_fault(body) is None)


@given(st.integers(1, 40), st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]), st.sampled_from([b"", b"1", b"{}"]))
def test_depth_is_exact(levels: int, brackets: tuple[bytes, bytes], leaf: bytes) -> None:
    opening, closing = brackets
    body = opening * levels + (leaf or b"[]") + closing * levels

    assert is_taken(body) == (levels + (leaf != b"1") <= MAX_DEPTH)


def least_cpu(work: Callable[[], object]) -> float:
    """Seconds of this process, the least of five runs: what the machine does besides is not counted."""
    seconds = []
    for _ in range(5):
        start = process_time()
        work()
        seconds.append(process_time() - start)
    return min(seconds)


READING = b'{"resourceType":"Observation","status":"final","valueQuantity":{"value":70,"unit":"/min","code":"/min"}}'


@pytest.mark.parametrize(
    ("part", "most"),
    [
        pytest.param(READING, 8, id="observations"),
        pytest.param(b"1", 11, id="integers"),
        pytest.param(b"{}", 22, id="empty-objects"),
        pytest.param((b'{"' + b"k" * 39 + b'":') * 29 + b"[" + b"1," * 999 + b"1]" + b"}" * 29, 9, id="deep"),
    ],
)
def test_the_last_fault_of_a_large_body_costs_a_few_plain_readings(part: bytes, most: int) -> None:
    parts = b",".join([part] * (880_000 // (len(part) + 1)))
    body = b'{"entry":[' + parts + b'],"type":1,"type":2}'

    fault = find_fault(body)

    assert fault is not None
    assert fault.where == "type"
    # Twice what was measured; a reading that writes a path for every value takes more than this.
    assert least_cpu(lambda: find_fault(body)) < most * least_cpu(lambda: json.loads(body))
