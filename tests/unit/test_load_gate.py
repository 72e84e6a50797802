"""The load gate says nothing good of what was not measured."""

from configs.schema import Load
from tasks.gates.load import judge


def test_without_a_request_at_the_promised_rate_the_gate_is_closed():
    checks = {check.check: check for check in judge([], [], Load(rate=1, p99=100))}
    assert not checks["latency at the promised rate"].passed
    assert "make 'gates.load.soak' longer" in checks["latency at the promised rate"].found
