"""Label Studio beside the rating page: the same pictures, a choice of two by key, submitted by its own key.

It is no dependency: the bench starts the program it is given, in its own folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import APIRequestContext, Browser, FilePayload, Page

from bench.rate.browser import free_port, serving
from store.errors import NaysayerError

SHOWN = ".lsf-image"
SUBMIT = "Control+Enter"
NAME, PASSWORD, TOKEN = "bench@example.org", "only for the bench", "0123456789abcdef" * 2 + "01234567"
CHOICES = """<View><Image name="image" value="$image"/><Choices name="verdict" toName="image">
<Choice value="reject" hotkey="j"/><Choice value="keep" hotkey="k"/></Choices></View>"""
PATIENCE_S = 300
"""It migrates its database at the first start."""


def require(program: Path) -> None:
    """Raises NaysayerError when there is no such program."""
    if not program.is_file():
        raise NaysayerError(
            f"Label Studio's program was not found at {program}; install it into its own environment "
            "(pip install label-studio) and give the path of bin/label-studio"
        )


@contextmanager
def label_studio(program: Path, folder: Path, browser: Browser, pictures: Sequence[bytes]) -> Iterator[str]:
    """The address of a labelling stream with these pictures, one task each; stopped at the end.

    Raises NaysayerError when it does not start or does not take the pictures.
    """
    folder.mkdir()
    (folder / "choices.xml").write_text(CHOICES, encoding="utf-8")
    port = free_port()
    user = ("--username", NAME, "--password", PASSWORD, "--user-token", TOKEN, "--enable-legacy-api-token")
    project = ("bench", "--init", "-l", str(folder / "choices.xml"), "--data-dir", str(folder / "data"))
    command = [str(program), "start", *project, *user, "-p", str(port), "--no-browser"]
    with serving(command, port, {}, health="/health", patience_s=PATIENCE_S) as url:
        context = browser.new_context(extra_http_headers={"Authorization": f"Token {TOKEN}"})
        _import(context.request, url, pictures)
        context.close()
        yield f"{url}/projects/1/data?labeling=1"


def _import(request: APIRequestContext, url: str, pictures: Sequence[bytes]) -> None:
    for number, picture in enumerate(pictures):
        file = FilePayload(name=f"{number:03}.png", mimeType="image/png", buffer=picture)
        answer = request.post(f"{url}/api/projects/1/import", multipart={"file": file})
        if not answer.ok:
            raise NaysayerError(f"Label Studio did not take a picture: it answered {answer.status} {answer.text()}")


def sign_in(page: Page, stream: str) -> None:
    """Signs the page's browser context in at the server of that stream."""
    page.goto(f"{stream.partition('/projects/')[0]}/user/login/")
    page.fill("[name=email]", NAME)
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_load_state("networkidle")
