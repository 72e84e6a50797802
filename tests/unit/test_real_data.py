"""The chain's core on real tables of other shapes: strings as classes, missing categories, rare ones, time order."""

import pytest

from configs.load import parse_use_case
from tasks.data.validate import validate
from tasks.packaging.convert import convert
from tasks.training.evaluate import evaluate
from tests.unit.test_convert import chain

ADULT = """
name: adult
description: Does a person earn more than 50,000 dollars a year?
source:
  tables: {{adult: {folder}/adult.csv}}
  query: >
    select * replace (nullif(workclass, '?') as workclass, nullif(occupation, '?') as occupation,
    nullif(native_country, '?') as native_country) from adult
target: {{column: income, positive: ">50K"}}
features:
  categorical: [workclass, education, marital_status, occupation, relationship, native_country]
  numeric: [age, capital_gain, capital_loss, hours_per_week]
evaluation:
  gates: [{{metric: roc_auc, at_least: 0.85}}]
  slices: {{columns: [sex, race], min_rows: 300, gates: [{{metric: roc_auc, at_least: 0.8}}]}}
monitoring: {{window: 500 rows}}
"""

BANK = """
name: bank
description: Will a customer who is called subscribe?
source:
  tables: {{calls: {folder}/bank_marketing.csv}}
  query: select *, timestamp '2008-05-01' + interval (contact_id) minute as called_at from calls
  time_column: called_at
target: {{column: subscribed, positive: "yes"}}
features:
  categorical: [job, marital, education, housing, loan, contact, poutcome]
  numeric: [age, balance, campaign, pdays, previous]
split: {{holdout: 3 days}}
model: {{estimator: {estimator}}}
evaluation: {{gates: [{{metric: roc_auc, at_least: 0.55}}]}}
"""


@pytest.mark.parametrize(
    ("text", "estimator"),
    [(ADULT, "hist_gradient_boosting"), (BANK, "hist_gradient_boosting"), (BANK, "logistic_regression")],
)
def test_validate_train_evaluate_convert(home, quiet, real_data, text, estimator):
    case = parse_use_case(text.format(folder=real_data, estimator=estimator), "real.yaml")
    snapshot, contract, parts, fitted = chain(case)
    assert validate.fn(case, snapshot, contract, None).expectations > 10
    assert evaluate.fn(case, parts, contract, fitted).metrics["roc_auc"] > 0.55
    onnx = convert.fn(parts, contract, case.features, fitted)
    assert onnx.rows_compared == snapshot.rows - parts.cut > 3000
    assert onnx.max_difference < 1e-5
