"""The office's clock: calls and SimPy's events are one queue."""

from twin.collection.clock import Clock


def test_calls_and_events_of_one_moment_come_in_the_order_in_which_they_were_planned():
    clock, told = Clock(), []

    def tell(text):
        told.append((clock.now, text))

    clock.call(5, tell, "planned first")
    clock.timeout(5).callbacks.append(lambda _: tell("an event"))
    clock.call(5, tell, "planned third")
    clock.call(3, tell, "earlier")
    clock.run_until(5)
    assert told == [(3, "earlier")]  # what is planned for the end is still to come
    assert clock.now == 5
    clock.run_until(6)
    assert [text for _, text in told[1:]] == ["planned first", "an event", "planned third"]
    assert {t_ns for t_ns, _ in told[1:]} == {5}


def test_a_call_may_plan_another_and_wake_a_process():
    clock, told = Clock(), []
    bell = clock.event()

    def sleeper():
        yield bell
        told.append(("woken", clock.now))
        yield clock.timeout(10)
        told.append(("done", clock.now))

    clock.process(sleeper())
    clock.call(7, lambda: clock.call(0, bell.succeed))
    clock.run_until(18)
    assert told == [("woken", 7), ("done", 17)]
