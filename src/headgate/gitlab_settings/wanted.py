"""The wanted GitLab settings of each set-up, project by project, in the order of writing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headgate.doctor import places
from headgate.doctor.branches import DEVELOPER, MAINTAINER
from headgate.gitlab_settings.setting import (
    AllowedJobs,
    HiddenVariable,
    LimitedJobTokens,
    Membership,
    MissingProject,
    NightlySchedule,
    ProjectFact,
    ProtectedDefaultBranch,
)
from headgate.records import frozen_record
from headgate.scaffolding import INTAKE_CI

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headgate.gitlab_settings.setting import Setting
    from headgate.scaffolding import Setup

_NO_ONE = 0


@frozen_record
class Layout:
    """The projects. ``intake`` is empty in other set-ups; ``needs_bot``: jobs need a bot."""

    setup: Setup
    manifests: str
    intake: str
    apps: tuple[str, ...]
    needs_bot: bool

    @property
    def runs_in(self) -> str:
        """The project whose pipelines take hand-offs."""
        return self.intake or self.manifests

    @property
    def bot_level(self) -> int:
        """The bot's role in the manifest project: it pushes the default branch."""
        return DEVELOPER if self.setup == "direct" else MAINTAINER


@frozen_record
class BotAccess:
    """The bot's user (0: unknown), and functions that return its token and its trigger token."""

    user: int
    secret: Callable[[], str]
    trigger: Callable[[], str]


def settings(layout: Layout, bot: BotAccess) -> tuple[Setting, ...]:
    """Return all settings of the set-up that the API can write. Names are those in the texts of ``scaffold/steps``."""
    return (*_ours(layout, bot), *(setting for app in layout.apps for setting in _of_app(layout, app, bot)))


def _ours(layout: Layout, bot: BotAccess) -> Iterator[Setting]:
    manifests, is_direct = layout.manifests, layout.setup == "direct"
    level = DEVELOPER if is_direct else MAINTAINER
    if layout.intake:
        place = f"Create the project {layout.intake} with only a README"
        yield MissingProject(name="make_intake", project=layout.intake, place=place)
    yield ProtectedDefaultBranch(name="branch", project=manifests, place=_branch_place(layout), push=level, merge=level)
    yield from _closed(manifests, "")
    if is_direct:
        key = "ci_push_repository_for_job_token_allowed"
        place = f"{places.JOB_PUSH}: on"
        yield ProjectFact(name="job_push", project=manifests, place=place, key=key, value=True)
    if layout.intake:
        yield from _of_intake(layout)
    if layout.needs_bot:
        if bot.user:
            place = f"{places.MEMBERS}: the bot, as {_ROLES[layout.bot_level]}"
            yield Membership(name="bot_member", project=manifests, place=place, user=bot.user, level=layout.bot_level)
        yield _token(manifests, "token", "the bot's token", bot)
        if layout.intake:
            yield _token(layout.intake, "intake_token", "the very same token", bot)
    if layout.setup == "token":
        more = ", and each app's project, so that the app's job can wait for the pipeline"
        yield from (_listed("jobs_of_apps", manifests, app, more) for app in layout.apps)
    yield NightlySchedule(
        name="schedule",
        project=manifests,
        place=_NIGHTLY,
        more=_SCHEDULED,
    )


_NIGHTLY = f"{places.SCHEDULES}: one every night on the default branch"
_SCHEDULED = (
    ", or as often as `takes: auto` needs, owned by somebody who may merge there: it verifies everything, runs due "
    "promotions and refreshes proposals"
)
_ROLES = {DEVELOPER: "Developer", MAINTAINER: "Maintainer"}


def _branch_place(layout: Layout) -> str:
    at = f"{places.PROTECTED_BRANCHES}: the default branch"
    if layout.setup == "direct":
        who = "'Allowed to merge' and 'Allowed to push and merge': Developers + Maintainers"
    else:
        who = "'Allowed to merge': Maintainers; 'Allowed to push and merge': Maintainers, or with Premium the bot alone"
    return f"{at}, {who}; 'Allowed to force push': off"


def _closed(project: str, prefix: str) -> Iterator[Setting]:
    """Yield the settings that keep others from controlling our jobs, and from using their tokens on us."""
    key = "ci_pipeline_variables_minimum_override_role"
    place, value = places.PIPELINE_VARIABLES, "no_one_allowed"
    yield ProjectFact(name=f"{prefix}variables_role", project=project, place=place, key=key, value=value)
    yield LimitedJobTokens(name=f"{prefix}limited", project=project, place=places.LIMITED)


def _of_intake(layout: Layout) -> Iterator[Setting]:
    project, file = layout.intake, f"{INTAKE_CI}@{layout.manifests}"
    place = f"{places.CI_FILE} {file}"
    yield ProjectFact(name="intake_file", project=project, place=place, key="ci_config_path", value=file)
    who = "'Allowed to merge': Developers + Maintainers; 'Allowed to push and merge': No one"
    place = f"{places.PROTECTED_BRANCHES}: the default branch, {who}"
    yield ProtectedDefaultBranch(name="intake_branch", project=project, place=place, push=_NO_ONE, merge=DEVELOPER)
    yield from _closed(project, "intake_")


def _of_app(layout: Layout, app: str, bot: BotAccess) -> Iterator[Setting]:
    if layout.setup == "token":
        place = f"{places.VARIABLES}: HEADGATE_TRIGGER_TOKEN, a trigger token of the bot's, {places.HIDDEN}"
        key = "HEADGATE_TRIGGER_TOKEN"
        yield HiddenVariable(name="trigger_token", project=app, place=place, key=key, secret=bot.trigger)
        place = f"{places.MEMBERS}: the bot, as Developer"
        more = (
            ", so that it reads the app and writes commit statuses and notes there; a project access token cannot be "
            f"a member: then give {layout.manifests} the variable HEADGATE_READ_TOKEN"
        )
        yield Membership(name="bot_reads", project=app, place=place, more=more, user=bot.user, level=DEVELOPER)
    yield _listed("allowlist", app, layout.runs_in)


def _listed(name: str, project: str, other: str, more: str = "") -> Setting:
    return AllowedJobs(name=name, project=project, place=f"{places.ALLOWLIST} {other}", more=more, other=other)


def _token(project: str, name: str, whose: str, bot: BotAccess) -> Setting:
    place = f"{places.VARIABLES}: HEADGATE_TOKEN, {whose}, {places.HIDDEN}"
    return HiddenVariable(name=name, project=project, place=place, key="HEADGATE_TOKEN", secret=bot.secret)


def unwritten() -> str:
    """Return no token: for showing settings only."""
    raise NotImplementedError


def shown(layout: Layout) -> Sequence[Setting]:
    """Return the settings for people to read."""
    return settings(layout, BotAccess(user=0, secret=unwritten, trigger=unwritten))
