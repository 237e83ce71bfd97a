"""Lists of pictures in a cell, their names and keys, and files below the data root."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyechart.benchmarks.pictures import (
    find_picture,
    image_folder,
    parse_list,
    picture_key,
    picture_names,
    stored_format,
)
from eyechart.errors import MediaError


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=5))
def test_every_list_that_python_writes_is_read(items):
    cell = repr(items).encode()
    assert [item.decode() for item in parse_list(cell)] == items


@given(st.binary(max_size=30).map(lambda b: b"[" + b + b"]"))
def test_anything_else_in_brackets_is_an_error_or_what_python_reads(cell):
    try:
        items = parse_list(cell)
    except ValueError:
        return
    assert all(isinstance(item, bytes) for item in items)


def test_lists_are_read_without_python_where_they_are_plain():
    big = "A" * 3_000_000
    assert parse_list(repr([big, big]).encode()) == (big.encode(),) * 2
    assert parse_list(b"[ \"a\" , 'b', ]") == (b"a", b"b")
    assert parse_list(b"not a list]") == (b"not a list]",)
    assert ast.literal_eval("['a', 'b',]") == ["a", "b"]


@pytest.mark.parametrize("cell", [b"['a' 'b']", b"['a]", b"[a]", b"['a', 1]", b"[1]", b"[['a']]", b"['\\x']"])
def test_a_broken_list_is_an_error(cell):
    with pytest.raises(ValueError, match=r"list|quoted|comma"):
        parse_list(cell)


def test_a_long_list_with_escapes_is_refused():
    with pytest.raises(ValueError, match="at most"):
        parse_list(b"['" + b"\\n" * 60_000 + b"']")


def test_keys_are_equal_for_equal_pictures_only():
    one, other = b"A" * 5000 + b"B", b"A" * 5000 + b"C"
    assert picture_key([one]) == picture_key([one])
    assert len({picture_key(p) for p in ([one], [other], [one, other], [other, one], [one[:-1]], [])}) == 6


def test_names():
    def names(given=(), count=1, suffix=".png", cut=True):
        return picture_names(given, stem="7", count=count, suffix=suffix, cut=cut)

    assert names() == ("7.png",)
    assert names(count=2) == ("7_0.png", "7_1.png")
    assert names(count=2, suffix=".jpg") == ("7_0.jpg", "7_1.jpg")
    assert names(["x/y.jpg"]) == ("y.jpg",)
    assert names(["a.jpg"], count=3) == ("a.jpg",)
    assert names(["a.jpg"], count=3, cut=False) == ("a.jpg", "7_1.png", "7_2.png")
    assert names(["a.jpg", "b.jpg", "c.jpg"], count=2) == ("a.jpg", "b.jpg")
    assert names(["/"]) == ("7.png",)
    assert [stored_format(n) for n in ("a.png", "a.JPG", "a.jpeg", "a.bmp")] == ["png", "jpeg", "jpeg", "png"]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("SEEDBench_IMG", "SEEDBench_IMG"),
        ("MMBench_DEV_CN", "MMBench"),
        ("MMBench_TEST_EN_V11", "MMBench_V11"),
        ("MMBench_dev_ar", "MMBench_dev_ar"),
        ("OCRVQA_TESTCORE", "OCRVQA"),
        ("COCO_VAL", "COCO"),
    ],
)
def test_folders(name, folder):
    assert image_folder(name) == folder


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    (root / "images" / "X").mkdir(parents=True)
    (root / "images" / "X" / "a.png").touch()
    (root / "b.png").touch()
    (tmp_path / "secret.png").touch()
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    return root


def look(root, path):
    return find_picture(path, (root / "images" / "X", root / "images", root))


@pytest.mark.parametrize("path", ["a.png", "X/a.png", "images/X/a.png", "../../b.png", "./b.png", "images/../b.png"])
def test_files_below_the_data_root_are_found(root, path):
    assert look(root, path).name == path[-5:]
    assert look(root, str(root / "b.png")) == (root / "b.png").resolve()


@pytest.mark.parametrize(
    "path", ["../secret.png", "../../../secret.png", "/etc/passwd", "link.png", "images/../../secret.png", "../root2/x"]
)
def test_paths_that_climb_out_are_refused(root, path):
    with pytest.raises(MediaError, match="leads out of the data root"):
        look(root, path)


def test_a_linked_image_folder_is_followed(root, tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "c.png").touch()
    (root / "images" / "Y").symlink_to(tmp_path / "big")
    assert find_picture("c.png", (root / "images" / "Y", root)) == (tmp_path / "big" / "c.png").resolve()


@pytest.mark.parametrize("path", ["none.png", "images", "", "a\0b", "x" * 5000])
def test_missing_files_and_impossible_names(root, path):
    with pytest.raises(MediaError, match=r"is missing|no usable path"):
        look(root, path)
