import pytest
from pydantic import ValidationError

from store.settings import Settings


def test_noise_levels_with_guidance_have_a_lower_and_an_upper_end():
    with pytest.raises(ValidationError, match="not below NAYSAYER_GUIDANCE_SIGMA_MAX"):
        Settings(guidance_sigma_min=0.5, guidance_sigma_max=0.3)
    assert Settings(guidance_sigma_min=0.28).guidance_interval == "sigma 0.28 and up"
    assert Settings().guidance_interval is None
