from ui.dashboard.disk import disk_words


def test_the_sizes_are_those_of_the_store_and_kept_for_a_minute(settings, engine, draw):
    draw(3)
    words = disk_words(engine, settings, images=3)
    assert words.startswith("Disk: database ")
    assert all(part in words for part in ("pictures and latents about ", "versions 0 Bytes; ", " free"))
    assert disk_words(engine, settings, images=3_000_000) == words
