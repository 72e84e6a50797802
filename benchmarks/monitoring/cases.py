"""The use cases that retraining is measured on: flights as they ship, and bank marketing in the order of its calls."""

from __future__ import annotations

import os
from pathlib import Path

from configs.load import load_use_case, parse_use_case
from configs.schema import UseCase

# The file gives no times, only the order of 45,211 calls from May 2008 to November 2010: half an hour each, here.
BANK = """
name: bank
description: Will this person take the bank's offer?
source:
  tables: {{calls: {path}}}
  query: |
    select timestamp '2008-05-01' + to_minutes(30 * (row_number() over (order by contact_id) - 1)) as called_at,
           * exclude (contact_id, duration, subscribed), cast(subscribed = 'yes' as integer) as subscribed
    from calls
  time_column: called_at
  label_delay: 1 day
target: {{column: subscribed, positive: 1}}
features:
  categorical: [job, marital, education, default, housing, loan, contact, month, poutcome]
  numeric: [age, balance, day, campaign, pdays, previous]
split: {{holdout: 30 days}}
model: {{estimator: hist_gradient_boosting, parameters: {{max_iter: 100}}, seed: 0}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.5}}]}}
promotion: {{metric: roc_auc, confidence: 0.9}}
monitoring: {{window: 30 days, min_labels: 100}}
retraining: {{on: [drift, performance]}}
replay: {{start: 2008-11-01}}
"""


def use_case(name: str) -> UseCase:
    """`flights` or `bank`."""
    if name == "flights":
        return load_use_case("flights")
    folder = Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    return parse_use_case(BANK.format(path=folder / "bank_marketing.csv"), "bank.yaml")
