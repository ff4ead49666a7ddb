from pathlib import Path

import pytest

from conformance import selftest
from conformance.ledger import STATEMENTS
from conformance.rules import RULES, Level, Profile
from conformance.selftest.catalogue import FAULTS, VARIANTS
from conformance.selftest.variants import CHOICES

README = Path(__file__).parent.parent.parent / "README.md"
START, END = "<!-- what trunkcheck --self-test prints -->\n", "\n<!-- end -->"

selftest.load()


def trial(kind, name, *, failed=(), warned=(), silent=(), erred=()):
    """Make a trial in which these rules were broken or not judged."""
    return selftest.Trial(kind, name, *map(frozenset, (failed, warned, silent, erred)), requests=1)


@pytest.fixture
def fault():
    """A fault that one rule must catch and another may."""
    return next(fault for fault in FAULTS.values() if fault.also)


def test_kit_passes_its_own_test():
    """Every fault is caught by its rule and by no unrelated one, no variant raises an alarm, and the README says so."""
    outcome = selftest.run()
    assert outcome.misses == ()
    text = README.read_text("utf-8")
    shown = text.partition(START)[2].partition(END)[0]
    assert shown == outcome.table()


def test_every_rule_has_a_fault():
    """Each documented or standard rule of the standard profile is named by a fault that it must catch."""
    named = {rule for fault in FAULTS.values() for rule in fault.rules}
    wanted = {
        rule.id
        for rule in RULES.values()
        if rule.level is not Level.INFERRED and Profile.STANDARD.includes(rule.profile)
    }
    assert not wanted - named


def test_faults_name_rules_that_exist():
    """A fault names no rule that is unknown or belongs to the deep profile."""
    for fault in FAULTS.values():
        for rule in (*fault.rules, *fault.also):
            assert rule in RULES, fault.name
            assert Profile.STANDARD.includes(RULES[rule].profile), fault.name


def test_every_choice_has_a_variant():
    """Each open choice of the ledger has a correct server on its unusual side, and a variant names nothing else."""
    open_choices = {one.says for one in STATEMENTS if one.section == "Open choices"}
    assert open_choices
    assert open_choices <= set(CHOICES.values())
    assert {choice for variant in VARIANTS.values() for choice in variant.choices} == CHOICES.keys()


def test_variants_break_only_inferred_rules():
    """What a variant does not keep is not documented."""
    for variant in VARIANTS.values():
        assert all(RULES[rule].level is Level.INFERRED for rule in variant.warns), variant.name


@pytest.mark.parametrize("kind", [FAULTS, VARIANTS], ids=["faults", "variants"])
def test_everything_seeded_has_a_sentence(kind):
    """A fault or variant is explained in one sentence."""
    assert [one.name for one in kind.values() if not one.says.endswith(".") or "\n" in one.says] == []


def test_fault_that_is_not_caught_is_a_miss(fault):
    """A rule that does not see its fault is named, and the fault does not count as caught."""
    outcome = selftest.judged([trial("fault", fault.name, failed=fault.also)], 0)
    assert outcome.killed == 0
    assert fault.rules[0] in outcome.misses[0]


def test_unrelated_failure_is_a_miss(fault):
    """A rule that fails without being named by the fault is a miss."""
    outcome = selftest.judged([trial("fault", fault.name, failed=[*fault.rules, *fault.also, "list.shape"])], 0)
    assert outcome.killed == 1
    assert [miss for miss in outcome.misses if "list.shape failed as well" in miss]


def test_fault_caught_by_an_inferred_rule_counts(fault):
    """A warning catches a fault too."""
    outcome = selftest.judged([trial("fault", fault.name, warned=fault.rules)], 0)
    assert (outcome.killed, outcome.misses) == (1, ())


@pytest.mark.parametrize("how", ["failed", "warned", "silent", "erred"])
@pytest.mark.parametrize("kind", ["variant", "reference"])
def test_anything_but_a_pass_on_a_correct_server_is_a_miss(kind, how):
    """A rule that fails, warns, stays silent or breaks on a correct server is named."""
    name = "created-is-200" if kind == "variant" else ""
    outcome = selftest.judged([trial(kind, name, **{how: ["list.shape"]})], 0)
    assert len(outcome.misses) == 1
    assert "list.shape" in outcome.misses[0]


def test_miss_makes_the_command_fail(monkeypatch, capsys):
    """The command prints every miss and ends with 4; without one it ends with 0."""
    for misses, code in (((), 0), (("fault x: y did not see it",), 4)):
        monkeypatch.setattr(selftest, "run", lambda misses=misses: selftest.Outcome(1, 1, 1, 0, 300, misses, 1.0))
        assert selftest.main() == code
        assert [line for line in capsys.readouterr().out.splitlines() if "did not see it" in line] == list(misses)


def test_miniature_is_judged_twice_the_same():
    """Two runs in one process send the same number of requests and say the same."""
    first, second = selftest.attempt(("reference", "")), selftest.attempt(("reference", ""))
    assert first == second
    assert not first.failed | first.warned | first.silent | first.erred
