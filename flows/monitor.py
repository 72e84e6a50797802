"""Monitor: every closed window of the prediction log, looked at when it closed and again when its labels have come."""

from __future__ import annotations

from prefect import flow

from configs.errors import CheckFailed, InputError
from configs.load import load_use_case
from configs.schema import UseCase
from tasks.lock import one_at_a_time
from tasks.log.values import Window
from tasks.log.windows import closed_windows
from tasks.monitoring.alerts.keep_finding import keep_finding
from tasks.monitoring.alerts.monitored import ended, monitored
from tasks.monitoring.alerts.notify import notify
from tasks.monitoring.alerts.outbox import WAITS
from tasks.monitoring.collect import collect_window
from tasks.monitoring.conclude import conclude
from tasks.monitoring.drift.calibrate_joint import calibrate_joint, seasons_of, size_class
from tasks.monitoring.drift.detect import detect_drift
from tasks.monitoring.drift.explain_reference import explain_reference
from tasks.monitoring.drift.watch_reasons import watch_reasons
from tasks.monitoring.fairness import watch_fairness
from tasks.monitoring.findings import performances_before
from tasks.monitoring.groups import drift_before, group_of
from tasks.monitoring.looks import first_looks, label_looks
from tasks.monitoring.performance import measure_performance
from tasks.monitoring.report import drift_report
from tasks.monitoring.reviews import measure_reviews
from tasks.monitoring.service import measure_service
from tasks.monitoring.terms import in_terms_of
from tasks.monitoring.values import Group
from tasks.registry.values import Version
from tasks.registry.versions import the_champion, versions_by_number


@flow(name="monitor", flow_run_name="monitor-{use_case}")
def monitor(use_case: str = "flights", window: str | None = None) -> list[str]:
    """Drift, performance, service, alarms, an event and a report for each closed window that has none yet.

    Args:
        use_case: A name in `configs/`.
        window: The name of one closed window to look at again, for example `2013-06`. Empty: all new ones.

    Returns:
        The windows, with which look it was; the run's message says who could not be told.
    """
    case = load_use_case(use_case)
    with one_at_a_time(case.name):
        serving, versions, closed = the_champion(case.name), versions_by_number(case.name), closed_windows(case)
        looks: list[str] = []
        problems: list[InputError | CheckFailed] = []
        for bounds in first_looks(case, closed, window):
            data = collect_window(case, bounds, versions)
            groups = [first_look(case, part, versions[part.version], len(data.judged)) for part in data.judged]
            looks.append(concluded(case, data, serving, groups, problems))
        for bounds in label_looks(case, closed, window):
            data = collect_window(case, bounds, versions, look="labels")
            groups = [label_look(case, part, versions[part.version], len(data.judged)) for part in data.judged]
            looks.append(concluded(case, data, serving, groups, problems))
        untold = notify(case, WAITS)
        monitored(case, looks, untold)
    if problems:
        raise problems[0]
    return ended(looks, untold)


def first_look(case: UseCase, part: Window, version: Version, judged: int) -> Group:
    """The rows of one version when the window has closed: drift, and performance and fairness as far as labels have come."""
    terms = in_terms_of(case, version, judged)
    joint = calibrate_joint(terms, version.bundle, size_class(part.rows), seasons_of(terms, part))
    drift = detect_drift(terms, part, version, joint)
    reasons = watch_reasons(terms, part, version, explain_reference(terms, version.bundle))
    performance = measure_performance(terms, part, version.bundle, performances_before(part))
    fairness = watch_fairness(terms, part, version.bundle)
    drift_report(terms, part, version.bundle, drift)
    return group_of(part, drift, reasons, performance, fairness)


def label_look(case: UseCase, part: Window, version: Version, judged: int) -> Group:
    """The rows of one version when the labels have come: performance, fairness, and the drift that the first look found."""
    terms = in_terms_of(case, version, judged)
    performance = measure_performance(terms, part, version.bundle, performances_before(part))
    fairness = watch_fairness(terms, part, version.bundle)
    return group_of(part, *drift_before(part), performance, fairness)


def concluded(
    case: UseCase, data: Window, serving: Version, groups: list[Group], problems: list[InputError | CheckFailed]
) -> str:
    """What the look found is kept, then told; returns the window, with which look it was.

    A journal of reviews that cannot be read keeps nothing else from being told; it is among the `problems` afterwards.
    """
    reviewed = None
    try:
        reviewed = measure_reviews(case, data)
    except (InputError, CheckFailed) as error:
        problems.append(error)
    finding = conclude(case, data, serving, groups, measure_service(case, data), reviewed)
    keep_finding(case, finding)
    notify(case)
    return finding.title
