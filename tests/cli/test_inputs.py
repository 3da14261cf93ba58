"""What `-i key=value` means, by the schema of the input."""

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.inputs import build, read_file, read_labels, read_pairs, read_targets
from orchestrator.cli.trouble import Trouble

SCHEMAS: dict[str, dict[str, Any]] = {
    "gender": {"type": "string", "enum": ["female", "male"]},
    "code": {"type": ["string", "null"]},
    "colour": {"enum": ["red", "blue"]},
    "scale": {"type": "integer"},
    "deep": {"type": "boolean"},
    "size": {"type": "object"},
    "photo": {"type": "string", "format": "image"},
    "photos": {"type": "array", "items": {"type": "string", "format": "image"}},
    "sides": {"type": "array", "items": {"type": "integer"}},
    "anything": {},
}


def read(*texts: str) -> dict[str, Any]:
    return build(read_pairs(texts, "-i"), SCHEMAS, lambda path: f"artifact:{path.name}")


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["gender=female"], {"gender": "female"}),
        (["gender="], {"gender": ""}),
        (["gender=a=b"], {"gender": "a=b"}),
        (["code=007"], {"code": "007"}),
        (["code=null"], {"code": "null"}),
        (["colour=red"], {"colour": "red"}),
        (["scale=2"], {"scale": 2}),
        (["deep=true"], {"deep": True}),
        (['size={"width": 2}'], {"size": {"width": 2}}),
        (["photo=https://example.com/a.jpg"], {"photo": "https://example.com/a.jpg"}),
        (["photo=@@handle"], {"photo": "@handle"}),
        (["photos=https://example.com/a.jpg"], {"photos": ["https://example.com/a.jpg"]}),
        (["photos=a", "photos=b"], {"photos": ["a", "b"]}),
        (['photos=["a", "b"]', "photos=c"], {"photos": ["a", "b", "c"]}),
        (["photos=[]"], {"photos": []}),
        (["sides=1", "sides=2"], {"sides": [1, 2]}),
        (["sides=[1, 2]"], {"sides": [1, 2]}),
        (["anything=2"], {"anything": 2}),
        (["anything=two"], {"anything": "two"}),
        (["anything=1", "anything=two"], {"anything": [1, "two"]}),
    ],
)
def test_a_text_becomes_what_the_schema_says(texts: list[str], value: dict[str, Any]) -> None:
    assert read(*texts) == value


def test_a_file_is_uploaded_and_its_reference_passed_on(tmp_path: Path) -> None:
    file = tmp_path / "shirt.jpg"
    file.write_bytes(b"...")

    assert read(f"photo=@{file}") == {"photo": "artifact:shirt.jpg"}
    assert read(f"photos=@{file}") == {"photos": ["artifact:shirt.jpg"]}
    assert read(f"photos=@{file}", "photos=x") == {"photos": ["artifact:shirt.jpg", "x"]}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["gender"], "-i 'gender' is not key=value, such as -i gender=female"),
        (["=female"], "-i '=female' is not key=value, such as -i gender=female"),
        (["gendr=female"], "inputs.gendr: the workflow has no such input (did you mean 'gender'?)"),
        (["scale=two"], "inputs.scale: 'two' is not JSON, and the input takes integer"),
        (["sides=two"], "inputs.sides: 'two' is not JSON, and the input takes integer"),
        (["gender=a", "gender=b"], "inputs.gender: is given 2 times, but takes one value"),
        (["scale=two", "deep=yes"], "inputs.scale: 'two' is not JSON"),
        (["scale=two", "deep=yes"], "inputs.deep: 'yes' is not JSON"),
        (["photo=@no.jpg"], "inputs.photo: there is no file 'no.jpg'"),
        (["photo=@"], "inputs.photo: @ is followed by the path of a file"),
        (["photo=@."], "inputs.photo: '.' is a folder; name a file in it"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(texts: list[str], message: str) -> None:
    with pytest.raises(Trouble) as told:
        read(*texts)

    assert message in told.value.message
    assert told.value.exit_code == 2


def test_an_empty_file_is_told_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "shirt.jpg").touch()

    with pytest.raises(Trouble, match=r"inputs\.photo: the file '.*shirt\.jpg' is empty"):
        read(f"photo=@{tmp_path / 'shirt.jpg'}")


def test_nothing_is_uploaded_while_anything_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "shirt.jpg"
    file.write_bytes(b"...")

    def upload(path: Path) -> str:
        raise AssertionError("uploaded too early")

    with pytest.raises(Trouble, match=r"inputs\.scale"):
        build([("photo", f"@{file}"), ("scale", "two")], SCHEMAS, upload)


@pytest.mark.parametrize("text", ['{"gender": "male", "scale": 2}', "gender: male\nscale: 2\n"])
def test_a_file_of_inputs_is_json_or_yaml(tmp_path: Path, text: str) -> None:
    file = tmp_path / "inputs"
    file.write_text(text)

    assert read_file(file) == {"gender": "male", "scale": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [("- a\n", "holds no inputs by name"), ("a: [1", "line 1, column 6"), ("a: 1\na: 2\n", "duplicate key")],
)
def test_a_file_of_anything_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "inputs.yaml"
    file.write_text(text)

    with pytest.raises(Trouble, match=r"--inputs .*inputs\.yaml: ") as told:
        read_file(file)

    assert message in told.value.message


def test_a_picture_is_no_file_of_inputs(tmp_path: Path) -> None:
    (tmp_path / "shirt.png").write_bytes(b"\x89PNG\r\n")

    with pytest.raises(Trouble, match=r"shirt\.png: is not UTF-8 text"):
        read_file(tmp_path / "shirt.png")


def test_a_label_is_text_whatever_it_looks_like() -> None:
    assert read_labels(["order=12", "for=a=b"]) == {"order": "12", "for": "a=b"}


def test_a_label_has_one_value() -> None:
    with pytest.raises(Trouble, match="--label 'order' is given both '12' and '13'"):
        read_labels(["order=12", "order=13"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("at: {due: [2026-12-24]}", "at.due[0]: is read as a date; quote it: '2026-12-24'"),
        ("scale: .nan", "scale: nan is no number that JSON knows"),
        ('{"scale": 1e999}', "scale: inf is no number that JSON knows"),
        ("by: {1: one}", "by: the key 1 is no text; quote it"),
        ("bytes: !!binary aGk=", "bytes: JSON has nothing for a bytes"),
        ("[" * 5000, "is nested too deep"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "is nested more than 64 levels deep"),
    ],
)
def test_what_json_has_no_word_for_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "inputs.yaml"
    file.write_text(text)

    with pytest.raises(Trouble, match=re.escape(message)):
        read_file(file)


def test_whom_to_tell_is_a_url_or_an_object() -> None:
    assert read_targets(["https://a.example", '{"url": "https://b.example", "on": ["failed"]}']) == [
        "https://a.example",
        {"url": "https://b.example", "on": ["failed"]},
    ]


def test_whom_to_tell_is_not_half_an_object() -> None:
    with pytest.raises(Trouble, match=r"--notify '\{url' is neither a URL nor JSON"):
        read_targets(["{url"])
