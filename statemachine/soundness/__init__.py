"""Whether a definition means something: every rule, every error at once.

The types of `definition.py` say what a definition looks like; the rules here say what must hold between its parts. Each
is a small function from a definition to findings; a finding says where it is, what is wrong and what would be right.
"""

from __future__ import annotations

from statemachine.definition import Definition
from statemachine.soundness.alerts import ALERT_RULES
from statemachine.soundness.places import Finding, Place, Rule, did_you_mean, shown
from statemachine.soundness.probes import PROBE_RULES
from statemachine.soundness.references import REFERENCE_RULES
from statemachine.soundness.validators import BOUND_RULES, VALIDATOR_RULES
from statemachine.soundness.values import VALUE_RULES as OTHER_VALUE_RULES

VALUE_RULES = (*OTHER_VALUE_RULES, *BOUND_RULES, *ALERT_RULES)
RULES = (*REFERENCE_RULES, *PROBE_RULES, *VALIDATOR_RULES, *VALUE_RULES)


def findings(definition: Definition, rules: tuple[Rule, ...] = RULES) -> list[Finding]:
    """Everything that is wrong with what `definition` means, whichever rule says so."""
    return [found for rule in rules for found in rule(definition)]


__all__ = ["RULES", "VALUE_RULES", "Finding", "Place", "did_you_mean", "findings", "shown"]
