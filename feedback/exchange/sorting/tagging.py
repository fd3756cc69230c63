"""Marks a flagged picture as rejected for programs that manage pictures: an XMP file beside it.

`xmp:Rating` -1 means rejected (XMP specification, part 2, section 8.4); digiKam and darktable read `NAME.png.xmp`.
"""

from collections.abc import Callable
from pathlib import Path

from feedback.exchange.sorting.table import Row
from store.files import write_file

OURS = 'xmp:CreatorTool="Naysayer"'
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 {OURS} xmp:Rating="-1"><dc:subject><rdf:Bag><rdf:li>naysayer: looks rejected</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>
"""


def tag(folder: Path, row: Row, say: Callable[[str], None]) -> bool:
    """Whether the picture is tagged now. An XMP file of another program stays as it is, and `say` is told."""
    path = folder / row.entry.name
    beside = path.with_name(path.name + ".xmp")
    try:
        found = path.stat()
        if row.entry.stamp != f"{found.st_size} {found.st_mtime_ns}":
            say(f"{row.entry.name} is not tagged: it changed since it was scored")
            return False
        if beside.exists() and OURS not in beside.read_text(encoding="utf-8", errors="replace"):
            say(f"{row.entry.name} is not tagged: {beside.name} is another program's")
            return False
        write_file(beside, XMP.encode())
    except OSError as error:
        say(f"{row.entry.name} is not tagged: {error.strerror or error}")
        return False
    return True
