"""The tree of RFC 6962, its proofs, canonical JSON, and signed checkpoints as others read them."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.audit.canonical import canonical
from tasks.audit.merkle import consistency_proof, inclusion_proof
from tasks.audit.outside import is_consistent, leaf_hash, root_hash, root_of_inclusion, roots_at

# The leaves and roots that Certificate Transparency's own tests use (certificate-transparency-go, merkletree tests).
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count):
    return [leaf_hash(str(number).encode()) for number in range(count)]


def by_definition(hashes):
    """MTH of RFC 6962, section 2.1, word by word."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else hashlib.sha256(b"").digest()
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hashlib.sha256(b"\x01" + by_definition(hashes[:half]) + by_definition(hashes[half:])).digest()


def test_roots_are_those_of_certificate_transparency():
    hashes = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]
    assert [roots_at(hashes, [size])[size].hex() for size in range(1, 9)] == ROOTS


@given(st.integers(0, 130))
def test_the_root_is_that_of_the_definition(count):
    assert root_hash(leaves(count)) == by_definition(leaves(count))


@given(st.data())
def test_an_inclusion_proof_holds_for_its_leaf_and_no_other(data):
    size = data.draw(st.integers(1, 90))
    index = data.draw(st.integers(0, size - 1))
    all_of = leaves(size)
    path = inclusion_proof(all_of, index)
    assert root_of_inclusion(all_of[index], index, size, path) == root_hash(all_of)
    assert root_of_inclusion(leaf_hash(b"another"), index, size, path) != root_hash(all_of)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert root_of_inclusion(all_of[index], other, size, path) != root_hash(all_of)
    assert root_of_inclusion(all_of[index], index, size, [*path, b"x" * 32]) is None


@given(st.data())
def test_a_consistency_proof_holds_for_a_beginning_and_nothing_else(data):
    size = data.draw(st.integers(1, 90))
    first = data.draw(st.integers(0, size))
    all_of = leaves(size)
    path, root = consistency_proof(all_of, first), root_hash(all_of)
    assert is_consistent(first, size, root_hash(all_of[:first]), root, path)
    if first:
        assert not is_consistent(first, size, leaf_hash(b"another"), root, path)
    if 0 < first < size:
        assert not is_consistent(first, size, root_hash(all_of[:first]), leaf_hash(b"another"), path)
        assert not is_consistent(first, size, root_hash(all_of[:first]), root, path[:-1])


def test_proofs_of_leaves_that_are_not_there():
    with pytest.raises(IndexError):
        inclusion_proof(leaves(3), 3)
    with pytest.raises(IndexError):
        consistency_proof(leaves(3), 4)


@pytest.mark.parametrize(
    ("bits", "written"),  # RFC 8785, appendix B
    [
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_numbers_are_written_as_the_standard_says(bits, written):
    import struct

    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(number).decode() == written


def test_names_are_sorted_by_utf_16_and_strings_escaped_little():
    value = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\u00f6": 7}  # RFC 8785, section 3.2.3
    assert list(json.loads(canonical(value)).values()) == [2, 4, 6, 7, 1, 5, 3]
    assert canonical("\u20ac$\x0f\nA'B\"\\/").decode() == '"\u20ac$\\u000f\\nA\'B\\"\\\\/"'


def test_whole_numbers_beyond_doubles_are_strings():
    assert canonical([2**53, 2**53 + 1, -(2**60)]).decode() == f'[{2**53},"{2**53 + 1}","{-(2**60)}"]'
    assert canonical(float("nan")).decode() == '"nan"'


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(), st.lists, max_leaves=20))
def test_what_is_written_reads_as_the_same(value):
    def plain(each):
        return [plain(one) for one in each] if isinstance(each, list) else str(each) if each in INFINITE else each

    assert json.loads(canonical(value), parse_int=float) == plain(value)


INFINITE = (float("inf"), float("-inf"))
