"""Does a challenger treat a group worse than the champion does: of pairs and of groups, at the stated rate, never of few."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pandas as pd
import pytest

from configs.load import faults
from configs.rollout import TREATED_WORSE, Check, Rollout
from configs.settings import prediction_log, store
from serving.contract.contract import Column, Contract
from serving.log.writer import Feedback, Prediction, PredictionLog, Shadow
from tasks.monitoring.alerts.tell_rollout import news_of
from tasks.problems.problem import problem_of
from tasks.registry.values import Version
from tasks.rollouts.checks.choose import checked
from tasks.rollouts.decide import decide, undecided
from tasks.rollouts.declared import declared_by, level_of
from tasks.rollouts.evidence import Evidence, gather
from tasks.rollouts.protected import with_groups
from tasks.rollouts.values import Look, State
from tests.conftest import SMALL, small_use_case
from tests.unit.test_rollout import HOUR, look, state, verdict

CONTRACT = Contract("small", (Column("a", "numeric"), Column("c", "categorical")), "y", ("no", "yes"))
FAIR = "fairness: {{protected: {protected}, criteria: {{{criteria}}}, on_violation: {on_violation}}}"
RATE, ODDS = "selection_rate: {ratio: 0.8}", "equalised_odds: {difference: 0.1}"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
SPLIT = {"challenger": 0.5, "champion": 0.5}


def fair_case(folder, criteria=RATE, protected="[g]", on_violation="refuse", **replaced):
    text = FAIR.format(criteria=criteria, protected=protected, on_violation=on_violation)
    identified = {"categorical: [c]}": "categorical: [c], identifiers: [g, h]}"}
    return small_use_case(folder, **{"monitoring:": text + "\nmonitoring:", **identified, **replaced})


def rows(dice, count, shares, rates, case, labelled=1.0):
    """Requests of groups, with a favourable answer at the rate of each group; `turned` out so for half of them."""
    group = dice.choice(list(shares), count, p=list(shares.values()))
    favourable = dice.random(count) < np.vectorize(rates.get)(group)
    return grouped(case, group, favourable, np.where(dice.random(count) < labelled, dice.random(count) < 0.5, np.nan))


def grouped(case, group, favourable, turned):
    count, times = len(group), [NOW + timedelta(seconds=n) for n in range(len(group))]
    probability = np.where(favourable, 0.8, 0.2)
    frame = pd.DataFrame(
        {
            "time": times,
            "key": [f"k{n % max(count // 2, 1)}" for n in range(count)],
            "output": list(np.stack([1 - probability, probability], axis=1)),
            "target": turned.astype(float),
            "told": times,
            "feature.g": group.astype(str),
        }
    )
    return with_groups(case, CONTRACT, frame)


def said(case, theirs, ours, paired=False, shares=SPLIT, level=0.05, margin=TREATED_WORSE, keyed=False, before=None):
    evidence = Evidence(paired, theirs, ours, problem_of(case.target), CONTRACT, {}, shares, keyed, None, before, case)
    return checked(evidence, Check(measure="fairness", margin=margin), level)


ALIKE = {"x": 0.7, "y": 0.6}
SHARES = {"x": 0.6, "y": 0.4}


@pytest.mark.parametrize("keyed", [False, True])
def test_two_groups_of_requests_are_compared(tmp_path, keyed):
    case, dice = fair_case(tmp_path), np.random.default_rng(0)
    ours = rows(dice, 20_000, SHARES, ALIKE, case)
    found = said(case, rows(dice, 20_000, SHARES, {"x": 0.75, "y": 0.45}, case), ours, keyed=keyed)
    assert found.verdict == "worse"
    assert found.reason.startswith("g y, unfavourable answers: fairness: 0.145 worse than the reference [")
    assert "g x" not in found.reason
    assert said(case, rows(dice, 20_000, SHARES, ALIKE, case), ours, keyed=keyed).verdict == "equivalent"
    both = said(case, rows(dice, 20_000, SHARES, {"x": 0.9, "y": 0.8}, case), ours, keyed=keyed)
    assert both.verdict == "better", "to every group"
    assert said(case, ours, ours.iloc[:0], shares={"challenger": 1.0}) is None


def test_a_shadow_is_compared_on_the_same_requests_of_which_it_needs_fewer(tmp_path):
    case, dice = fair_case(tmp_path, f"{RATE}, {ODDS}"), np.random.default_rng(1)
    ours = rows(dice, 3000, SHARES, ALIKE, case)
    turned_away = (ours["group.g"] == "y") & (dice.random(3000) < 0.3)
    output = [each[::-1] if away and each[1] > 0.5 else each for each, away in zip(ours["output"], turned_away, strict=True)]
    theirs = ours.assign(output=output)
    found = said(case, theirs, ours, paired=True)
    assert found.verdict == "worse"
    assert "g y, unfavourable answers: " in found.reason
    assert "g y, false negatives: " in found.reason, "what should have been granted was refused"
    assert "false positives: " not in found.reason
    assert found.points == (found.points[0], found.points[0])
    assert said(case, ours, ours, paired=True).verdict == "equivalent"
    rates = fair_case(tmp_path)
    pairs, groups = (said(rates, theirs, ours, paired) for paired in (True, False))
    assert pairs.upper - pairs.lower < 0.7 * (groups.upper - groups.lower), "as two groups the same requests say less"


def test_error_rates_wait_for_labels_and_the_rate_of_answers_does_not(tmp_path):
    case, dice = fair_case(tmp_path, f"{RATE}, {ODDS}"), np.random.default_rng(2)
    worse = {"x": 0.7, "y": 0.3}
    ours, theirs = (rows(dice, 6000, SHARES, rates, case, labelled=0.0) for rates in (ALIKE, worse))
    found = said(case, theirs, ours)
    assert found.verdict == "worse"
    assert found.too_few == [f"g {group}, false {which}" for group in "xy" for which in ("negatives", "positives")]
    only_odds = fair_case(tmp_path, ODDS)
    silent = said(only_odds, theirs, ours)
    assert (silent.verdict, silent.estimate, silent.silent) == ("undecided", None, True)
    assert silent.reason == (
        "fairness: too few to say: g x, false negatives; g x, false positives; g y, false negatives and 1 more"
    )


def test_few_people_are_no_reason_to_go_on_and_none_to_wait_for_ever(tmp_path):
    case, dice = fair_case(tmp_path), np.random.default_rng(3)
    shares = {"x": 0.999, "y": 0.001}
    ours, theirs = (rows(dice, 20_000, shares, {"x": 0.7, "y": rate}, case) for rate in (0.7, 0.0))
    found = said(case, theirs, ours)
    assert found.verdict == "equivalent", "of the group that is large enough"
    assert found.too_few == ["g y, unfavourable answers"]
    assert found.reason.endswith("; too few to say: g y, unfavourable answers")
    asked = [{"measure": "errors", "margin": 0.01}, {"measure": "fairness", "required": True}]
    declared = Rollout(stages=[{"ab": {"for": "1 day"}}], checks=asked)
    nobody = said(case, theirs.iloc[:5], ours.iloc[:5])
    for few in (found, nobody):
        seen = look(verdict("equivalent"), few)
        assert undecided(declared, seen) == ["fairness"]
        assert decide(declared, state(ran=HOUR), [], seen).move == "stay", "an A/B test does not end early for it"
        assert decide(declared, state(ran=24 * HOUR), [], seen).move == "next", "nor is it held beyond its time"
    wide = said(case, *(rows(dice, 200, SHARES, ALIKE, case) for _ in range(2)))
    assert wide.verdict == "undecided"
    later = state(ran=25 * HOUR)
    assert decide(declared, later, [], look(verdict("equivalent"), wide)).move == "stay", "this one may tell yet"


def test_what_is_only_told_takes_nobody_back_and_is_told(tmp_path, home):
    dice = np.random.default_rng(4)
    for on_violation, move in (("refuse", "back"), ("tell", "next")):
        case = fair_case(tmp_path, on_violation=on_violation)
        found = said(case, *(rows(dice, 4000, SHARES, {"x": 0.7, "y": rate}, case) for rate in (0.2, 0.6)))
        assert found.verdict == "worse"
        declared = declared_by(case.model_copy(update={"rollout": Rollout(stages=[{"ab": {"for": "1 day"}}])}))
        seen = Look(at=NOW, stage=0, requests=4000, verdicts=[found])
        assert decide(declared, state(), [], seen).move == move
        news = news_of(declared, state(look=seen))
        assert (news is None) == (on_violation == "refuse")
    assert news.key == "1-worse"
    assert "g y, unfavourable answers" in news.reason


def test_chosen_groups_are_compared_by_how_their_rates_changed(tmp_path):
    case, dice = fair_case(tmp_path), np.random.default_rng(5)
    poor = {"x": 0.5, "y": 0.3}
    pilot, others = rows(dice, 20_000, SHARES, poor, case), rows(dice, 20_000, SHARES, ALIKE, case)
    now = rows(dice, 20_000, SHARES, poor, case)
    assert said(case, now, others, shares={}).verdict == "worse", "as if they had been drawn"
    found = said(case, now, others, shares={}, before=(pilot, others))
    assert found.verdict == "equivalent"
    assert "the groups were chosen" in found.reason
    refused = rows(dice, 20_000, SHARES, {"x": 0.5, "y": 0.1}, case)
    assert said(case, refused, others, shares={}, before=(pilot, others)).verdict == "worse"


def test_errors_of_numbers_are_compared_in_the_units_of_the_loss(tmp_path):
    number = {'positive: "yes"': "problem: regression", "roc_auc, at_least": "r2, at_least"}
    case, dice = fair_case(tmp_path, "error: {ratio: 0.8}", **number), np.random.default_rng(6)
    frame, target = rows(dice, 6000, SHARES, ALIKE, case, labelled=0.9), dice.normal(size=6000)

    def model(spread):
        wrong = np.where(frame["group.g"] == "y", spread, 1.0) * dice.normal(size=6000)
        known = np.where(frame["target"].isna(), np.nan, target)
        return frame.assign(output=list((target + wrong)[:, None]), target=known)

    theirs, ours = model(3.0), model(1.0)
    for paired in (False, True):
        found = said(case, theirs, ours, paired)
        assert found.verdict == "worse"
        assert found.reason.startswith("g y, error: ")
    assert said(case, ours, ours, paired=True).verdict == "equivalent"
    assert said(case, theirs.iloc[:0], ours).silent


def test_groups_come_from_requests_or_from_feedback(tmp_path, home):
    """A number however it was written, an identifier, and a number that came later; both together where asked."""
    (store("contracts") / "c.json").write_bytes(msgspec.json.encode(CONTRACT))
    challenger = Version.model_construct(version="2", tags={"contract": "c"})
    rolling = State.model_construct(id="roll", challenger=challenger, began=NOW)
    case = fair_case(tmp_path, protected="[g, later], intersections: true")
    declared = Rollout(stages=[{"shadow": {"for": "1 day"}}, {"canary": {"share": 0.5, "for": "1 day"}}])
    at = [f"{NOW + timedelta(minutes=n):%Y-%m-%dT%H:%M:%S.%fZ}" for n in range(9)]
    assert checked(gather(case, declared, rolling, 0), Check(measure="fairness"), 0.05).silent, "of an empty log"
    log = PredictionLog(prediction_log("small"))
    for place in (1, 2):
        words = ("1", "r", "champion", "")
        log.append(
            [
                Prediction(f"p{place}{n}", at[n], at[n], *words, {"a": 1, "g": group}, "yes", [0.4, 0.6], 10, "d",
                           plan=f"roll.{place}", assigned="challenger" if n % 2 else "champion")
                for n, group in enumerate(("f", "m", None, "f"))
            ]
        )  # fmt: skip
        log.append([Feedback(f"p{place}{n}", at[8 - n], None, "", {"later": float(n % 2)}) for n in (0, 1, 3)])
    log.append(
        [Shadow(f"p1{n}", at[n], at[n], "2", "r2", "", "no", [0.6, 0.4], 9, "roll.1", "challenger") for n in range(4)]
    )
    log.close()
    shadow, canary = (gather(case, declared, rolling, place) for place in (0, 1))
    frame = shadow.challenger.set_index("prediction_id")
    assert frame["group.g"].dropna().to_dict() == {"p10": "f", "p11": "m", "p13": "f"}
    assert frame["group.later"].dropna().to_dict() == {"p10": "0", "p11": "1", "p13": "1"}
    assert frame["group.g and later"].dropna().to_dict() == {"p10": "f and 0", "p11": "m and 1", "p13": "f and 1"}
    assert frame.loc["p10", "since.g and later"] == pd.Timestamp(at[8]).tz_localize(None), "known when both were"
    assert frame.loc["p10", "since.g"] == pd.Timestamp(at[0]).tz_localize(None)
    assert sorted(canary.challenger["group.g"]) == ["f", "m"]
    found = checked(canary, Check(measure="fairness"), 0.05)
    assert found.silent
    assert "g f, unfavourable answers" in found.too_few
    unsent = fair_case(tmp_path, protected="[h, other]")
    reason = checked(gather(unsent, declared, rolling, 1), Check(measure="fairness"), 0.05).reason
    assert "h: no request of this stage has a value of it so far; other: no request of this stage" in reason
    numbers = pd.DataFrame({"time": [NOW] * 3, "feature.a": ["1.0", "1", None]})
    assert with_groups(fair_case(tmp_path, protected="[a]"), CONTRACT, numbers)["group.a"].dropna().tolist() == ["1", "1"]


@pytest.mark.parametrize("paired", [False, True])
def test_an_equal_challenger_is_taken_back_no_oftener_than_stated(tmp_path, paired):
    """Rates, error rates and three groups of two columns, at three looks, with a margin that forgives nothing."""
    case = fair_case(tmp_path, f"{RATE}, {ODDS}", protected="[g, h]", on_violation="refuse")
    worse = runs = 0
    for seed in range(15):
        dice, runs = np.random.default_rng(seed), runs + 1
        ours, theirs = (rows(dice, 1200, {"x": 0.6, "y": 0.3, "z": 0.1}, {**ALIKE, "z": 0.5}, case) for _ in range(2))
        other = dice.choice(["p", "q"], 1200)
        if paired:
            same = ["target", "feature.g", "group.g"]
            theirs[same], theirs["feature.h"], ours["feature.h"] = ours[same], other, other
        else:
            theirs["feature.h"], ours["feature.h"] = other, dice.permutation(other)
        theirs, ours = with_groups(case, CONTRACT, theirs), with_groups(case, CONTRACT, ours)
        sequence = (said(case, theirs.iloc[:n], ours.iloc[:n], paired, level=0.2, margin=0) for n in range(400, 1201, 400))
        worse += any(each.verdict == "worse" for each in sequence)
    assert worse / runs <= 0.2


def test_it_is_there_wherever_groups_are_protected_and_shares_the_budget(tmp_path):
    rollout = Rollout(stages=[{"shadow": {"for": "1 day"}}, {"ab": {"for": "1 day"}}], false_rollbacks=0.08)
    case = fair_case(tmp_path).model_copy(update={"rollout": rollout})
    declared = declared_by(case)
    assert [check.name for check in declared.checks] == ["errors", "latency", "loss", "fairness"]
    assert declared.checks[-1] == Check(measure="fairness", margin=TREATED_WORSE)
    assert level_of(declared) == pytest.approx(0.01)
    own = rollout.model_copy(update={"checks": [Check(measure="fairness", margin=0.1, required=True)]})
    assert declared_by(case.model_copy(update={"rollout": own})) == own
    without = small_use_case(tmp_path).model_copy(update={"rollout": rollout})
    assert declared_by(without) == rollout


@pytest.mark.parametrize(
    ("check", "told"),
    [
        ("{measure: fairness}", "'fairness' looks at the groups of 'fairness', which is missing"),
        ("{measure: fairness, by: c}", "'by' is for 'changed' and 'loss'; 'fairness' is compared on the whole"),
        ("{measure: loss}", "'rollout.checks.0.margin' is missing"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_line(check, told):
    stages = "[{shadow: {for: 1 day}}]"
    wrong = faults(SMALL.format(path="rows.csv") + f"rollout: {{stages: {stages}, checks: [{check}]}}\n", "small.yaml")
    assert len(wrong) == 1
    assert told in wrong[0]
