"""Every error of Naysayer: what was found, what was needed, what to do, in one sentence.

NaysayerError
├── StoreError               the database or the blob folder cannot be used as it is
│   ├── NewerStore           written by a newer Naysayer
│   ├── DamagedStore         integrity check failed, or a blob does not match its hash
│   ├── OtherStore           the folders of pictures or versions belong to another database
│   ├── NoBucket             the bucket does not answer, refuses access, or is not there
│   ├── MovedStore           the data folder was moved, replaced or deleted while a program used it
│   ├── DamagedVersion       the file of a version is missing or altered
│   └── OtherBase            the store was started with another base model
├── InputError               something a person or a file gave
│   ├── UnknownImage         a vote on an image that this rater was never shown
│   ├── UnknownVersion       no such version
│   ├── RequestConflict      a request id used again for something else
│   ├── BadLora              a LoRA file that cannot be imported
│   ├── NotInstalled         a setting needs a package that is missing
│   └── BadRequest           a malformed value
├── ModelError               the base model cannot be loaded or cannot be steered
├── RetrainError             a retrain did not end in a version
│   ├── TooFewRejects
│   ├── NonFiniteLoss
│   ├── OutOfMemory          one picture a pass does not fit
│   ├── BadExport            the written file does not reload to the same network
│   └── Interrupted          stopped by a signal after saving a checkpoint
├── NotSignedIn              somebody without a good invitation or account, or a program without a good token
├── NotAllowed               somebody whose role does not include this, or a paused rater
└── Busy                     somebody else holds the lock; try again later (exit code 75)
    ├── TooFast              votes come faster than a person can judge; none is lost
    └── Stopped              a signal stopped `naysayer draw`; the next call goes on

Each docstring says when the error is raised and, in its second paragraph, what to do; docs/reference/errors.md is made
from them. Caught only at the two edges: the command line prints the sentence and exits, the pages show it.
"""

from store.phrases import plural


class NaysayerError(Exception):
    """The root of the tree; its text is written for the person at the screen.

    Read the sentence.
    """


class StoreError(NaysayerError):
    """The database or the data folder cannot be used as it is.

    Run `naysayer doctor`.
    """


class NewerStore(StoreError):
    """A newer Naysayer wrote this store.

    Upgrade, or restore a backup that this version made.
    """


class DamagedStore(StoreError):
    """An integrity check failed, or a file no longer has the content it was stored with.

    Run `naysayer restore FILE` into another data folder.
    """


class OtherStore(StoreError):
    """The folder of pictures or of versions, or the bucket, belongs to another store than the database.

    Set `NAYSAYER_DATA_DIR`, `NAYSAYER_BLOBS` and `NAYSAYER_STORE_URL` to those of one store.
    """

    def __init__(self, folder: object, database: object) -> None:
        super().__init__(
            f"{folder} belongs to another store than the database {database}, and nothing was changed; set "
            "NAYSAYER_DATA_DIR and NAYSAYER_STORE_URL, and NAYSAYER_BLOBS for a bucket, to those of one store"
        )


class NoBucket(StoreError):
    """The bucket (`NAYSAYER_BLOBS`) does not answer, refuses access, or is not there.

    Wait where it does not answer: nothing is lost, and workers go on by themselves. Else do what the sentence says.
    """


class MovedStore(StoreError):
    """The data folder was moved, replaced or deleted while a program used it.

    Put the folder back, or set `NAYSAYER_DATA_DIR` to its new place, then start the program again.
    """

    def __init__(self, file: object) -> None:
        super().__init__(
            f"{file} was moved, replaced or deleted while this program used it, so nothing more is written; put the "
            "folder back or set NAYSAYER_DATA_DIR to its new place, then start again"
        )


class DamagedVersion(StoreError):
    """A version's LoRA file is missing or altered, so nothing is drawn with it; the plain base draws instead.

    Run `naysayer restore FILE` into another data folder, or make another version the champion.
    """

    def __init__(self, number: int, path: object, what: str) -> None:
        super().__init__(
            f"v{number} is damaged: {path} {what}; the plain base draws in its place; restore the file from a backup "
            "(`naysayer restore`), or roll back or promote another version"
        )


class OtherBase(StoreError):
    """The store was started with another base model.

    Set back what the sentence names, or use another `NAYSAYER_DATA_DIR`.
    """

    def __init__(self, found: str, needed: str, difference: str) -> None:
        named = "and the settings name the same" if found == needed else f"but the settings name {needed}"
        super().__init__(
            f"this store was begun with the base model {found}, {named}: {difference}; set NAYSAYER_MODEL "
            "(or its variant, revision, VAE, refiner or prediction type) back, or give the new model its own store with"
            " NAYSAYER_DATA_DIR"
        )


class InputError(NaysayerError):
    """Something that a person or a file gave is wrong.

    Correct it as the sentence says.
    """


