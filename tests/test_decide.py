"""The laws of state, on the pure decision: random sequences of what can happen to an app in an environment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from headgate.model import FailureRecord, PinRecord, ProposalRecord, Rejection, ReleasedConfig, ReleasedImage
from headgate.releases.decide import Hold, Wanted, cleaned, decide, withdrawn
from headgate.releases.pending import Group, Pending, Proposal, compose, group_of, versions_of
from headgate.releases.release import CONFIG, NOTHING, Released, newest_of, parts
from headgate.repository.tree import MemoryBlob, Tree

PARTS = {"web": ("web",), "api": ("api",), "both": ("web", CONFIG), "config": (CONFIG,)}
"""What a hand-off may bring: ``both`` are an image and the config of one commit."""
KNOWN = {"web", "api", CONFIG}
FAILURE = FailureRecord(code=17, message="a template fails", since="0" * 40)


def part(name: str, number: int) -> ReleasedImage | ReleasedConfig:
    """Return version ``number`` of a part; the image web and the config are one project's."""
    project = "acme/api" if name == "api" else "acme/web"
    where: dict[str, Any] = {"project": project, "commit": f"{number:040x}", "ref": "refs/heads/main"}
    if name == CONFIG:
        return ReleasedConfig(path="deploy", **where)
    digest = f"sha256:{number:064x}"
    return ReleasedImage(repository=f"registry.example.com/{name}", tag=str(number), digest=digest, **where)


def group(names: Iterable[str], number: int) -> Group:
    """Return the group of some parts at a version."""
    return group_of({name: part(name, number) for name in names}, Tree({"a.yaml": MemoryBlob(str(number).encode())}))


def number_of(commit: str) -> int:
    """Return the version that a commit is."""
    return int(commit, 16)


def yaml_of(released: Released) -> str:
    """Return what a release is rendered to: every other version of a part changes nothing."""
    return " ".join(
        ("yaml", *(f"{name}={number_of(one.commit) // 2}" for name, one in parts(released.release).items()))
    )


