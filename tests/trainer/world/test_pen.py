from math import hypot

import numpy as np
import pytest

from trainer.world.pen import SIZE, ZOOM, Pen, Pose, box, capsule, ellipse, jitter

RED, WHITE = (222, 66, 70), (255, 255, 255)


def size_of(points) -> tuple[float, float]:
    xs, ys = zip(*points, strict=True)
    return max(xs) - min(xs), max(ys) - min(ys)


def test_a_plain_pose_only_enlarges():
    assert Pose().place([(0, 0), (10, 20)]) == [(0, 0), (10 * ZOOM, 20 * ZOOM)]


def test_a_pose_shifts_scales_and_turns_about_the_middle():
    assert Pose(1, 2).place([(10, 10)]) == [(11 * ZOOM, 12 * ZOOM)]
    middle, right = Pose(scale=2, turn=90).place([(32, 32), (42, 32)])
    assert middle == (32 * ZOOM, 32 * ZOOM)
    assert right == pytest.approx((32 * ZOOM, 52 * ZOOM))


def test_a_random_pose_is_slight():
    rng = np.random.default_rng(0)
    for pose in [jitter(rng, turn=3) for _ in range(200)]:
        assert max(abs(pose.dx), abs(pose.dy)) <= 1.5
        assert 0.95 <= pose.scale <= 1.04 and abs(pose.turn) <= 3


def test_an_ellipse_has_its_radii_and_turns_clockwise():
    assert size_of(ellipse(32, 32, 10, 5)) == pytest.approx((20, 10))
    assert size_of(ellipse(32, 32, 10, 5, 90)) == pytest.approx((10, 20))
    x, y = ellipse(0, 0, 10, 5, 30)[0]
    assert x > 0 and y > 0  # down is positive


def test_a_box_has_round_corners_when_asked():
    assert box(1, 2, 5, 9) == [(1, 2), (5, 2), (5, 9), (1, 9)]
    rounded = box(10, 10, 30, 20, 4)
    assert size_of(rounded) == pytest.approx((20, 10))
    assert min(hypot(x - 10, y - 10) for x, y in rounded) == pytest.approx(4 * (2**0.5 - 1), abs=0.2)


def test_a_capsule_points_up_at_angle_zero_and_right_at_ninety():
    up, right = (capsule((32, 32), angle, 4, 20, 6) for angle in (0, 90))
    assert size_of(up) == pytest.approx((6, 16), abs=0.1) and min(y for _, y in up) == pytest.approx(12, abs=0.1)
    assert size_of(right) == pytest.approx((16, 6), abs=0.1) and max(x for x, _ in right) == pytest.approx(52, abs=0.1)


def test_a_filled_shape_has_its_colour_inside_and_one_outline():
    pen = Pen(Pose())
    pen.fill([box(16, 16, 34, 48), box(30, 16, 48, 48)], RED, line=2)
    sheet = np.asarray(pen.sheet)[ZOOM // 2 :: ZOOM, ZOOM // 2 :: ZOOM]
    assert {tuple(sheet[32, x]) for x in (20, 32, 40)} == {(*RED, 255)}  # no line where the two meet
    assert sheet[32, 14, 3] == 255 and tuple(sheet[32, 14, :3]) != RED
    assert sheet[32, 10, 3] == 0


def test_a_stroke_has_round_ends():
    pen = Pen(Pose())
    pen.stroke([(20, 32), (44, 32)], RED, 6)
    alpha = np.asarray(pen.sheet)[..., 3]
    assert alpha[32 * ZOOM, round(17.5 * ZOOM)] == 255  # beyond the end
    assert alpha[round(29.5 * ZOOM), round(17.5 * ZOOM)] == 0  # its corner


def test_the_background_shows_around_the_subject_with_a_shadow_below():
    pen = Pen(Pose())
    pen.fill([box(24, 24, 40, 40)], RED, line=0)
    pixels = np.asarray(pen.on(WHITE), int)
    assert pixels.shape == (SIZE, SIZE, 3)
    assert tuple(pixels[2, 2]) == WHITE
    assert pixels[41, 32].sum() < pixels[22, 32].sum()
    assert pixels[25, 32].sum() > pixels[38, 32].sum()  # lit from above
