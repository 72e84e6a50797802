"""Monitor: every closed window of the prediction log, looked at once."""

from __future__ import annotations

from prefect import flow

from configs.errors import InputError
from configs.load import load_use_case
from serving.bundle import read_bundle
from tasks.all_refused import tell_all_refused
from tasks.calibrate_joint import calibrate_joint, seasons_of, size_class
from tasks.collect_window import collect_window
from tasks.conclude import conclude
from tasks.detect_drift import detect_drift
from tasks.drift_report import drift_report
from tasks.findings import finding_path, performances_before
from tasks.keep_finding import keep_finding
from tasks.lock import one_at_a_time
from tasks.measure_service import measure_service
from tasks.monitored import ended, monitored
from tasks.notify import notify
from tasks.outbox import WAITS
from tasks.performance import measure_performance
from tasks.registry import the_champion
from tasks.window import closed_windows


@flow(name="monitor", flow_run_name="monitor-{use_case}")
def monitor(use_case: str = "flights", window: str | None = None) -> list[str]:
    """Drift, performance, service, alarms, an event and a report for each closed window that has none yet.

    Args:
        use_case: A name in `configs/`.
        window: The name of one closed window to look at again, for example `2013-06`. Empty: all new ones.

    Returns:
        The names of the windows; the run's message says who could not be told.
    """
    case = load_use_case(use_case)
    with one_at_a_time(case.name):
        version = the_champion(case.name)
        contract = read_bundle(version.bundle.path).contract
        closed = closed_windows(case)
        if window is not None and window not in [bounds.name for bounds in closed]:
            raise InputError(f"window {window!r} is not closed; closed: {', '.join(b.name for b in closed) or 'none'}")
        new = [b for b in closed if b.name == window or not (window or finding_path(case.name, b.name).exists())]
        for bounds in new:
            data = collect_window(case, bounds, contract)
            if not data.rows:
                tell_all_refused(case, data)
                continue
            joint = calibrate_joint(case, version.bundle, size_class(data.rows), seasons_of(case, data))
            drift = detect_drift(case, data, version, joint)
            earlier = performances_before(case.name, data, version.version)
            performance = measure_performance(case, data, version.bundle, earlier)
            service = measure_service(case, data)
            finding = conclude(case, data, version, drift, performance, service)
            drift_report(case, data, version.bundle, drift)
            keep_finding(case, finding)
            notify(case)
        names, untold = [bounds.name for bounds in new], notify(case, WAITS)
        monitored(case, names, untold)
    return ended(names, untold)
