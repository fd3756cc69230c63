"""What raters are told of the next retrain."""

from statistics import mean

from ui.rate.gauge import DAY_S, LEAST_STEP, RENEW_S, Gauge


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_count_moves_once_a_minute_whoever_asks_and_however_often(settings):
    clock, counts = Clock(), iter(range(100))
    gauge = Gauge(settings, clock)
    told = set()
    for _ in range(50):
        told.add(gauge.read(lambda: next(counts)))
        clock.now += RENEW_S / 50
    assert len(told) == 1
    assert next(counts) == 1, "the store was asked once"


def test_the_count_is_right_on_average_and_one_reject_hardly_moves_it(settings):
    wanted = settings.model_copy(update={"retrain_after": 1000})
    clock = Clock()

    def told(count: int) -> list[int]:
        found = []
        for day in range(2000):
            clock.now = float(day * DAY_S)
            found.append(Gauge(wanted, clock).read(lambda: count))
        return found

    one, other = told(333), told(334)
    assert abs(mean(one) - 333) < 10
    assert {value % 200 for value in one} == {0}
    assert sum(a != b for a, b in zip(one, other, strict=True)) < 2000 / LEAST_STEP


def test_the_count_does_not_fall_and_rise_by_chance_but_falls_after_a_retrain(settings):
    clock = Clock()
    gauge = Gauge(settings, clock)

    def told(count: int) -> int:
        clock.now += DAY_S
        return gauge.read(lambda: count)

    rising = [told(count // 4) for count in range(160)]
    assert rising == sorted(rising)
    taken_back = told(rising[-1] - 1)
    assert taken_back == rising[-1]
    assert told(0) == 0


def test_no_more_is_told_than_is_needed(settings):
    assert Gauge(settings, Clock()).read(lambda: 10_000) == 40
