"""Settings of where the files are that every machine of a store sees."""

from pydantic import BaseModel, Field, field_validator

from store.settings import checks


class SharedSettings(BaseModel):
    """A bucket for pictures and versions, and the cache of each machine."""

    blobs: str = Field(
        "",
        description="bucket for pictures, versions and checkpoints: `s3://`, `gs://`, `az://` or `file://` and a name; "
        "empty: the data folder",
    )
    cache_gib: float = Field(
        20.0, gt=0, le=1_000_000, description="most that is kept of the bucket's pictures on this machine, in GiB"
    )

    _is_bucket = field_validator("blobs")(checks.check_bucket_url)


OF_EACH_MACHINE = tuple(SharedSettings.model_fields)
