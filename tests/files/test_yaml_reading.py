"""YAML of users: what all readers agree on is read, with lines; what means something else than it shows, refused."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import simulator
from simulator.errors import InputError
from simulator.files.limits import limits
from simulator.files.yaml_reading import Lined, line_of, parse_yaml, read_yaml
from simulator.files.yaml_scalars import scalar

ROOT = Path(simulator.__file__).parents[1]
SHIPPED = sorted([*(ROOT / "hardware_profiles").glob("*.yaml"), *(ROOT / "simulator").rglob("*.yaml")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_files_mean_what_they_mean_to_other_readers(path: Path) -> None:
    expected = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = read_yaml(path, path.name)
    assert found == expected
    assert repr(found) == repr(expected)  # 1, 1.0 and True are equal, but not the same


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**29), 10**29),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
    st.sampled_from(["off", "yes", "1e5", "010", "0x1F", "2026-08-01", "1:30", "~", "null", "<<", "-", "1_000", ".5"]),
)
KEYS = st.one_of(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=8), st.integers(-99, 99))


@given(
    st.dictionaries(
        KEYS, st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v)), min_size=1
    )
)
def test_what_a_calibration_writes_is_read_back(content: dict[object, object]) -> None:
    from simulator.files.yaml_writing import to_yaml

    found = parse_yaml(to_yaml(content), "content")  # type: ignore[arg-type]
    assert repr(found) == repr(content)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8.0", 8.0), ("-1", -1), ("1e-3", 1e-3), ("1E3", 1000.0), (".5", 0.5), ("5.", 5.0), ("+7", 7), ("0", 0),
        ("0.25", 0.25), ("~", None), ("null", None), ("", None), ("true", True), ("FALSE", False),
        ("off", "off"), ("yes", "yes"), ("on", "on"), ("2023-13-45", "2023-13-45"), ("1:30", "1:30"),
        ("1_000", "1_000"), ("1.2.3", "1.2.3"), ("nan", "nan"), ("inf", "inf"),
        ("\uff11\uff12", "\uff11\uff12"), ("-", "-"),
        ("v0.5", "v0.5"), ("1e", "1e"), ("=", "="),
    ],
)  # fmt: skip
def test_words(text: str, value: object) -> None:
    assert repr(scalar(text)) == repr(value)


REFUSED = {
    "a: 1\nb: 2\na: 3": "line 3: a: found twice, first in line 1",
    "a: {b: 1, b: 2}": "line 1: a.b: found twice, first in line 1",
    "1: x\n1: y": "line 2: 1: found twice",
    "a: !!int x": "line 1: a: tag tag:yaml.org,2002:int",
    'a: !!int ""': "line 1: a: tag tag:yaml.org,2002:int",
    "a: !!float x": "line 1: a: tag",
    "a: !!timestamp x": "line 1: a: tag",
    'a: !!bool "x"': "line 1: a: tag",
    "a: !!binary x": "line 1: a: tag",
    "a: !!python/object/apply:os.system [ls]": "line 1: a: tag tag:yaml.org,2002:python/object/apply:os.system",
    "a: !mine [1]": "line 1: a: tag !mine",
    "a: &x 1\nb: *x": "line 2: b: *x repeats another part",
    "a: &x [1, *x]": "line 1: a: &x names a part",
    "a: {<<: {b: 1}}": "line 1: a: << merges another mapping",
    "? [1, 2]\n: 3": "line 1: a list or mapping as a key",
    "? {a: 1}\n: 3": "line 1: a list or mapping as a key",
    "null: 1": "line 1: key 'null'; expected text",
    "1.5: 1": "line 1: key '1.5'; expected text",
    "a: .inf": "line 1: a: expected a finite number, found .inf",
    "a: -.INF": "line 1: a: expected a finite number",
    "a:\n  b:\n  - 1\n  - .nan": "line 4: a.b.1: expected a finite number, found .nan",
    "a: [[1, 2], [3, 1.0e999]]": "line 1: a.1.1: expected a finite number, found 1.0e999, which is too large for one",
    "a: " + "9" * 400: "line 1: a: a number of 400 digits; expected at most 30",
    "a: -" + "9" * 5000: "line 1: a: a number of 5,000 digits; expected at most 30",
    "a: 0x" + "f" * 5000: "line 1: a: numbers are decimal and begin with no 0, found 0xfff",
    "a: 010": "line 1: a: numbers are decimal and begin with no 0, found 010; quote it if it is text",
    "a: 1\n---\nb: 2": "line 2: a second document begins; expected one",
    "a: [1": "not valid YAML",
    "a: 'x": "not valid YAML",
    "%FOO\n---\na: 1": "line 1: not valid YAML",
    "a: b\n\x1b[31m: 1": "line 2: character U+001B is not text",
    "a: \x00": "line 1: character U+0000 is not text",
    "a: \x9b31m": "line 1: character U+009B is not text",
    "": "expected a mapping at the top level, found nothing",
    "- 1": "expected a mapping at the top level, found a list",
    "x" * 5000: "expected a mapping at the top level, found 'xxx",
    "a: " + "[" * 33 + "]" * 33: "nested more than 32 levels deep",
    "[" * 200_000: "line 1: ",
    "a: " + "{a: " * 100_000: "line 1: ",
}


@pytest.mark.parametrize(("text", "answer"), REFUSED.items(), ids=[key[:24] for key in REFUSED])
def test_refused_with_line_and_key(text: str, answer: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, "mine.yaml")
    assert str(caught.value).startswith("mine.yaml:")
    assert answer in str(caught.value)
    assert len(str(caught.value)) < 400


def test_all_faults_of_values_and_keys_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml("a: .nan\nb: 010\na: 1\nc: !!int x\nd: &x 1", "mine.yaml")
    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:]] == [f"  line {n}" for n in range(1, 6)]
    with pytest.raises(InputError, match=r"\.\.\. and 80 more"):
        parse_yaml("a: [" + ", ".join([".nan"] * 100) + "]", "mine.yaml")


def test_a_bomb_of_repeats_is_refused_before_it_goes_off() -> None:
    layers = "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'lol'}]" for i in range(30))
    with pytest.raises(InputError, match="names a part to be repeated"):
        parse_yaml(layers, "mine.yaml")


def test_lines_of_keys() -> None:
    found = parse_yaml("# comment\na: 1\nb:\n  c: {d: 1,\n      e: 2}\nf: [{g: 1},\n  {h: 2}]\n", "mine.yaml")
    lines = {"a": 2, "b.c": 4, "b.c.e": 5, "f.1.h": 7, "f.1": 6, "b.z": 3}
    paths = {keys: [int(key) if key.isdigit() else key for key in keys.split(".")] for keys in lines}
    assert {keys: line_of(found, path) for keys, path in paths.items()} == lines
    assert line_of({"a": 1}, ["a"]) is None
    assert line_of(copy.deepcopy(found), ["b", "c", "e"]) == 5
    assert line_of(pickle.loads(pickle.dumps(found)), ["a"]) == 2
    assert isinstance(found["b"], Lined)
    assert yaml.safe_load(yaml.safe_dump(found)) == found


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    for data, answer in (
        (b"a: 1\nb: \xff", "line 2: byte 0xff is not UTF-8"),
        ("a: 1".encode("utf-16"), "line 1: byte 0xff is not UTF-8"),
    ):
        path.write_bytes(data)
        with pytest.raises(InputError, match=answer):
            read_yaml(path, "mine.yaml")
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_yaml(path, "mine.yaml") == {"a": 1, "b": 2}
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path, "folder")


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("a: [" + "1, " * 2_000_000 + "1]")
    with pytest.raises(InputError, match="over the limit"):
        read_yaml(path, "mine.yaml")
    path.write_text("a: 1\n" + "#" * 2000)
    with limits(yaml_mb=0.001), pytest.raises(InputError, match="over the limit"):
        read_yaml(path, "mine.yaml")
