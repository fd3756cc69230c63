"""Why a file is not read."""


class Refused(Exception):
    """The file is no picture that can be used; `why` is one sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
