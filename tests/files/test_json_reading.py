"""One line of JSON of a user: an object of plain, finite data, or a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.files.json_reading import parse_json_object

REFUSED = {
    "{": "not JSON",
    "": "not JSON",
    "[1]": "expected a JSON object, found an array",
    "1": "expected a JSON object, found a number",
    '"x"': "expected a JSON object, found a text",
    "true": "expected a JSON object, found true or false",
    "null": "expected a JSON object, found null",
    '{"a": NaN}': "expected finite numbers, found NaN",
    '{"a": -Infinity}': "expected finite numbers, found -Infinity",
    '{"a": 1, "a": 2}': "key 'a' found twice",
    '{"a": {"b": 1, "b": 1}}': "key 'b' found twice",
    '{"a": ' + "9" * 400 + "}": "a number of 400 digits; expected at most 30",
    '{"a": -' + "9" * 5000 + "}": "a number of 5,000 digits",
    '{"a": ' + "[" * 100_000 + "}": "nested too deep",
    "[" * 100_000: "nested too deep",
    '{"a":' * 50_000: "nested too deep",
}


@pytest.mark.parametrize(("text", "answer"), REFUSED.items(), ids=[text[:20] for text in REFUSED])
def test_refused_with_the_line(text: str, answer: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_json_object(text, "trace.jsonl: line 7")
    assert str(caught.value).startswith("trace.jsonl: line 7: ")
    assert answer in str(caught.value)
    assert len(str(caught.value)) < 200


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**29), 10**29)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), VALUES))
def test_what_python_writes_is_read_back(content: dict[str, object]) -> None:
    assert parse_json_object(json.dumps(content), "line 1") == content
