"""Score: a file, a folder or what a query gives, with the champion, in chunks."""

from __future__ import annotations

from prefect import flow

from configs.load import load_use_case
from tasks.registry.versions import get_version, the_champion
from tasks.scoring.files import score_file


@flow(name="score", flow_run_name="score-{use_case}")
def score(
    use_case: str = "flights",
    source: str = "",
    destination: str = "",
    version: str | None = None,
    query: str | None = None,
    explain: bool = False,
) -> int:
    """Score a file, or what a query gives, with the same contract and bundle that serve requests. A stopped run goes on.

    Args:
        use_case: A name in `configs/`.
        source: The file to score, with the contract's columns, or a database's address; others are carried along.
        destination: A folder for the answers, one Parquet part a chunk; a file; or `DATABASE_URL#TABLE`.
        version: The version to score with. Empty: the champion.
        query: What to ask the database; none of a file.
        explain: Whether each row gets its reasons, a column of JSON.

    Returns:
        The number of rows scored.
    """
    case = load_use_case(use_case)
    chosen = get_version(case.name, version) if version else the_champion(case.name)
    return score_file(case.name, chosen, source, destination, case.source.csv, query, explain)
