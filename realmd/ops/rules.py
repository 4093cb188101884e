"""etc/prometheus/realm-server.rules.yml, made of the thresholds: `python -m realmd.ops.rules` prints it."""

from __future__ import annotations

import json
import sys
from typing import Final

from .thresholds import KEEP, THRESHOLDS, Threshold

#: How the realm is called in Prometheus's configuration.
JOB: Final = "realm-server"
HEADER: Final = """\
# Alerts of a realm, for Prometheus 2.42 or newer.  Made of realmd/ops/thresholds.py: change it there.
# The daemon evaluates the same thresholds by itself and shows them in /health.
"""
#: What only somebody outside can see of a daemon: name, expression, for (s), summary, advice.
OUTSIDE: Final = (
    (
        "RealmDown",
        f'up{{job="{JOB}"}} == 0',
        60,
        "critical",
        "the realm does not answer",
        "systemctl status realm-server; realmctl logs",
    ),
    (
        "RealmRestarting",
        "changes(realmd_process_start_time_seconds[15m]) > 2",
        0,
        "warning",
        "the realm restarted more than twice in 15 minutes",
        "realmctl logs --level warn; journalctl --dmesg --grep 'out of memory'",
    ),
)


def expression(threshold: Threshold) -> str:
    """The threshold's condition in PromQL."""
    text = f"{threshold.quantity.promql()} {'<' if threshold.below else '>'} {threshold.level:g}"
    if threshold.least is not None:
        quantity, number = threshold.least
        text += f" and {quantity.promql()} >= {number:g}"
    return text


def rule(alert: str, expr: str, lasting: int, severity: str, keep: int, summary: str, advice: str) -> str:
    lines = [
        f"      - alert: {alert}",
        f"        expr: {json.dumps(expr)}",
        f"        for: {lasting}s",
        f"        keep_firing_for: {keep}s",
        f"        labels: {{severity: {severity}}}",
        "        annotations:",
        f"          summary: {json.dumps(f'{{{{ $labels.instance }}}}: {summary}')}",
        f"          description: {json.dumps(advice)}",
    ]
    return "\n".join(lines)


def rules() -> str:
    """The whole file."""
    written = [
        rule(t.alert, expression(t), t.lasting, t.severity, KEEP, t.summary, t.advice) for t in THRESHOLDS
    ]
    written += [
        rule(alert, expr, lasting, severity, KEEP, summary, advice)
        for alert, expr, lasting, severity, summary, advice in OUTSIDE
    ]
    head = f"{HEADER}groups:\n  - name: {JOB}\n    interval: 15s\n    rules:\n"
    return head + "\n".join(written) + "\n"


if __name__ == "__main__":
    sys.stdout.write(rules())
