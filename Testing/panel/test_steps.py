"""Long work in short steps: the window lives on, and the work can be canceled."""

import threading
import time

import pytest

pytestmark = pytest.mark.usefixtures("slicer_app")


@pytest.fixture
def steps(slicer_app):
    """The module under test."""
    from MedSegEffNetPanel import steps

    return steps


def counting(log, end=3, error=None):
    """Work of ``end`` steps that gives their number."""
    try:
        for number in range(end):
            log.append(number)
            yield
        if error is not None:
            raise error
        return end
    finally:
        log.append("cleaned up")


def test_work_begins_after_run_has_returned_and_gives_its_result(steps, wait_until):
    log, done = [], []
    work = steps.run(counting(log), done.append, pytest.fail)
    assert log == []
    assert not work.over
    assert wait_until(lambda: done)
    assert done == [3]
    assert work.over


def test_an_error_is_handed_over(steps, wait_until):
    failed = []
    work = steps.run(counting([], error=ValueError("x")), pytest.fail, failed.append)
    assert wait_until(lambda: failed)
    assert str(failed[0]) == "x"
    assert work.over


def test_an_error_in_what_follows_the_work_is_handed_over(steps, wait_until):
    failed = []

    def follow(result):
        raise ValueError(f"after {result}")

    work = steps.run(counting([]), follow, failed.append)
    assert wait_until(lambda: failed)
    assert str(failed[0]) == "after 3"
    assert work.over


def test_what_follows_may_begin_new_work(steps, wait_until):
    done = []
    steps.run(counting([]), lambda result: steps.run(counting([]), done.append, pytest.fail), pytest.fail)
    assert wait_until(lambda: done)


@pytest.mark.parametrize("last", [False, True])
def test_work_may_be_canceled_from_within_a_step(steps, wait_until, last):
    log, works = [], []

    def canceling():
        try:
            yield
            works[0].cancel()
            if not last:
                yield
                pytest.fail("went on")
        finally:
            log.append("cleaned up")

    works.append(steps.run(canceling(), pytest.fail, pytest.fail))
    assert wait_until(lambda: log)
    assert works[0].over


def test_a_step_that_lets_the_window_live_is_not_entered_twice(steps, wait_until):
    import slicer

    done = []

    def living():
        for _ in range(3):
            time.sleep(0.01)
            slicer.app.processEvents()
            yield

    steps.run(living(), done.append, pytest.fail)
    assert wait_until(lambda: done)


def test_two_works_take_turns(steps, wait_until):
    """Or each would take its slice of the same moment, and the window wait for both."""
    log, done = [], []

    def naming(name):
        for _ in range(4):
            time.sleep(2 * steps.SLICE)
            log.append(name)
            yield

    for name in "ab":
        steps.run(naming(name), done.append, pytest.fail)
    assert wait_until(lambda: len(done) == 2)
    assert log == list("abababab")


def test_canceled_work_cleans_up_and_calls_nobody(steps, wait_until):
    log = []

    def slow():
        for _ in counting(log, 1000):
            time.sleep(0.002)
            yield

    work = steps.run(slow(), pytest.fail, pytest.fail)
    assert wait_until(lambda: log)
    work.cancel()
    work.cancel()
    count = len(log)
    assert work.over
    assert not wait_until(lambda: len(log) > count, 0.05)


def test_the_window_lives_between_the_steps(steps, wait_until, window_lives):
    def slow():
        for _ in range(40):
            time.sleep(0.005)
            yield

    def act():
        done = []
        steps.run(slow(), done.append, pytest.fail)
        assert wait_until(lambda: done)

    window_lives(act)


def test_finish_does_all_at_once(steps):
    assert steps.finish(counting([])) == 3
    with pytest.raises(ValueError, match="x"):
        steps.finish(counting([], error=ValueError("x")))


def test_a_thread_works_while_the_window_lives(steps, wait_until, window_lives):
    def busy(number, more=0):
        time.sleep(0.2)
        return number + more, threading.current_thread() is threading.main_thread()

    done = []

    def act():
        done.clear()
        steps.run(steps.in_thread(busy, 3, more=4), done.append, pytest.fail)
        assert wait_until(lambda: done)

    window_lives(act)
    assert done == [(7, False)]


def test_an_error_in_a_thread_is_raised_where_the_work_is_done(steps):
    def fail():
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        steps.finish(steps.in_thread(fail))
