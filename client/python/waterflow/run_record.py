"""What is known of a run besides its rows, and what its user says of it."""

from __future__ import annotations

import time as clock
from typing import Any, Optional

from waterflow import facts, notices
from waterflow.spool_thinned import read_thinned
from waterflow.spool_writer import SpoolWriter
from waterflow.stop_request import reason_in

GOALS = {"minimize": 1, "min": 1, "maximize": 2, "max": 2}
REDUCTIONS = {"mean": 1, "sum": 2, "min": 3, "max": 4}
MAX_ALERTS = 100


class RunRecord:
    """The part of a Run that does not log."""

    def __init__(self, spec: dict[str, Any], root: str, strict: bool, writer: SpoolWriter,
                 config: Any) -> None:  # fmt: skip
        self._spec = spec
        self._root = root
        self._strict = strict
        self._writer = writer
        self._is_finished = False
        self._thinned: dict[str, int] = {}
        self._stop_reason: Optional[str] = None
        self._stop_look_at = 0.0
        self._alerts: set[str] = set()
        self.config = facts.Facts(config, self._tell_config)
        """Settings. A param keeps its first value on the server."""
        self.summary = facts.Facts(None, self._tell_summary)
        """What remains to be said of the run, such as its best value."""

    @property
    def id(self) -> str:
        """32 hexadecimal digits. All ranks of a launch have the same."""
        return str(self._spec["run_id"])

    @property
    def name(self) -> Optional[str]:
        return self._spec["name"]  # type: ignore[no-any-return]

    @property
    def project(self) -> str:
        return str(self._spec["project"])

    @property
    def rank(self) -> int:
        return int(self._spec["rank"])

    @property
    def world_size(self) -> int:
        """0 if the launcher does not say."""
        return int(self._spec["world_size"])

    @property
    def is_finished(self) -> bool:
        return self._is_finished

    @property
    def url(self) -> str:
        return f"waterflow://{self._spec['server']}/runs/{self.id}"

    @property
    def dir(self) -> str:
        """The folder that the spool lies in; `waterflow-sync` takes it."""
        return self._root

    @property
    def lost_rows(self) -> int:
        """Rows of this process that the disk did not take."""
        return self._writer.lost

    @property
    def thinned_rows(self) -> int:
        """Rows of this process that waited for the server until the spool was full, and of which
        only a part is kept."""
        for folder in self._writer.folders:
            self._thinned[folder] = max(read_thinned(folder).rows, self._thinned.get(folder, 0))
        return sum(self._thinned.values())

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._spec["tags"])

    @tags.setter
    def tags(self, tags: Any) -> None:
        new = facts.tags_of(tags)
        self._spec["tags"].update(new)
        self._tell({"tags": new})

    @property
    def should_stop(self) -> bool:
        """Whether somebody has asked the run to stop, by Client.stop(). The sender hears of it
        within ten seconds; this costs a look at a file, once a second at most. A training loop
        that wants to be stopped looks at it."""
        now = clock.monotonic()
        if self._stop_reason is None and now > self._stop_look_at:
            self._stop_look_at = now + 1
            for folder in self._writer.folders:
                reason = reason_in(folder, self._spec["start_ns"])
                if reason is not None:
                    self._stop_reason = reason
                    notices.warn_once("stop", f"run {self.id} is asked to stop: {reason}")
        return self._stop_reason is not None

    def alert(self, title: str, text: str = "", level: Any = "INFO", **_: Any) -> None:
        """Says something on stderr and leaves it as a tag of the run, `alert.TITLE`, which
        searches find; nobody is called. The last one of a title stays. Of more than 100 titles
        the others are only said."""
        notices.say(f"alert: {level}: {title}: {text}")
        if title in self._alerts or len(self._alerts) < MAX_ALERTS:
            self._alerts.add(title)
            self._tell({"tags": facts.flat_texts({f"alert.{title}": f"{level}: {text}"})})

    def define_metric(
        self,
        name: str,
        step_metric: Optional[str] = None,
        goal: Optional[str] = None,
        reduce: Optional[str] = None,
        unit: Optional[str] = None,
        **_: Any,
    ) -> None:
        """Says what is known of a metric, or of all that a pattern such as "val/*" matches.
        `goal`: "minimize" or "maximize". `reduce`: how the values of several ranks become one,
        "mean", "sum", "min" or "max". What a run was told first stays."""
        try:
            known: dict[str, Any] = {}
            if step_metric:
                known["step_metric"] = str(step_metric)
            if goal:
                known["goal"] = _choice("goal", goal, GOALS)
            if reduce:
                known["reduction"] = _choice("reduce", reduce, REDUCTIONS)
            if unit:
                known["unit"] = str(unit)
            self._spec["metrics"][str(name)] = known
            self._tell({"metrics": {str(name): known}})
        except ValueError as error:
            if self._strict:
                raise
            notices.warn_once(f"define {name}", f"define_metric({name!r}): {error}")

    def _tell_config(self, content: dict[str, Any]) -> None:
        texts = facts.flat_texts(content)
        self._spec["params"].update(texts)
        self._tell({"params": texts})

    def _tell_summary(self, content: dict[str, Any]) -> None:
        texts = {f"summary.{key}": text for key, text in facts.flat_texts(content).items()}
        self._spec["tags"].update(texts)
        self._tell({"tags": texts})

    def _tell(self, content: dict[str, Any]) -> None:
        """Puts into the spool what is new of the run."""
        raise NotImplementedError


def _choice(field: str, value: str, choices: dict[str, int]) -> int:
    if value not in choices:
        raise ValueError(f"{field} is {value!r}, it must be one of {', '.join(choices)}")
    return choices[value]
