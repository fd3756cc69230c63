from feedback.rate.terms import Mix, Terms
from store.settings import Settings


def test_the_terms_are_those_of_the_settings() -> None:
    settings = Settings(
        overlap=3, lease_s=60, control_share=0.1, repeat_share=0.2, look_again_share=0.3, _env_file=None
    )
    assert Terms.of(settings) == Terms(3, 60, Mix(controls=0.1, repeats=0.2, looks=0.3))


def test_without_settings_one_rater_judges_each_picture_and_nothing_is_mixed_in() -> None:
    assert Terms() == Terms(overlap=1, lease_s=600, mix=Mix(0.0, 0.0, 0.0))