class UnknownImage(InputError):
    """The vote is on a picture that this rater was never shown.

    Reload the page.
    """


class UnknownVersion(InputError):
    """There is no such version.

    Run `naysayer versions`.
    """

    def __init__(self, number: int, known: int) -> None:
        super().__init__(f"there is no version {number}; the newest is v{known} (see `naysayer versions`)")


class RequestConflict(InputError):
    """The request id of a vote was used for another vote.

    Reload the page.
    """


class NotInstalled(InputError):
    """A setting needs a package that is not installed.

    Install it as the sentence says.
    """

    def __init__(self, setting: str, value: str, package: str) -> None:
        super().__init__(
            f"{setting} is {value}, which needs the package {package}, and it is not installed; "
            f"install it with `.venv/bin/pip install -c constraints.txt {package}`, or choose another value"
        )


class BadRequest(InputError):
    """A value is malformed, or there is nothing to do.

    Correct it as the sentence says.
    """


class BadLora(InputError):
    """`naysayer import lora` was given a damaged file, one for another base, or a kind it cannot read.

    Get the file again, as `.safetensors` for SDXL.
    """

    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path} was not imported: {why}; nothing was changed")


class ModelError(NaysayerError):
    """The base model cannot be loaded, or it has no negative half to steer.

    Check `NAYSAYER_MODEL`.
    """


class RetrainError(NaysayerError):
    """A retrain ended without a version.

    Read the sentence.
    """


class TooFewRejects(RetrainError):
    """The pool is too small to train on.

    Collect more votes.
    """

    def __init__(self, found: int, needed: int, lost: int = 0) -> None:
        remedy = "collect more votes" if needed <= 1 else "collect more votes or lower NAYSAYER_RETRAIN_AFTER"
        if lost:
            remedy = (
                f"{plural(lost, 'rated picture')} left out, because the file is lost; restore a backup with "
                "`naysayer restore FILE` into another NAYSAYER_DATA_DIR, or collect more votes"
            )
        super().__init__(f"{plural(found, 'reject')} in the pool, {needed} needed; {remedy}")
        self.found, self.needed = found, needed


class NonFiniteLoss(RetrainError):
    """The loss became NaN or infinite; nothing was published.

    Lower `NAYSAYER_LEARNING_RATE`, or set `NAYSAYER_DTYPE=fp32`.
    """

    def __init__(self, step: int, value: float, what: str = "loss") -> None:
        super().__init__(
            f"the {what} became {value} at step {step}, a finite number was needed; no version was made; "
            "lower NAYSAYER_LEARNING_RATE or use NAYSAYER_DTYPE=fp32"
        )
        self.step = step


class OutOfMemory(RetrainError):
    """Not even a forward pass of one latent fits in memory; nothing was published.

    Lower what the sentence names, the mildest first.
    """

    def __init__(self, what: str, advice: list[str]) -> None:
        super().__init__(
            f"out of memory ({what}); no version was made; to use less, mildest first: "
            f"{'; '.join(advice)}; the next `naysayer retrain` resumes from the last checkpoint if that still fits"
        )


class BadExport(RetrainError):
    """A written file, reloaded, is not the trained LoRA; nothing was published.

    Check the library versions with `naysayer doctor`.
    """


class Interrupted(RetrainError):
    """A signal stopped the retrain after it saved what a fit had learnt (exit code 75).

    Run `naysayer retrain` again.
    """

    def __init__(self, where: str, *, has_begun: bool = True) -> None:
        then = "resumes from what was saved" if has_begun else "starts from scratch, once it is due"
        super().__init__(f"stopped {where}; the next `naysayer retrain` {then}")


class NotSignedIn(NaysayerError):
    """A request from another machine has no valid invitation or account, or a program's request no valid token.

    Open the invitation link again, or sign in; make a token with `naysayer token make`.
    """


class NotAllowed(NaysayerError):
    """A person asked for what the role does not include, or a paused rater for pictures.

    Ask an admin for the role, or to be resumed, on the page Raters.
    """


class Busy(NaysayerError):
    """Another process holds the lock (exit code 75).

    Try again later.
    """


class Stopped(Busy):
    """A signal stopped `naysayer draw` or `naysayer sort` (exit code 75).

    Run the same command again.
    """

    def __init__(self, drawn: int, wanted: int) -> None:
        super().__init__(f"stopped after {drawn} of {plural(wanted, 'picture')}; the same command goes on from there")


class TooFast(Busy):
    """Votes under one name came faster than a person can judge; the page keeps them and sends them later.

    Wait: the answer says how long.
    """

    def __init__(self, rater: str, retry_s: int) -> None:
        super().__init__(
            f"the votes of {rater[:80]} come faster than a person can judge; none is lost, try in {retry_s} s"
        )
        self.retry_s = retry_s
