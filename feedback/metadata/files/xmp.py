"""XMP: the comment and description that Draw Things, editors and hosts keep in it."""

from xml.etree import ElementTree

from feedback.metadata.files.parts import Parts

WANTED = ("UserComment", "description", "CreatorTool", "parameters", "prompt", "Parameters")
LI = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"


def read_xmp(parts: Parts, text: str) -> None:
    """Adds the texts as `xmp:UserComment` and so on. Text that declares entities is skipped."""
    begin, end = text.find("<x:xmpmeta"), text.rfind(">")
    if "<!ENTITY" in text or "<!DOCTYPE" in text:
        return
    try:
        root = ElementTree.fromstring(text[max(begin, 0) : end + 1])
    except (ElementTree.ParseError, ValueError):
        return
    for element in root.iter():
        name = element.tag.rsplit("}", 1)[-1]
        if name in WANTED:
            item = element.find(f".//{LI}")
            parts.add(f"xmp:{name}", (element if item is None else item).text or "")
        for attribute, value in element.attrib.items():
            if (name := attribute.rsplit("}", 1)[-1]) in WANTED:
                parts.add(f"xmp:{name}", value)
