"""`naysayer invite` and `naysayer token`: who gets in, people and programs."""

from typing import TYPE_CHECKING, Annotated

import typer

from store.settings.file import read_settings

if TYPE_CHECKING:
    from store.tables import PersonRole

ROLES = "rater, curator or admin"
tokens = typer.Typer(no_args_is_help=True, help="Tokens, with which programs use the API (docs/operator/api.md).")


def invite(
    name: Annotated[str, typer.Argument(help="The person's name, shown beside the votes.")] = "",
    days: Annotated[float, typer.Option(min=0.01, max=366, help="How many days the link works.")] = 7,
    role: Annotated[str, typer.Option(help=ROLES)] = "rater",
    revoke: Annotated[str, typer.Option(help="Revoke every invitation of this name instead.")] = "",
) -> None:
    """Print a signed link that lets a person in without an account; without a name, list the invitations."""
    from feedback.people.invitations import invite, link_of, list_invitations, revoke_invitations
    from store.existing import open_existing
    from store.migrate import read_store
    from store.phrases import plural
    from ui.words import CLOSED, invitation_table

    settings = read_settings()
    if revoke:
        typer.echo(f"{plural(revoke_invitations(open_existing(settings), revoke), 'invitation')} of {revoke} revoked")
    elif not name:
        typer.echo(invitation_table(list_invitations(read_store(settings))))
    else:
        token = invite(open_existing(settings), name, days=days, secret=settings.secret, role=_role(role))
        typer.echo(link_of(settings, token))
        if settings.sign_in == "name":
            typer.echo(CLOSED, err=True)


@tokens.command("make")
def make_token(
    name: Annotated[str, typer.Argument(help="Under which name the program acts and votes.")],
    role: Annotated[str, typer.Option(help=ROLES)] = "rater",
) -> None:
    """Print a new token, once: the store keeps only its hash. It is good until you revoke it."""
    from feedback.people.tokens import make_token
    from store.existing import open_existing

    known = _role(role)
    typer.echo(make_token(open_existing(read_settings()), name, known))


@tokens.command("list")
def list_tokens() -> None:
    """List the tokens, newest first: number, name, role, when made, last used and revoked."""
    from feedback.people.tokens import list_tokens
    from store.migrate import read_store
    from ui.words import token_table

    typer.echo(token_table(list_tokens(read_store(read_settings()))))


@tokens.command("revoke")
def revoke_token(number: Annotated[int, typer.Argument(help="The token, e.g. 3 (`naysayer token list`).")]) -> None:
    """End a token: the next request with it is refused."""
    from feedback.people.tokens import revoke_token
    from store.existing import open_existing

    typer.echo(f"token {number} of {revoke_token(open_existing(read_settings()), number).name} is revoked")


def _role(word: str) -> "PersonRole":
    from store.errors import BadRequest
    from store.tables import PersonRole

    if word not in list(PersonRole):
        raise BadRequest(f"a role is {ROLES}; {word[:40]!r} was given")
    return PersonRole(word)
