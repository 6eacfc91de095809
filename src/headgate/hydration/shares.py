"""Divides the renders among several jobs, which all compute the same division. Pure."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headgate.configuration import Configuration
    from headgate.hydration.plan import Planned
    from headgate.repository.tree import Tree

_OWN_PROCESS = 15
"""The cost of a process for an app's own inputs, in objects of a chart (benchmarks/RESULTS.md: 20 ms to 1.3 ms)."""


def share_of(
    plans: Sequence[Planned], tree: Tree, configuration: Configuration, index: int, total: int
) -> list[Planned]:
    """Return the share of job ``index`` of ``total``, counted from 1: about the same cost for each.

    The cost of an app-environment is the number of its objects as they were last committed: all jobs see the same.
    """
    costs = {plan.render: _cost(plan, tree, configuration) for plan in plans}
    loads = [(0, number) for number in range(1, total + 1)]
    shares: dict[int, list[Planned]] = {number: [] for _, number in loads}
    for plan in sorted(plans, key=lambda plan: (-costs[plan.render], plan.record.name, plan.environment)):
        load, number = heapq.heappop(loads)
        shares[number].append(plan)
        heapq.heappush(loads, (load + costs[plan.render], number))
    return shares[index]


def _cost(plan: Planned, tree: Tree, configuration: Configuration) -> int:
    objects = len(tree.paths(configuration.output_folder(plan.record.name, plan.environment)))
    return 1 + objects + (_OWN_PROCESS if plan.render.owner else 0)
