"""Tables of requests that must be refused, and how they are sent with few requests.

Most servers tell every broken field. So a request that is bad in many fields at once shows, for each field that the
refusal names by itself, that its value alone is enough. A value that was not named is sent alone. Where a server tells
only the first broken field, nothing is shown that way: then the telling cases are sent alone, and the others only in
the deep profile.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance import expect
from conformance.client import Answer

# Packed requests of a kind, at most.
ROUNDS: Final = {"create": 21, "update": 16, "did": 18}
BRIEF_ROUNDS: Final = {"create": 5, "update": 3, "did": 1}


@dataclass(frozen=True, slots=True)
class Case:
    """One change that makes a valid request bad.

    Cases of rank 0 are telling: they stand for the others where each costs a request. Others follow in the order of
    rank.
    """

    label: str
    field: str
    value: Any
    rank: int = 0
    alone: bool = False  # never packed: what a server does with this one bad field is looked at afterwards


def field_cases(field: str, telling: Iterable[Any], more: Iterable[Any] = (), rest: Iterable[Any] = ()) -> list[Case]:
    """Give the cases of one field by their values, labelled with them."""
    ranked = ((rank, value) for rank, values in enumerate((telling, more, rest)) for value in values)
    return [Case(f"{field} {expect.show(value)}", field, value, rank) for rank, value in ranked]


def alone_first(cases: list[Case]) -> list[Case]:
    """Give the cases with the first of them to be sent alone."""
    return [replace(cases[0], alone=True), *cases[1:]]


class Refusals:
    """Sends cases, packed where that shows something. `senders` has, for each kind, what sends a valid request with
    changes.
    """

    def __init__(self, *, alone: bool = False, brief: bool = False) -> None:
        self.senders: dict[str, Callable[[Mapping[str, Any]], Answer]] = {}
        self.all_cases: Callable[[str], list[Case]] = (
            lambda _kind: []
        )  # what the run is going to ask for; set by who knows
        self._alone = alone  # send every case alone: the deep profile
        self._brief = brief  # send little: the quick profile
        self._packed: dict[str, bool] = {}  # kinds that were tried packed, and whether that shows anything
        self._tried: set[tuple[str, str]] = set()
        self._shown: dict[tuple[str, str], Answer] = {}

    def answers(self, kind: str, cases: Iterable[Case]) -> Iterable[tuple[Case, Answer]]:
        """Give the answer that shows what became of each case, sending what has not been sent yet."""
        if kind not in self._packed:
            self._packed[kind] = not self._alone and self._pack(kind)
        for number, case in enumerate(cases):
            shown = self._shown.get((kind, case.label))
            if shown is not None:
                yield case, shown
            elif self._is_due(kind, case, number):
                yield case, self.senders[kind]({case.field: case.value})

    def _is_due(self, kind: str, case: Case, number: int) -> bool:
        """Tell whether a case that nothing has shown is to be sent alone; `number` is its place among its rule's
        cases.
        """
        if case.alone or self._alone or (self._packed[kind] and (kind, case.label) in self._tried):
            return True
        return case.rank == 0 and (not self._brief or (number == 0 and not self._packed[kind]))

    def _pack(self, kind: str) -> bool:
        """Send the cases of a kind, one of each field in each request; tell whether the refusals name their fields."""
        names_all = False  # a server that did so once does it always: what it then does not name it takes
        waiting = sorted((case for case in self.all_cases(kind) if not case.alone), key=lambda case: case.rank)
        for _ in range((BRIEF_ROUNDS if self._brief else ROUNDS)[kind]):
            together: dict[str, Case] = {}
            for case in waiting:
                together.setdefault(case.field, case)
            waiting = [case for case in waiting if together[case.field] is not case]
            if len(together) < 2:
                break
            answer = self.senders[kind]({case.field: case.value for case in together.values()})
            answer.tags |= {"packed"}
            self._tried.update((kind, case.label) for case in together.values())
            named = expect.named_fields(answer) & together.keys() if answer.is_refusal else set()
            names_all = names_all or len(named) > 1
            if not names_all:
                return False
            self._shown.update({(kind, together[field].label): answer for field in named})
        return True
