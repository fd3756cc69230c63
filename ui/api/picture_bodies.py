"""What the operation on picture files takes and gives."""

from pydantic import BaseModel, Field

from feedback.exchange.pictures.outcome import Outcome
from feedback.metadata.found import Status
from feedback.sample.prompts import MAX_CHARACTERS
from ui.api.bodies import Taken

PICTURE_NAME = r"^[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*\.(png|PNG|jpg|JPG|jpeg|JPEG|webp|WEBP)$"


class PictureFile(Taken):
    """What a picture file is called, and what it does not say itself."""

    file: str = Field(max_length=200, pattern=PICTURE_NAME, description="its name, e.g. fox.png")
    dry_run: bool = Field(False, description="only say what the file holds")
    prompt: str = Field("", max_length=MAX_CHARACTERS, description="where the file says none")
    negative_prompt: str = Field("", max_length=MAX_CHARACTERS, description="where the file says none")
    seed: int | None = Field(None, ge=0, lt=2**64, description="where the file says none")
    model: str = Field("", max_length=200, description="where the file says none")


class LoraUsed(BaseModel):
    """A LoRA that had a part in a picture."""

    name: str
    strength: float | None


class ImportedFile(BaseModel):
    """What a picture file says and what became of it, as in `naysayer import pictures --dry-run --json`."""

    file: str
    outcome: Outcome = Field(description="`rated only`: it is rated, and no version is trained on it")
    picture: int | None = Field(description="its number in this store; none while it is not in")
    status: Status = Field(description="how far the file tells what drew it")
    prompt: str | None
    negative_prompt: str
    seed: int | None = Field(description="from 0 to 2**64 - 1")
    tool: str
    base: str = Field(description="sdxl, another base, or unknown")
    why: str = Field(description="why it is refused or only rated; empty for neither")
    model: str
    model_hash: str
    steps: int | None
    sampler: str
    guidance_scale: float | None
    width: int
    height: int
    prompt_2: str
    loras: list[LoraUsed]
    marks: list[str]
