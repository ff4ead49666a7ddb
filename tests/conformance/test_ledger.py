from fnmatch import fnmatchcase

import pytest

import openapi
from conformance import ledger
from conformance.ledger import PAGE, STATEMENTS
from conformance.probes import SECTIONS
from conformance.report.lines import line
from conformance.rules import RULES, Level

CONTRACT = openapi.load()
OPERATIONS = {
    it["operationId"]: it for methods in CONTRACT["paths"].values() for it in methods.values() if isinstance(it, dict)
}


def named_in(node):
    """Give every rule that the contract file names."""
    if isinstance(node, dict):
        yield from node.get("x-rules", ())
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from named_in(item)


def probed():
    """Give the ids of the rules that have a probe directly below them."""
    for section in SECTIONS:
        module = __import__(f"conformance.probes.test_{section}", fromlist=["*"])
        for name, probe in vars(module).items():
            if name.startswith("test_"):
                members = vars(probe)
                yield from (rule.id for rule in [*members.get("rules", {}).values(), members.get("rule")] if rule)


def test_every_rule_stands_in_a_statement():
    """No rule judges something that the contract does not say."""
    judging = {id for statement in STATEMENTS for id in statement.rules}
    assert not RULES.keys() - judging, "say in conformance/statements.py what these rules judge"


def test_every_rule_of_a_statement_exists():
    """No statement is said to be judged by a rule that there is not."""
    judging = {id for statement in STATEMENTS for id in statement.rules}
    assert not judging - RULES.keys()


def test_every_statement_has_rules_or_a_reason():
    """Nothing of the contract is left out in silence."""
    assert [it for it in STATEMENTS if not it.rules and not it.reason] == []
    assert all(it.says.endswith(".") for it in STATEMENTS)


def test_no_statement_stands_twice():
    """A statement has one place."""
    assert len({(it.section, it.says) for it in STATEMENTS}) == len(STATEMENTS)


def test_open_choices_are_judged_by_nothing():
    """What the contract leaves open names what is tolerated, and no rule."""
    choices = [it for it in STATEMENTS if it.section == "Open choices"]
    assert len(choices) > 30
    assert all(it.rules == () and it.reason.startswith("open: ") for it in choices)


def test_a_statement_has_a_rule_of_its_own_level_or_a_stronger_one():
    """A documented statement is not left to rules that only warn."""
    order = [Level.INFERRED, Level.STANDARD, Level.DOCUMENTED]
    for it in STATEMENTS:
        strongest = max((order.index(RULES[id].level) for id in it.rules), default=None)
        assert strongest is None or strongest >= min(order.index(it.level), 1), it


def test_every_rule_has_a_probe():
    """A rule is judged by the function below it, and by no other."""
    assert sorted(probed()) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=str)
def test_rule_points_into_the_contract_file(rule):
    """A rule's pointer leads to a line of the contract file, and what it needs exists."""
    assert line(rule.contract) > 1
    assert set(rule.needs) <= RULES.keys()


@pytest.mark.parametrize("rule", RULES.values(), ids=str)
def test_rule_is_told_in_sentences(rule):
    """A rule says what holds, where that stands, what is sent and what conforms."""
    assert rule.says.endswith(".")
    assert all((rule.source, rule.sends, rule.accepts))


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_operation_names_rules_that_exist(operation):
    """Each of the ten operations is judged."""
    assert len(OPERATIONS) == 10
    assert operation["x-rules"]
    assert set(operation["x-rules"]) <= RULES.keys()


def test_contract_file_names_only_rules_that_exist():
    """No `x-rules` of the contract file is out of date."""
    assert set(named_in(CONTRACT)) - RULES.keys() == set()


def test_contract_file_names_every_rule_that_can_fail():
    """Every documented and standard rule stands in an `x-rules` of the contract file, where it belongs."""
    firm = {rule.id for rule in RULES.values() if rule.level is not Level.INFERRED}
    assert firm - set(named_in(CONTRACT)) == set(), "name these in an x-rules of openapi/sip-trunks.yaml"


def test_page_of_rules_is_current():
    """docs/rules.md is what the ledger says."""
    assert PAGE.read_text("utf-8") == ledger.page(), f"run: {ledger.COMMAND}"


def test_listing_has_every_statement_and_rule():
    """`--list` leaves out nothing."""
    text = ledger.listing()
    assert all(f"  {it.says}  ({it.level})" in text for it in STATEMENTS)
    assert all(f"\n  {rule.id} " in text and rule.says in text for rule in RULES.values())


def test_explain_tells_all_about_a_rule():
    """`--explain` has every member of the rule, the line in the contract and how to judge it again."""
    text = ledger.explain("create.name.max-length")
    rule = RULES["create.name.max-length"]
    for part in (rule.id, rule.level, rule.says, rule.source, rule.sends, rule.accepts, "Fields of a trunk", "--only"):
        assert part in " ".join(text.split())
    assert f"openapi/sip-trunks.yaml, line {line(rule.contract)}" in text


def test_explain_takes_a_pattern():
    """A pattern explains every rule that it fits."""
    fitting = [id for id in RULES if fnmatchcase(id, "update.*.type")]
    assert ledger.explain("update.*.type").count("  (documented)\n") == len(fitting)


@pytest.mark.parametrize(
    ("meant", "near"),
    [
        pytest.param("create.port.rang", "create.port.range", id="a-letter-short"),
        pytest.param("Create.Name.Max_Length", "create.name.max-length", id="spelling"),
        pytest.param("max-length", "create.name.max-length", id="a-part"),
    ],
)
def test_unknown_rule_has_near_ones(meant, near):
    """There is no such rule, but ones that may have been meant."""
    assert ledger.explain(meant) is None
    assert near in ledger.near(meant)


def test_nothing_is_near_nonsense():
    """Where nothing is alike, nothing is suggested."""
    assert ledger.near("zzz?!") == []
    assert ledger.near("") == []
