"""What a file is that was given for a safetensors file, told by its first bytes."""

from pathlib import Path

HEAD_BYTES = 2048
PICKLES = (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
PICKLE_ENDINGS = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def mistaken_kind(path: Path) -> str:
    """What the file is instead of a safetensors file, and what to do; empty when it may be one.

    A safetensors file begins with eight bytes for a number below 2**32, so it never begins with text.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if b"\x00" in head[:8] and not head.startswith(PICKLES):
        return ""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(PICKLES) or path.suffix.lower() in PICKLE_ENDINGS:
        return "it is a pickle (.bin, .pt, .ckpt), which can run code when opened; only .safetensors is read"
    if text.startswith(b"version https://git-lfs"):
        return "it is a git-lfs pointer and not the file itself; fetch the file with `git lfs pull`"
    if text[:256].lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml")):
        return "it is a web page, perhaps a login page, and not the file; sign in there and download it again"
    if text.startswith((b"{", b"[")):
        start = " ".join(text[:80].decode(errors="replace").split())
        return f"it is a JSON text ({start}…), perhaps a server's error, and not the file; download it again"
    if len(head) >= 8 and head.isascii():
        return "it is a text, not the file; download it again"
    return ""
