"""Roles of docstrings (``:meth:`mask```) as code, which is what Markdown has for them: an extension of mkdocstrings."""

import re
from typing import Any

from griffe import Extension, Object

ROLE = re.compile(r":\w+:`~?([^`]+)`")


class Roles(Extension):
    """Rewrites each docstring when its object has been read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(lambda role: f"`{shortened(role[1])}`", obj.docstring.value)


def shortened(name: str) -> str:
    """A full name of ours as a reader writes it: ``suffixindex.open`` as ``si.open``."""
    return re.sub(r"^suffixindex\.(?=\w+$)", "si.", name)
