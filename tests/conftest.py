"""What all tiers share: where the formula lies, and a last word on what was skipped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from salt._logging import shutdown_temp_handler

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def formula() -> Path:
    """Return the checkout's folder."""
    return ROOT


def pytest_sessionstart() -> None:
    """Keep Salt from holding log records back, to print them after pytest's last line."""
    shutdown_temp_handler()


def pytest_configure(config: pytest.Config) -> None:
    """Have each failure told when it happens: a run that is cut off never comes to its summary."""
    config.pluginmanager.register(Failures(config))


class Failures:
    """Says at once why a test failed, as pytest's summary does at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the report of a failure."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if report.failed and terminal:
            terminal.ensure_newline()
            terminal.section(f"{report.when} of {report.nodeid}", "_")
            terminal.line(report.longreprtext)
            terminal.line(report.capstdout)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say last what was skipped and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons = Counter(
        str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
        for report in skipped
    )
    terminalreporter.section("skipped, and why")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:4} {reason}")