@dataclass
class Environment:
    """One app in one environment: what Headgate knows, and what the model remembers."""

    reviewed: bool
    landed: Released = NOTHING
    pending: Pending = field(default_factory=Pending)
    frozen: bool = False
    foreign: bool = False
    broken: set[int] = field(default_factory=set)
    accepted: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    companions: dict[int, frozenset[str]] = field(default_factory=dict)

    def hold(self) -> Hold | None:
        """Return why nothing goes on by itself, as `intents.bring.hold_of` does."""
        if self.landed.release.pin is not None:
            return Hold(reason="pinned", keeps_proposal=False)
        if not self.reviewed:
            return Hold(reason="frozen") if self.frozen else None
        if self.pending.proposal is not None and self.pending.proposal.by_person:
            return Hold(reason="a roll-back is under review")
        return Hold(reason="somebody else's commits", yields=False) if self.foreign else None

    def known(self) -> dict[str, int]:
        """Return the newest version of each part, landed, proposed, held or rejected."""
        found = {name: number_of(one.commit) for name, one in self.landed.release.newest.items()}
        for newest in (*self.pending.newest().values(), self.pending.rejected):
            for name, one in newest.items():
                found[name] = max(found.get(name, 0), number_of(one.commit))
        return found

    def arrives(self, names: Iterable[str], number: int, *, now: bool = False) -> None:
        """A hand-off comes, whose order to what is known was looked up before."""
        known = self.known()
        newer = [name for name in names if number > known.get(name, 0)]
        if not newer:
            return self.runs()
        for name in newer:
            self.accepted[name] = max(self.accepted.get(name, 0), number)
        self.companions.setdefault(number, frozenset(newer))
        if now:
            self.landed = self.landed.changed(pin=None)
        failed = {name: number_of(one.commit) for name, one in versions_of(self.pending.failed).items()}
        behind = [name for name in newer if failed.get(name, 0) > number]
        arriving, hold = group(newer, number), self.hold()
        self.settle(decide(self.landed, self.pending, arriving, hold=hold, explicit=now, known=KNOWN, behind=behind))
        return None

    def runs(self, *, retry: bool = False) -> None:
        """A run comes that nobody asked for."""
        self.settle(decide(self.landed, self.pending, hold=self.hold(), retry=retry, known=KNOWN))

    def settle(self, wanted: Wanted) -> None:
        """Render and bring it where it goes, as `landing.land` does."""
        if not wanted.brings and wanted.hold:
            self.pending = wanted.holding()
            return
        for brought in wanted.candidates():
            after = wanted.release(brought)
            if self.renders(after):
                failure = None if len(brought) == len(wanted.brings) else FAILURE
                self.bring(wanted, brought, after, failure)
                return
        self.pending = wanted.holding(FAILURE)

    def bring(self, wanted: Wanted, brought: tuple[Group, ...], after: Released, failure: FailureRecord | None) -> None:
        """Land or propose what was rendered."""
        output, replaces = yaml_of(after), f"{yaml_of(self.landed)} {self.landed.runs}"
        record, before = ProposalRecord(changes="x", output=output, replaces=replaces), wanted.pending.proposal
        if not self.reviewed or output == yaml_of(self.landed):
            self.landed, self.pending = after, wanted.landing(brought, failure)
        elif before is not None and before.record == record:
            self.pending = wanted.keeping(brought, "equal", failure)
            assert self.pending.proposal == before, "approvals last, and the merge meets no other record"
        else:
            self.pending = wanted.proposing(brought, record, failure)

    def renders(self, released: Released) -> bool:
        """Whether no part of a release is of a version that cannot be rendered."""
        return all(number_of(one.commit) not in self.broken for one in parts(released.release).values())

    def merges(self) -> None:
        """A person merges the proposal."""
        proposal = self.pending.proposal
        if proposal is None or self.foreign:
            return
        self.landed = proposal.decided or compose(self.landed, proposal.groups)
        self.pending = replace(self.pending, proposal=None)
        self.runs()

    def closes(self) -> None:
        """A person closes the merge request."""
        proposal = self.pending.proposal
        if proposal is None:
            return
        found = {name: one for item in proposal.groups for name, one in item.parts.items()}
        for name, one in found.items():
            self.rejected[name] = max(self.rejected.get(name, 0), number_of(one.commit))
        rejections = {name: Rejection(**newest_of(one).model_dump(), by="Eve") for name, one in found.items()}
        self.pending = replace(self.pending, proposal=None, rejected={**self.pending.rejected, **rejections})
        self.runs()

    def rolls_back(self) -> None:
        """A person goes back to an earlier release."""
        if "web" not in self.landed.release.newest or self.foreign:
            return
        to = compose(NOTHING, [group(("web",), 1)])
        decided = to.changed(pin=PinRecord(by="Eve", reason="slow", since="0" * 40), newest=self.landed.release.newest)
        hold = Hold(reason="a roll-back came before it", keeps_proposal=False)
        wanted = decide(self.landed, self.pending, hold=hold, known=KNOWN)
        if self.reviewed and decided.runs != self.landed.runs:
            record = ProposalRecord(kind="roll-back", changes="x", actor="Eve")
            self.pending = replace(wanted.holding(), proposal=Proposal(record, decided=decided))
        else:
            self.landed, self.pending = decided, wanted.landing(())

    def freezes(self, *, frozen: bool) -> None:
        """The environment is frozen, or thawed."""
        self.frozen = frozen

    def gets_foreign(self, *, foreign: bool) -> None:
        """Somebody pushes to the branch for review, or that branch is gone."""
        self.foreign = foreign and self.reviewed

    def pins(self) -> None:
        """A person pins the app."""
        self.landed = self.landed.changed(pin=PinRecord(by="Eve", reason="audit", since="0" * 40))
        self.pending = withdrawn(self.pending, "pinned by Eve")

    def unpins(self) -> None:
        """The pin goes."""
        self.landed = self.landed.changed(pin=None)
        self.runs()


