from hypothesis import given
from hypothesis import strategies as st

from serving.admission import LARGE_REQUESTS, LARGE_ROWS, Admission


def test_rows_are_bounded_and_places_come_back():
    admission = Admission(queue_rows=10)
    taken = [admission.enter(256 * 4) for _ in range(3)]
    assert taken == [4, 4, None]
    admission.leave(4, 256 * 4, 4)
    assert admission.enter(256 * 4) == 4


def test_an_empty_server_takes_a_request_that_is_larger_than_its_queue():
    admission = Admission(queue_rows=10)
    assert admission.enter(256 * 100) == 100
    assert admission.enter(256) is None


def test_large_and_small_requests_do_not_shut_each_other_out():
    admission = Admission(queue_rows=10)
    large = 256 * (LARGE_ROWS + 1)
    assert [admission.enter(large) for _ in range(LARGE_REQUESTS + 1)] == [0] * LARGE_REQUESTS + [None]
    assert admission.enter(256 * 10) == 10
    assert admission.enter(256) is None
    admission.leave(0, large, 1000)
    assert admission.enter(large) == 0


def test_the_estimate_follows_what_rows_measure():
    admission = Admission()
    for _ in range(200):
        admission.leave(admission.enter(2000), 2000, 1)
    assert admission.enter(2000) == 1
    assert admission.rows == 1


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 3000)), max_size=200), st.integers(1, 600))
def test_whatever_comes_and_goes_nothing_leaks(requests, limit):
    admission, inside = Admission(limit), []
    for size, rows in requests:
        taken = admission.enter(size)
        if taken is not None:
            inside.append((taken, size, rows))
        if len(inside) > 5:
            admission.leave(*inside.pop(0))
        assert admission.rows >= 0
    for place in inside:
        admission.leave(*place)
    assert admission.rows == 0
    assert [admission.enter(10**9) for _ in range(LARGE_REQUESTS)] == [0] * LARGE_REQUESTS
