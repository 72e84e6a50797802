"""The use cases that retraining is measured on: flights as they ship, bank marketing in the order of its calls, and bikes.

The rules were made while looking at the first two. Bikes were first looked at when all was done.
"""

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
evaluation: {{gates: [{{metric: roc_auc, at_least: 0}}]}}
promotion: {{metric: roc_auc, confidence: 0.9}}
monitoring: {{window: 30 days, min_labels: 100}}
retraining: {{on: [drift, performance]}}
replay: {{start: 2008-11-01}}
"""


# Demand grows over the two years, which trees cannot follow.
BIKE = """
name: bike
description: How many bikes will be rented in this hour?
source:
  tables: {{hours: {path}}}
  query: |
    select cast(dteday as timestamp) + to_hours(hr) as hour, season, mnth, hr, holiday, weekday, workingday, weathersit,
           temp, atemp, hum, windspeed, cnt
    from hours
  time_column: hour
  label_delay: 1 hour
target: {{column: cnt, problem: regression}}
features: {{numeric: [season, mnth, hr, holiday, weekday, workingday, weathersit, temp, atemp, hum, windspeed]}}
split: {{holdout: 30 days}}
model: {{estimator: hist_gradient_boosting, parameters: {{max_iter: 100}}, seed: 0}}
evaluation: {{gates: [{{metric: r2, at_least: 0}}, {{metric: coverage, at_least: 0}}]}}
promotion: {{metric: mae, confidence: 0.9}}
monitoring: {{window: 30 days, min_labels: 100, tolerance: 2}}
retraining: {{on: [drift, performance]}}
replay: {{start: 2011-07-01}}
"""
NAMES = ("flights", "bank", "bike")


def use_case(name: str) -> UseCase:
    """One of `NAMES`."""
    if name == "flights":
        return load_use_case("flights")
    folder = Path(os.environ.get("SLIPWAY_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    text, file = {"bank": (BANK, "bank_marketing.csv"), "bike": (BIKE, "bike_hour.csv")}[name]
    return parse_use_case(text.format(path=folder / file), f"{name}.yaml")