def check_nothing_is_lost(env: Environment) -> None:
    """Law 1: the newest accepted version of each part is landed or pending, unless a person rejected it."""
    there = {name: number_of(one.commit) for name, one in env.landed.release.newest.items()}
    proposal = env.pending.proposal
    groups = (*env.pending.proposed, *env.pending.held, *env.pending.failed)
    for item in groups:
        for name, one in item.parts.items():
            there[name] = max(there.get(name, 0), number_of(one.commit))
    for name, number in env.accepted.items():
        assert there.get(name, 0) >= number or env.rejected.get(name, 0) >= number, (name, number, env)
    if proposal is not None and proposal.record.kind == "release":
        assert proposal.groups


def check_places_are_apart(env: Environment) -> None:
    """No part is in two groups of a place, and none that is landed is pending still."""
    running = parts(env.landed.release)
    for place in (env.pending.proposed, env.pending.held, env.pending.failed):
        names = [name for item in place for name in item.parts]
        assert len(names) == len(set(names)), (names, env)
    for item in (*env.pending.held, *env.pending.failed):
        assert all(one != running.get(name) for name, one in item.parts.items()), env


def check_groups_are_whole(env: Environment, landed: Released) -> None:
    """Law 4: where a config is, the image of its commit is, or a newer one."""
    config = landed.release.config
    if config is None:
        return
    for name in env.companions.get(number_of(config.commit), frozenset()) - {CONFIG}:
        image = landed.release.images.get(name)
        assert image is not None
        went_back = image.commit != landed.release.newest[name].commit  # a person wanted the older image
        assert went_back or number_of(image.commit) >= number_of(config.commit), env


def check_order(env: Environment, before: Environment) -> None:
    """Law 2: the newest version that was ever released is never forgotten."""
    for name, one in before.landed.release.newest.items():
        assert number_of(env.landed.release.newest[name].commit) >= number_of(one.commit), env


PERSONS_WORD = {"now", "merge", "roll back"}
"""What may change what is pinned."""


ENDS_PERSONS_PROPOSAL = {*PERSONS_WORD, "close"}


def step(env: Environment, chance: random.Random, commits: list[tuple[str, ...]]) -> str:
    """Let one thing happen; return what it was."""
    actions: dict[str, Callable[[], None]] = {
        "late": lambda: comes_late(env, chance, commits),
        "run": env.runs,
        "retry": lambda: env.runs(retry=True),
        "merge": env.merges,
        "close": env.closes,
        "pin": env.pins,
        "unpin": env.unpins,
        "freeze": lambda: env.freezes(frozen=True),
        "thaw": lambda: env.freezes(frozen=False),
        "mend": env.broken.clear,
        "foreign": lambda: env.gets_foreign(foreign=True),
        "gone": lambda: env.gets_foreign(foreign=False),
        "roll back": env.rolls_back,
    }
    what = chance.choice([*["arrives"] * 5, "now", "break", *actions])
    if what in actions:
        actions[what]()
    else:
        commits.append(PARTS[chance.choice(list(PARTS))])
        if what == "break":
            env.broken.add(len(commits))
        env.arrives(commits[-1], len(commits), now=what == "now")
    return what


def comes_late(env: Environment, chance: random.Random, commits: list[tuple[str, ...]]) -> None:
    """One of the last hand-offs comes once more."""
    if commits:
        number = max(1, len(commits) - chance.randint(0, 3))
        env.arrives(commits[number - 1], number)


def run_sequence(seed: int) -> None:
    """Let fifteen things happen, and then let everything go on: what is newest runs."""
    chance = random.Random(seed)
    env, commits = Environment(reviewed=chance.random() < 0.5), list[tuple[str, ...]]()
    for _ in range(15):
        before = replace(env)
        what = step(env, chance, commits)
        decided = what in PERSONS_WORD
        check_nothing_is_lost(env)
        check_places_are_apart(env)
        check_order(env, before)
        check_groups_are_whole(env, env.landed if not env.landed.release.pin else NOTHING)
        if before.landed.release.pin is not None and env.landed.release.pin is not None and not decided:
            assert env.landed.runs == before.landed.runs, "law 3: what is pinned changes by a person's word only"
        proposal = before.pending.proposal
        if proposal is not None and proposal.by_person and what not in ENDS_PERSONS_PROPOSAL:
            landed_already = proposal.decided is not None and proposal.decided.runs == before.landed.runs
            assert env.pending.proposal == proposal or landed_already, "law 3: what a person proposed stays"
    check_everything_goes_on(env)


