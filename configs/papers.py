"""What may stand under `papers:` in a use case: what only people know of a model, for its card, data sheet, technical file.

The description of a key is what the paper asks; where the key is left out, the paper has it as a mark: to be written.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from configs.forms import Strict

Text = str | None


def asked(what: str) -> Any:
    """A text that a person writes; `what` it must say."""
    return Field(None, min_length=1, pattern=r"\S", description=what)


class DataPapers(Strict):
    """Answers to those questions of a data sheet that no record has. Gebru et al., "Datasheets for Datasets" (2021)."""

    purpose: Text = asked("for what purpose the data were created, and which gap they were to fill")
    creators: Text = asked("who created the data, on behalf of whom")
    funding: Text = asked("who paid for the data")
    instances: Text = asked("what a row stands for: a person, a contract, an event")
    sampling: Text = asked(
        "whether the rows are all there are or a sample of what, how it was drawn, and what it stands for"
    )
    missing: Text = asked("why values are missing, where some are")
    relationships: Text = asked("whether rows belong together (one person, one household), and how that is seen")
    noise: Text = asked("errors, sources of noise and repeated rows that are known")
    external: Text = asked("whether the data rely on others that may change or go, and under which terms")
    confidential: Text = asked("whether the data hold what is confidential, by law or by contract")
    offensive: Text = asked("whether the data hold what may offend, insult or frighten")
    individuals: Text = asked("whether persons can be identified, directly or together with other data")
    acquisition: Text = asked("how each value came to be: observed, said by the person, or derived; and how it was checked")
    mechanism: Text = asked("with which devices, programs or forms the data were collected, and how these were checked")
    collectors: Text = asked("who collected the data, and how they were paid")
    timeframe: Text = asked("over which time the data were collected, and whether that is the time of what they tell")
    ethical_review: Text = asked("whether an ethical review was held, and what came of it")
    source_of_people: Text = asked("whether the data came from the persons themselves or from somebody else")
    notice: Text = asked("how the persons were told of the collection")
    consent: Text = asked("whether and how the persons consented, or which other legal basis holds")
    revocation: Text = asked("how consent is taken back, where it was given")
    impact: Text = asked(
        "whether the impact on the persons was assessed (a data protection impact assessment), and what it said"
    )
    labelling: Text = asked("who or what set the value that is predicted, by which procedure")
    raw: Text = asked("whether the raw data are kept beside what was cleaned, and where")
    other_uses: Text = asked("what else the data were used for, and could be")
    consequences: Text = asked("what in how the data were made may hurt later uses: groups treated unfairly, other harm")
    not_for: Text = asked("what the data should not be used for")
    distribution: Text = asked("whether the data are given to others, how and when")
    restrictions: Text = asked("licence, terms, and rights or export controls of others that hold for the data")
    maintainer: Text = asked("who keeps the data, and how they are reached")
    updates: Text = asked("whether there are errata, and how often, by whom and how the data are updated")
    retention: Text = asked("how long data of persons may be kept, and how that is kept to")
    older: Text = asked("whether older versions are kept, and how users are told")
    extension: Text = asked("how others may add to the data, and how that is checked")


class Papers(Strict):
    """What people say of the model. `templates` is a folder with Jinja templates of one's own, named as ours are.

    The keys follow Mitchell et al., "Model Cards for Model Reporting" (2019), and annex IV of Regulation (EU) 2024/1689.
    """

    purpose: Text = asked("the intended purpose: what the answers are for, in which context, what is decided with them")
    provider: Text = asked("name and address of the provider: who has it developed and answers for it")
    contact: Text = asked("whom to ask, and how they are reached")
    licence: Text = asked("the licence of the model, and how it is cited")
    intended_users: Text = asked("who is meant to use the answers")
    affected: Text = asked("the persons and groups on whom it is meant to be used")
    out_of_scope: Text = asked("uses that are out of scope")
    factors: Text = asked("which groups, instruments and circumstances matter, and which of them could not be measured")
    metrics: Text = asked("why these metrics and bounds are the right ones for the purpose")
    evaluation_data: Text = asked("why the rows that were held out stand for those that will be answered")
    ethics: Text = asked("ethical considerations: sensitive data, effects on life, harms that were weighed, what was done")
    caveats: Text = asked("what else a user must know, and what is recommended")
    interaction: Text = asked("hardware, software and other AI systems outside of it that it works with")
    updates: Text = asked("what is required of updates of the software that it needs")
    forms: Text = asked("the forms in which it is placed on the market or put into service")
    hardware: Text = asked("the hardware that it is meant to run on")
    product: Text = asked(
        "where it is a part of a product: photographs or drawings of it, its markings, its layout; else that it is none"
    )
    interface: Text = asked("the interface that the deployer's people use")
    instructions: Text = asked("the instructions for use for the deployer (article 13)")
    third_party: Text = asked(
        "systems or tools of others that were used, and how they were changed; else that there were none"
    )
    design: Text = asked("the key design choices and assumptions with their reasons, and the trade-offs that were made")
    resources: Text = asked("the computational resources that development, training and testing took")
    oversight: Text = asked("the measures of human oversight that are needed (article 14), and how well they do")
    changes: Text = asked(
        "the changes that are determined beforehand, and how compliance is kept through them; else that there are none"
    )
    test_reports: Text = asked("the test reports, dated and signed by the responsible persons")
    cybersecurity: Text = asked("the cybersecurity measures of the place where it runs")
    limitations: Text = asked("what it can and cannot do, and how accurate it must be for its purpose")
    risks: Text = asked(
        "foreseeable unintended outcomes, and risks to health, safety, fundamental rights and of discrimination"
    )
    risk_management: Text = asked("the risk management system (article 9)")
    standards: Text = asked("the harmonised standards that were applied, or what was done instead, and other standards")
    conformity: Text = asked("a copy of the EU declaration of conformity (article 47)")
    post_market: Text = asked("the post-market monitoring system and plan (article 72)")
    data: DataPapers = DataPapers()
    templates: str | None = None
