"""The chain that `release` and `retrain` share: from a source to a registered challenger, and from there to traffic."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from configs.inferred import told_how_to_declare
from configs.schema import UseCase
from flows.choose_mitigation import mitigated
from flows.choose_recipe import chosen_recipe
from tasks.containers.containerize import containerize
from tasks.containers.inventory import inventory
from tasks.containers.publish import publish
from tasks.containers.values import Image
from tasks.data.derive_contract import derive_contract
from tasks.data.ingest import ingest
from tasks.data.split import split
from tasks.data.validate import validate
from tasks.data.values import Split
from tasks.deploying.deploy import bring_up, plan, switch
from tasks.deploying.reconcile import describe
from tasks.deploying.values import Release
from tasks.explaining.measure_influence import measure_influence
from tasks.fairness.judge_fairness import judge_fairness
from tasks.fence import epoch, unless_fenced
from tasks.gates.behaviour import behaviour_gate
from tasks.gates.contract import contract_gate
from tasks.gates.integration import integration_gate
from tasks.gates.load import load_gate
from tasks.gates.rehearsal import passed_before, reachable, remember, stand_in
from tasks.monitoring.watch import watch
from tasks.packaging.bundle import bundle
from tasks.packaging.convert import convert
from tasks.packaging.explain import explain
from tasks.packaging.phrase import phrase
from tasks.packaging.sign import sign
from tasks.packaging.variants import choose_variant
from tasks.registry.lineage import lineage
from tasks.registry.register import register
from tasks.registry.values import Version
from tasks.registry.versions import champion
from tasks.training.evaluate import evaluate
from tasks.training.train import train
from tasks.training.values import Evaluation


class Challenger(NamedTuple):
    """A registered version, and what it was judged on."""

    version: Version
    split: Split
    contract: str
    evaluation: Evaluation


def build(use_case: UseCase, until: datetime | None) -> Challenger:
    """Ingest, validate, split, choose a recipe and a mitigation, train, evaluate, convert, choose a variant, explain,
    phrase, measure the influence, bundle and register.
    """
    serving = champion(use_case.name)
    with told_how_to_declare(use_case.name):
        snapshot = ingest(use_case, until)
        contract = derive_contract(use_case, snapshot)
        validate(use_case, snapshot, contract, serving.tags["contract"] if serving else None)
        parts = split(use_case, snapshot)

    chosen = mitigated(use_case, parts, contract, chosen_recipe(use_case, parts, contract))
    use_case = chosen.fixed(use_case)
    candidate = train(snapshot, parts.learn, contract, chosen.recipe)
    evaluation = evaluate(use_case, parts, contract, candidate)
    fairness = judge_fairness(use_case, parts, evaluation)
    final = train(snapshot, parts.final, contract, chosen.recipe)

    onnx = convert(parts, contract, use_case.features, final)
    onnx = choose_variant(parts, contract, use_case.features, onnx)
    origin = lineage(use_case, parts, until, contract, onnx, chosen.reason, chosen.recipe.source, snapshot.files)
    reasons = explain(parts, contract, chosen.recipe, final)
    codes = phrase(use_case, parts, contract, chosen.recipe, reasons)
    influence = measure_influence(use_case, parts, contract, candidate, onnx, reasons)
    packed = sign(bundle(use_case, snapshot, contract, onnx, evaluation, origin, fairness, reasons, codes, influence))
    version = register(use_case, packed, onnx, evaluation, fairness, influence)
    return Challenger(version, parts, contract, evaluation)


def roll_out(use_case: UseCase, version: Version, reason: str, began: int | None = None) -> Release:
    """Stand beside the champion, switch all traffic at once, take the old release down; watch it.

    `began` is the epoch in which the run began: a rollback since then keeps it from switching.
    """
    began = epoch(use_case.name) if began is None else began
    with unless_fenced(use_case.name, began):
        release = stand_beside(use_case, version, then_switch=True)
        switch(version, release, reason, began)
    watch(use_case)
    return release


def stand_beside(use_case: UseCase, version: Version, then_switch: bool = False) -> Release:
    """Containerize, rehearse, publish, bring up beside the champion, test: ready for traffic, and without any."""
    image = containerize(use_case, version)
    wanted = describe(use_case, version, image)
    plan(wanted, then_switch)
    if not passed_before(use_case, wanted):
        rehearse(use_case, version, image, wanted)
    publish(use_case, image)
    release = bring_up(wanted)
    contract_gate(release, version)
    return release


def rehearse(use_case: UseCase, version: Version, image: Image, wanted: Release) -> None:
    """What is in the image, and every gate, on a stand-in that gets no traffic."""
    inventory(use_case, version, image)
    with reachable(bring_up(stand_in(wanted))) as rehearsed:
        contract_gate(rehearsed, version)
        integration_gate(rehearsed, version)
        behaviour_gate(use_case, rehearsed)
        load_gate(use_case, rehearsed)
    remember(use_case, wanted)
