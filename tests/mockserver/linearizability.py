"""Is there an order in which one client after the other could have seen what several saw at once?

Herlihy and Wing, *Linearizability*, 1990; the search is that of Wing and Gong with a memory of where it has been
(Lowe, *Testing for linearizability*, 2017).
"""

from dataclasses import dataclass
from typing import Any

MOST_STEPS = 500_000


@dataclass(frozen=True)
class Call:
    """A call that was made: what, when it was made and answered (by any clock), and what the answer was."""

    what: Any
    made: float
    answered: float
    answer: Any


class Undecided(Exception):
    """The search was given up."""


def order(calls, model, state):
    """Give the calls in an order that explains their answers, None if there is none.

    `model(state, what)` gives the answer and the next state; both must be hashable. A call stands before another one in
    the order if it was answered before that was made.
    """
    calls = sorted(calls, key=lambda call: call.made)
    everything = (1 << len(calls)) - 1
    seen = set()
    path = []
    stack = [(0, state, iter(_next(calls, 0)))]
    for _ in range(MOST_STEPS):
        if not stack:
            return None
        done, state, rest = stack[-1]
        if done == everything:
            return path
        number = next(rest, None)
        if number is None:
            stack.pop()
            if path:
                path.pop()
            continue
        answer, after = model(state, calls[number].what)
        place = (done | 1 << number, after)
        if answer == calls[number].answer and place not in seen:
            seen.add(place)
            path.append(calls[number])
            stack.append((*place, iter(_next(calls, place[0]))))
    raise Undecided


def _next(calls, done):
    """Give the numbers of the calls that may come next: those made before any other was answered."""
    left = [number for number in range(len(calls)) if not done >> number & 1]
    first = min((calls[number].answered for number in left), default=0)
    return [number for number in left if calls[number].made <= first]
