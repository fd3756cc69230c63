import numpy as np
import pytest

from trainer.world.seeing import (
    components,
    distances,
    eroded,
    filled,
    heart,
    middle,
    resampled,
    runs,
    runs_on_arc,
    shifted,
    steady_count,
)


def square(top: int, left: int, side: int) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_pieces_holes_and_arcs_are_counted():
    mask = np.zeros((64, 64), bool)
    mask[10:30, 10:30] = True
    mask[15:20, 15:20] = False
    mask[40:42, 40:42] = True
    assert [piece.sum() for piece in components(mask)] == [375, 4]
    assert filled(mask).sum() == 404
    cross = np.zeros((64, 64), bool)
    cross[30:34, :] = cross[:, 30:34] = True
    assert len(runs_on_arc(cross, (31.5, 31.5), 20)) == 4
    assert len(runs_on_arc(cross, (31.5, 31.5), 20, reach=100)) == 3


def test_distances_are_euclidean():
    assert distances(np.array([[0.0, 0, 0], [3, 4, 0]]), [(0, 0, 0), (3, 4, 12)]) == pytest.approx(
        np.array([[0, 13], [5, 12]])
    )


def test_a_long_winding_piece_is_one_piece():
    mask = np.zeros((64, 64), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    assert len(components(mask)) == 1


def test_small_pieces_are_left_out_when_asked():
    assert len(components(square(2, 2, 2) | square(30, 30, 3), at_least=5)) == 1


def test_a_shift_moves_zeros_in():
    assert np.array_equal(shifted(square(10, 10, 5), (1, 0)), square(11, 10, 5))
    assert shifted(square(0, 0, 64), (0, -1)).sum() == 64 * 63


def test_erosion_takes_the_rim_each_time():
    assert np.array_equal(eroded(square(10, 10, 9), 2), square(12, 12, 5))


def test_the_heart_is_the_thickest_place_and_the_middle_the_mean():
    arm = np.zeros((64, 64), bool)
    arm[19:21, 30:60] = True
    mask = square(10, 10, 20) | arm
    assert heart(mask) == pytest.approx((19.5, 19.5), abs=1)
    assert middle(mask)[1] > 22
    assert heart(mask & False) == middle(mask & False) == (31.5, 31.5)


def test_runs_touch_both_ends_of_the_row():
    assert runs(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [(0, 2), (4, 5), (6, 7)]


def test_spokes_are_counted_where_two_arcs_agree():
    cross = np.zeros((64, 64), bool)
    cross[30:34, :] = cross[:, 30:34] = True
    assert steady_count(cross, (31.5, 31.5), (18, 20, 22)) == 4
    assert steady_count(cross, (31.5, 31.5), (20,)) == 0


def test_a_mask_is_stretched_to_its_bounding_box():
    assert resampled(square(3, 40, 7), 4) == pytest.approx(np.ones((4, 4)))
    half = square(0, 0, 8)
    half[:, 4:] = False
    half[0, 7] = True
    assert resampled(half, 8).sum() == pytest.approx(33)
