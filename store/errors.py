"""Every error of Naysayer: what was found, what was needed, what to do, in one sentence.

NaysayerError
├── StoreError               the database or the blob folder cannot be used as it is
│   ├── NewerStore           written by a newer Naysayer
│   ├── DamagedStore         integrity check failed, or a blob does not match its hash
│   └── OtherBase            the store was begun with another base model
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
├── NotSignedIn              somebody beyond this machine without a good invitation or account
└── Busy                     somebody else holds the lock; try again later (exit code 75)

Caught at the two edges only: the command line prints the sentence and exits, the pages show it.
"""


class NaysayerError(Exception):
    """Root of the tree; its text is meant for the person at the screen."""


class StoreError(NaysayerError):
    pass


class NewerStore(StoreError):
    pass


class DamagedStore(StoreError):
    pass


class OtherBase(StoreError):
    def __init__(self, found: str, needed: str) -> None:
        super().__init__(
            f"this store was begun with the base model {found}, the settings name {needed}; "
            "set NAYSAYER_MODEL back or give the new model a store of its own with NAYSAYER_DATA_DIR"
        )


class InputError(NaysayerError):
    pass


class UnknownImage(InputError):
    pass


class UnknownVersion(InputError):
    def __init__(self, number: int, known: int) -> None:
        super().__init__(f"there is no version {number}; the newest is v{known} (see `naysayer versions`)")


class RequestConflict(InputError):
    pass


class NotInstalled(InputError):
    def __init__(self, setting: str, value: str, package: str) -> None:
        super().__init__(
            f"{setting} is {value}, which needs the package {package}, and it is not installed; "
            f"install it with `.venv/bin/pip install -c constraints.txt {package}`, or choose another value"
        )


class BadRequest(InputError):
    pass


class BadLora(InputError):
    def __init__(self, path: object, why: str) -> None:
        super().__init__(f"{path} was not imported: {why}; nothing was changed")


class ModelError(NaysayerError):
    pass


class RetrainError(NaysayerError):
    pass


class TooFewRejects(RetrainError):
    def __init__(self, found: int, needed: int) -> None:
        super().__init__(
            f"{found} rejects in the pool, {needed} needed; collect more votes or lower NAYSAYER_RETRAIN_AFTER"
        )
        self.found, self.needed = found, needed


class NonFiniteLoss(RetrainError):
    def __init__(self, step: int, value: float, what: str = "loss") -> None:
        super().__init__(
            f"the {what} became {value} at step {step}, a finite number was needed; no version was made; "
            "lower NAYSAYER_LEARNING_RATE or use NAYSAYER_DTYPE=fp32"
        )
        self.step = step


class OutOfMemory(RetrainError):
    def __init__(self, what: str, advice: list[str]) -> None:
        super().__init__(
            f"out of memory ({what}); no version was made; what makes it smaller, the mildest first: "
            f"{'; '.join(advice)}; the next `naysayer retrain` goes on from the last checkpoint where that still fits"
        )


class BadExport(RetrainError):
    pass


class Interrupted(RetrainError):
    def __init__(self, step: int, steps: int) -> None:
        super().__init__(
            f"stopped at step {step} of {steps}; the next `naysayer retrain` goes on from the saved checkpoint"
        )


class NotSignedIn(NaysayerError):
    pass


class Busy(NaysayerError):
    pass
