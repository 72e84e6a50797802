"""The baseline: the champion's own bundle on servers as new and as little asked as the challenger's.

A champion that has run for weeks is warm, or leaks; a challenger of today would be compared with its age. The practice is
that of Netflix's and Google's Kayenta ("Automated Canary Analysis at Netflix with Kayenta", 2018).
"""

from __future__ import annotations

from prefect import get_run_logger, task

from configs.schema import UseCase
from tasks.deploying.reconcile import named
from tasks.deploying.switchover import start
from tasks.deploying.values import Release
from tasks.rollouts.carry_out import BASELINE, wants_baseline
from tasks.rollouts.declared import declared_by
from tasks.rollouts.values import State
from tasks.routing.served import serving


@task
def fresh_baseline(use_case: UseCase, state: State) -> Release | None:
    """One replica of what serves, up and ready; None where no stage compares with one."""
    now = serving(use_case.name)
    if now is None or not wants_baseline(declared_by(use_case)):
        return None
    settings = {**now.release.settings, "SLIPWAY_VARIANT": BASELINE}
    release = start(named(now.release.model_copy(update={"settings": settings, "wanted": 1, "replicas": ()})))
    get_run_logger().info("Baseline %s of champion %s is ready", release.name, state.champion.version)
    return release
