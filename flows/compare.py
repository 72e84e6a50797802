"""Compare: versions of a use case, side by side."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.comparing.ask import ask
from tasks.comparing.choose_versions import choose_versions
from tasks.comparing.find_changes import find_changes
from tasks.comparing.measure import measure
from tasks.comparing.measure_groups import measure_groups
from tasks.comparing.own_evaluation import own_evaluation
from tasks.comparing.put_side_by_side import put_side_by_side
from tasks.comparing.read_facts import read_facts
from tasks.comparing.trace_origins import trace_origins
from tasks.comparing.values import SideBySide


@flow(name="compare", flow_run_name="compare-{use_case}")
def compare(use_case: str = "flights", versions: tuple[str, ...] = ("1", "2")) -> SideBySide:
    """What two or three versions were made from, how they do on rows that none learned from, and what they decide otherwise.

    Args:
        use_case: A name in `configs/`.
        versions: Their numbers. Changes and gains are those from an earlier named one to a later.

    Returns:
        All of it; the page is among the reports. Nothing is changed.
    """
    case = load_use_case(use_case)
    compared = choose_versions(case.name, versions)

    basis = ask(case, compared)
    facts = read_facts(compared, basis)
    measured = measure(compared, basis)
    groups = measure_groups(compared, basis)
    own = own_evaluation(compared, basis)
    changed = find_changes(case, compared, basis)
    origins = trace_origins(case, compared)
    return put_side_by_side(case, compared, facts, basis, measured, groups, own, changed, origins)
