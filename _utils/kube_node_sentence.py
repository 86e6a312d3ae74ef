"""What may well go wrong in an operator's command, told in a sentence.

Pure: no Salt, no I/O.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

Command = Callable[..., Any]


def told_as(shown: type[Exception], expected: type[Exception]) -> Callable[[Command], Command]:
    """Return a decorator of commands that have one exception told as another.

    Args:
        shown: the exception that its caller shows as it is, without a traceback.
        expected: the one that a command raises where something is wrong that an operator can mend.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def told(*args: Any, **kwargs: Any) -> Any:
            try:
                return command(*args, **kwargs)
            except expected as error:
                raise shown(str(error)) from error

        return told

    return decorate
