"""An exported folder on the Hub, as a private dataset."""

from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError, HTTPError
from huggingface_hub.utils import validate_repo_id

from store.errors import BadRequest


def require_hub(repo: str) -> None:
    """Raises BadRequest where nothing can be pushed to OWNER/NAME: before anything is written."""
    try:
        validate_repo_id(repo)
    except HFValidationError:
        repo = ""
    if repo.count("/") != 1:
        raise BadRequest("--hub is OWNER/NAME, e.g. ann/rated-pictures; nothing was written")
    if get_token() is None:
        raise BadRequest("no token of the Hub is known here; run `hf auth login`, or set HF_TOKEN; nothing was written")


def is_exported(folder: Path) -> bool:
    """Whether a folder is an export that is whole."""
    return all((folder / name).is_file() for name in ("README.md", "votes.jsonl", "train/metadata.jsonl"))


def push(folder: Path, repo: str) -> str:
    """The address of the dataset that holds the folder now; it is made where it is missing, private.

    Files that are there already are not sent again. Raises BadRequest when the Hub refuses or cannot be reached.
    """
    api = HfApi()
    try:
        address = api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(
            repo_id=repo, repo_type="dataset", folder_path=folder, commit_message="Pictures rated with Naysayer"
        )
    except (HTTPError, OSError, RuntimeError) as error:
        raise BadRequest(
            f"{repo} was not written on the Hub ({' '.join(str(error).split())[:200]}); the folder {folder} is whole; "
            "run the same command again to go on"
        ) from error
    return str(address)
