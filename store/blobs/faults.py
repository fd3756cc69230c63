"""Why a bucket cannot be used, in words: what the person at the screen can do about it."""

import re

MARK = "store.id"
"""The object that says to which store a bucket belongs."""
CONFLICT = "status code: 409"
"""What is answered while others write the same object."""
NO_ANSWER = "does not answer"
NO_KEYS = (
    "cannot be asked without credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "GOOGLE_APPLICATION_CREDENTIALS, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
)
REASONS = (
    (r"NoSuchBucket|ContainerNotFound|specified bucket does not exist", "does not exist; make it, or check its name"),
    (r"BadScheme|builder error", "is at an http:// endpoint; set AWS_ALLOW_HTTP=true if that is meant"),
    (r"configured region|PermanentRedirect|AuthorizationHeaderMalformed", "is in another region; set AWS_REGION"),
    (r"/latest/|computeMetadata", NO_KEYS),
    (
        r"code: 40[13]|Unauthorized|Forbidden|AccessDenied",
        "refuses access; check the keys, and that they may read, write, list and delete there",
    ),
    (r"must be specified|redential|oauth2", NO_KEYS),
)
"""What obstore's sentences hold, and what they mean; the first that fits."""


class Forked(Exception):
    """The threads of obstore do not survive a fork: a child would wait for them for ever."""


class NotMounted(Exception):
    """The folder of a `file:` URL is not the one that was marked."""


def why_not(error: Exception) -> str:
    """Why a bucket cannot be used, as the end of a sentence; empty for what is no fault of the bucket."""
    from obstore.exceptions import BaseError

    if isinstance(error, Forked):
        return "cannot be used in a forked process; start it with spawn, or as a separate program"
    if isinstance(error, NotMounted):
        return f"is not there: its folder has no file {MARK}; mount it again"
    if isinstance(error, BaseError | OSError):
        said = " ".join(str(error).split())
        known = next((reason for pattern, reason in REASONS if re.search(pattern, said)), "")
        return known or ("" if _is_answer(error, said) else _unknown(said))
    return ""


def _is_answer(error: Exception, said: str) -> bool:
    """Whether the bucket answered: there is no such object, or there is one already."""
    from obstore.exceptions import AlreadyExistsError

    return isinstance(error, FileNotFoundError | AlreadyExistsError) and CONFLICT not in said


def _unknown(said: str) -> str:
    status = re.search(r"status code: (\d{3} [A-Za-z ]+)", said)
    short = status[1].strip() if status else said.split(" Debug source")[0].rpartition(" - ")[2][:120]
    return f"{NO_ANSWER} ({short})"
