"""Sample ratio mismatch: whether each variant gets the share of the requests that was declared, asked at any time.

The sequential multinomial test of Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022): the
Dirichlet mixture of likelihood ratios against the declared shares is a martingale, so its inverse is a p-value at all times.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import gammaln

LEVEL = 0.001  # a comparison of groups that are not what they should be means nothing, so it is held; but not by chance
CONCENTRATION = 100.0  # of the mixture about the declared shares: small deviations are found soonest


def p_value(counts: np.ndarray, shares: np.ndarray) -> float:
    """The chance, were the shares as declared, that they ever looked as little so as now.

    >>> p_value(np.array([510, 490]), np.array([0.5, 0.5]))
    1.0
    >>> p_value(np.array([600, 400]), np.array([0.5, 0.5])) < 0.001
    True
    """
    prior, total = CONCENTRATION * shares, counts.sum()
    log = gammaln(prior.sum()) - gammaln(prior.sum() + total)
    log += (gammaln(prior + counts) - gammaln(prior) - counts * np.log(shares)).sum()
    return float(np.exp(min(0.0, -log)))


def mismatch(counts: Mapping[str, int], shares: Mapping[str, float]) -> str:
    """Empty, or what is wrong and what likely made it so.

    >>> mismatch({"challenger": 0, "champion": 400}, {"challenger": 0.5, "champion": 0.5})
    'challenger has none of 400 where 50 % were declared: its servers get nothing, or the plan is not in force everywhere'
    """
    names = list(shares)
    found, declared = np.array([counts[name] for name in names]), np.array([shares[name] for name in names])
    if not found.sum() or len(names) < 2 or p_value(found, declared) > LEVEL:
        return ""
    least = names[int(np.argmin(found / declared))]
    got, total = counts[least], int(found.sum())
    told = f"{least} has {got:,} of {total:,} ({got / total:.1%}) where {shares[least]:.3g} of them were declared"
    if not got:
        told = f"{least} has none of {total:,} where {100 * shares[least]:.3g} % were declared"
        return f"{told}: its servers get nothing, or the plan is not in force everywhere"
    return (
        f"{told}: records of it are lost, clients give ids or keys that are not random, or an old plan is in force somewhere"
    )
