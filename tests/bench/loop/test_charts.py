"""The charts of the bench are pictures that show every method."""

from PIL import Image

from bench.loop.charts import plot


def test_the_plot_is_a_picture_and_changes_with_the_record(measured, tmp_path):
    plot(measured, tmp_path / "all.png")
    drawn = measured.worlds["drawn"]
    short = drawn.model_copy(update={"methods": dict(list(drawn.methods.items())[:5])})
    plot(measured.model_copy(update={"worlds": {"drawn": short}}), tmp_path / "few.png")
    plot(measured.model_copy(update={"worlds": {"drawn": drawn, "other": short}}), tmp_path / "both.png")
    with Image.open(tmp_path / "all.png") as all_methods, Image.open(tmp_path / "few.png") as few:
        assert all_methods.size == few.size == (1210, 506)
        assert all_methods.tobytes() != few.tobytes()
    with Image.open(tmp_path / "both.png") as both:
        assert both.size == (1210, 1012)
