"""run.config, run.summary and run.tags: small facts of a run, kept as text by the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable, Iterator, Optional

from waterflow import notices

MAX_KEY_BYTES = 256
MAX_VALUE_BYTES = 8192


def text_of(value: Any) -> str:
    """Text stays as it is; all else becomes JSON, or what str() makes of it."""
    if isinstance(value, str):
        return value
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()
    try:
        return json.dumps(value, default=str)
    except (TypeError, ValueError):  # keys that JSON does not have, circles
        return str(value)


def flat_texts(content: Any, prefix: str = "") -> dict[str, str]:
    """{"a": {"b": 1}} as {"a.b": "1"}, without what the server would not take."""
    texts: dict[str, str] = {}
    for key, value in plain_dict(content).items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            texts.update(flat_texts(value, name + "."))
            continue
        text = text_of(value).encode("utf-8", "replace").decode()
        size, most = len(text.encode()), MAX_VALUE_BYTES
        if not 1 <= len(name.encode("utf-8", "replace")) <= MAX_KEY_BYTES or not name.isprintable():
            notices.warn_once(name, f"key {name[:100]!r} is left out: 1 to 256 printable bytes")
        elif size > most:
            notices.warn_once(name, f"{name!r} is left out: its value has {size} bytes of {most}")
        else:
            texts[name] = text
    return texts


def plain_dict(content: Any) -> dict[Any, Any]:
    """Of a mapping, an argparse.Namespace, a dataclass or None."""
    if content is None:
        return {}
    if isinstance(content, Mapping):
        return dict(content)
    if hasattr(content, "__dataclass_fields__"):
        import dataclasses  # here, for it is slow to import

        return dataclasses.asdict(content)
    if hasattr(content, "__dict__"):
        return dict(vars(content))
    raise ValueError(f"config is {type(content).__name__}, a dict, Namespace or dataclass expected")


class Facts(Mapping[str, Any]):
    """A dict whose items are attributes, too. What is set is told to `tell`."""

    def __init__(self, content: Any, tell: Callable[[dict[str, Any]], None]) -> None:
        object.__setattr__(self, "_items", plain_dict(content))
        object.__setattr__(self, "_tell", tell)

    def update(self, content: Optional[Any] = None, **more: Any) -> None:
        try:
            new = {**plain_dict(content), **more}
        except ValueError as error:
            notices.warn_once("update", str(error))
            return
        self._items.update(new)
        self._tell(new)

    def setdefaults(self, content: Any) -> None:
        self.update({k: v for k, v in plain_dict(content).items() if k not in self._items})

    def as_dict(self) -> dict[str, Any]:
        return dict(self._items)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.update({key: value})

    def __getattr__(self, name: str) -> Any:
        try:
            return self._items[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)


def tags_of(tags: Any) -> dict[str, str]:
    """Of ["a", "b"], {"a": "1"}, "a,b" or None."""
    if isinstance(tags, str):
        tags = [tag for tag in tags.split(",") if tag]
    if isinstance(tags, Mapping):
        return flat_texts(tags)
    return flat_texts({str(tag): "" for tag in tags or ()})