def check_everything_goes_on(env: Environment) -> None:
    """Laws 5 and 6: without holds and faults, what was accepted last runs, whatever came between."""
    env.broken.clear()
    env.frozen = env.foreign = False
    proposal = env.pending.proposal
    if proposal is not None and proposal.by_person:
        env.closes()
    env.unpins()
    for _ in range(3):
        env.runs(retry=True)
        env.merges()
    assert env.pending.is_empty, env
    for name, number in env.accepted.items():
        if env.rejected.get(name, 0) < number:
            assert number_of(env.landed.release.newest[name].commit) == number, (name, number, env)


MANY = [pytest.param(block, 5000, marks=pytest.mark.long) for block in range(20)]


@pytest.mark.parametrize(("block", "size"), [*((block, 500) for block in range(4)), *MANY])
def test_laws_hold_in_any_sequence(block: int, size: int) -> None:
    for seed in range(block * size, (block + 1) * size):
        run_sequence(seed)


# --- single decisions, of which a sequence rarely depends


def names(groups: Iterable[Group]) -> list[str]:
    return ["+".join(sorted(one.parts)) for one in groups]


def test_all_is_tried_first_and_then_less_and_less_the_newest_kept_longest() -> None:
    web, api, config = group(["web"], 1), group(["api"], 2), group([CONFIG], 3)
    wanted = decide(NOTHING, Pending(held=(web, api)), config, known=KNOWN)
    assert [names(one) for one in wanted.candidates()] == [
        ["web", "api", "config"],
        ["api", "config"],
        ["web", "config"],
        ["web", "api"],
        ["config"],
        ["api"],
        ["web"],
    ]


@pytest.mark.parametrize(("count", "tried"), [(0, 1), (1, 1), (4, 15), (5, 6), (9, 10)])
def test_of_many_groups_not_every_set_is_tried(count: int, tried: int) -> None:
    every = [f"image-{number}" for number in range(count)]
    held = tuple(group([name], number) for number, name in enumerate(every, start=1))
    wanted = decide(NOTHING, Pending(held=held), known=set(every))
    found = wanted.candidates()
    assert (len(found), len(found[0])) == (tried, count)
    assert names(found[-1]) == every[:1]


@pytest.mark.parametrize(("message", "since"), [("a template fails", "0"), ("it fails otherwise", "1")])
def test_the_same_error_again_is_no_news(message: str, since: str) -> None:
    failed = group(["web"], 2).changed(failure=FAILURE)
    again = decide(NOTHING, Pending(failed=(failed,)), retry=True, known=KNOWN)
    after = again.holding(FailureRecord(code=17, message=message, since="1" * 40))
    (left,) = after.failed
    assert left.record.failure is not None
    assert (left.record.failure.message, left.record.failure.since) == (message, since * 40)


def test_why_a_group_is_not_taken_any_more_is_on_record_unless_something_else_holds_it() -> None:
    held = Pending(held=(group(["web"], 1).changed(reasons=("frozen",)),))
    freed = decide(NOTHING, held, known=KNOWN, refusal=lambda _group: "no environment takes it any more")
    assert [one.record.reasons for one in freed.pending.held] == [("no environment takes it any more",)]
    assert freed.brings == ()
    shut = decide(NOTHING, held, hold=Hold(reason="frozen"), known=KNOWN, refusal=lambda _group: "no environment")
    assert [one.record.reasons for one in shut.pending.held] == [("frozen",)]


@pytest.mark.parametrize(("yields", "goes_on"), [(True, True), (False, False)])
def test_a_persons_word_goes_past_what_yields(yields: bool, goes_on: bool) -> None:
    hold = Hold(reason="x", yields=yields) if not yields else Hold(reason="pinned")
    arriving = group(["web"], 1)
    assert (
        decide(NOTHING, Pending(), arriving, hold=hold, explicit=True, known=KNOWN).brings == (arriving,)
    ) == goes_on
    assert decide(NOTHING, Pending(), arriving, hold=hold, known=KNOWN).is_held


