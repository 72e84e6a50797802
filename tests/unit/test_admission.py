from hypothesis import given
from hypothesis import strategies as st

from serving.scoring.admission import LARGE_BYTES, LARGE_REQUESTS, LARGE_ROWS, Admission


def test_rows_are_bounded_and_places_come_back():
    admission = Admission(queue_rows=10)
    first, second, third = [admission.enter(256 * 4) for _ in range(3)]
    assert (first.rows, second.rows, third) == (4, 4, None)
    admission.leave(first, 4)
    assert admission.enter(256 * 4).rows == 4


def test_an_empty_server_takes_a_request_that_is_larger_than_its_queue():
    admission = Admission(queue_rows=10)
    assert admission.enter(256 * 100).rows == 100
    assert admission.enter(256) is None


def test_large_and_small_requests_do_not_shut_each_other_out():
    admission = Admission(queue_rows=10)
    large = 256 * (LARGE_ROWS + 1)
    *places, refused = [admission.enter(large) for _ in range(LARGE_REQUESTS + 1)]
    assert all(place.large for place in places)
    assert refused is None
    assert admission.enter(256 * 10).rows == 10
    assert admission.enter(256) is None
    admission.leave(places[0], 1000)
    assert admission.enter(large).large


def test_many_bytes_are_large_however_few_rows_they_seem_to_hold():
    admission = Admission()
    admission.leave(admission.enter(10**6), 1)  # a row of a megabyte; the next are taken for such too
    for _ in range(50):
        admission.leave(admission.enter(10**6), 1)
    assert admission.enter(8 * LARGE_BYTES).large


def test_who_lends_a_place_shuts_nobody_out_and_asks_again_with_the_true_size():
    admission = Admission(queue_rows=10)
    silent = [admission.enter(256) for _ in range(10)]
    assert admission.enter(256) is None
    for place in silent:
        admission.lend(place)
    other = admission.enter(256 * 10)
    assert other.rows == 10
    assert not admission.settle(silent[0], 256)
    admission.leave(other, 10)
    assert admission.settle(silent[0], 256 * 3)
    assert admission.rows == 3
    for place in silent:
        admission.leave(place)
    assert admission.rows == 0


def test_a_body_of_unknown_length_counts_by_what_came():
    admission = Admission(queue_rows=10)
    chunked = [admission.enter(0) for _ in range(LARGE_REQUESTS + 2)]
    settled = [admission.settle(place, 8 * LARGE_BYTES) for place in chunked]
    assert settled == [True] * LARGE_REQUESTS + [False] * 2
    assert admission.rows == 0


def test_the_estimate_follows_what_rows_measure():
    admission = Admission()
    for _ in range(200):
        admission.leave(admission.enter(2000), 1)
    assert admission.enter(2000).rows == 1
    assert admission.rows == 1


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3000)), max_size=200), st.integers(1, 600))
def test_whatever_comes_and_goes_nothing_leaks(requests, limit):
    admission, inside = Admission(limit), []
    for size, rows in requests:
        taken = admission.enter(size)
        if taken is not None:
            inside.append((taken, rows))
            if rows % 3 == 0:
                admission.lend(taken)
            if rows % 2 == 0:
                admission.settle(taken, rows * 100)
        if len(inside) > 5:
            admission.leave(*inside.pop(0))
        assert admission.rows >= 0
    for place in inside:
        admission.leave(*place)
    assert admission.rows == 0
    assert all(admission.enter(10**9).large for _ in range(LARGE_REQUESTS))
