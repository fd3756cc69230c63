"""The charts of the bench are pictures that show every method."""

from PIL import Image

from bench.loop.charts import plot


def test_the_plot_is_a_picture_with_a_row_for_every_world_and_a_line_for_every_method(measured, tmp_path):
    drawn = measured.worlds["drawn"]
    short = drawn.model_copy(update={"methods": dict(list(drawn.methods.items())[:5])})
    sizes, seen = {}, set()
    for name, worlds in {
        "few": {"drawn": short},
        "all": {"drawn": drawn},
        "two": {"drawn": short, "other": short},
    }.items():
        plot(measured.model_copy(update={"worlds": worlds}), tmp_path / f"{name}.png")
        with Image.open(tmp_path / f"{name}.png") as picture:
            sizes[name] = picture.size
            seen.add(picture.tobytes())
    assert len(seen) == 3
    assert sizes["few"] == (1210, 506)
    assert sizes["all"][1] > 506, "a line for every method"
    assert sizes["two"] == (1210, 1012), "a row for every world"