@pytest.mark.parametrize("merged", [True, False])
def test_a_roll_back_that_was_merged_is_proposed_no_more(merged: bool) -> None:
    old, new = compose(NOTHING, [group(["web"], 1)]), compose(NOTHING, [group(["web"], 2)])
    record = ProposalRecord(kind="roll-back", changes="x", actor="Eve")
    pending = Pending(proposal=Proposal(record, decided=old))
    assert (cleaned(old if merged else new, pending, KNOWN).proposal is None) == merged


@pytest.mark.parametrize("kind", ["roll-back", "removal"])
@pytest.mark.parametrize("arriving", [None, group(["web"], 3)])
def test_a_pin_leaves_a_proposed_roll_back_or_removal_to_who_reviews_it(kind: str, arriving: Group | None) -> None:
    old, new = compose(NOTHING, [group(["web"], 1)]), compose(NOTHING, [group(["web"], 2)])
    record = ProposalRecord.model_validate({"kind": kind, "changes": "x", "actor": "Eve"})
    proposal = Proposal(record, decided=old if kind == "roll-back" else None)
    pinned = Hold(reason="pinned by Ada: audit", keeps_proposal=False)
    wanted = decide(new, Pending(proposal=proposal), arriving, hold=pinned, known=KNOWN)
    assert wanted.holding().proposal == proposal
    assert withdrawn(Pending(proposal=proposal), "pinned by Ada: audit").proposal == proposal


def test_a_rejection_is_forgotten_when_that_very_version_runs_or_the_part_is_gone() -> None:
    def rejection(name: str, number: int) -> Rejection:
        return Rejection(**newest_of(part(name, number)).model_dump(), by="Eve")

    rejected = {"web": rejection("web", 2), "api": rejection("api", 2), "gone": rejection("api", 2)}
    landed = compose(NOTHING, [group(["web"], 2), group(["api"], 1)])
    assert list(cleaned(landed, Pending(rejected=rejected), KNOWN).rejected) == ["api"]
    assert list(cleaned(NOTHING, Pending(rejected=rejected), KNOWN).rejected) == ["web", "api"]


@pytest.mark.parametrize("digest", [1, 2])
def test_a_rejection_is_of_a_commit_and_a_digest(digest: int) -> None:
    landed = compose(NOTHING, [group(["web"], 1)])
    rejected = {"web": Rejection(commit=f"{1:040x}", ref="refs/heads/main", digest=f"sha256:{digest:064x}")}
    assert bool(cleaned(landed, Pending(rejected=rejected), KNOWN).rejected) == (digest != 1)


LANDED = compose(NOTHING, [group(["web"], 1), group(["api"], 1)])
PROPOSES = ProposalRecord(changes="x")


def test_the_same_error_is_no_news_either_where_it_comes_again_with_what_runs_already() -> None:
    failed = group(["web"], 2).changed(failure=FAILURE)
    again = group_of({"web": part("web", 2), "api": part("api", 1)}, Tree({}))
    wanted = decide(LANDED, Pending(failed=(failed,)), again, known=KNOWN)
    later = FAILURE.model_copy(update={"since": "1" * 40})
    (left,) = wanted.holding(later).failed
    assert left.record == failed.record


def test_a_proposal_keeps_its_record_as_long_as_anything_in_it_has_not_landed() -> None:
    proposed = group_of({"web": part("web", 2), "api": part("api", 1)}, Tree({}))
    proposal = Proposal(PROPOSES, (proposed,))
    assert cleaned(LANDED, Pending(proposal=proposal), KNOWN).proposal == proposal
    assert cleaned(compose(LANDED, [proposed]), Pending(proposal=proposal), KNOWN).proposal is None


@pytest.mark.parametrize("landed", [True, False])
def test_a_template_that_travels_is_a_part(landed: bool) -> None:
    """It has not landed where all parts that it came with did."""
    running = LANDED.changed(template="b" * 40 if landed else "a" * 40)
    promoted = group(["web"], 1).changed(template="b" * 40, promotion="dev")
    pending = Pending(proposal=Proposal(PROPOSES, (promoted,)), held=(promoted,), failed=(promoted,))
    left = cleaned(running, pending, KNOWN)
    assert (left.proposed, left.held, left.failed) == ((),) * 3 if landed else ((promoted,),) * 3
