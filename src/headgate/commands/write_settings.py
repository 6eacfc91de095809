"""The common part of ``init --apply`` and ``doctor --fix``: show GitLab's settings, write, check and report them."""

from __future__ import annotations

import getpass
import sys
import textwrap
from typing import TYPE_CHECKING

from headgate.doctor.examine import examine
from headgate.errors import ConfigError
from headgate.gitlab_settings.bot import Bot
from headgate.gitlab_settings.setting import MissingProject
from headgate.gitlab_settings.wanted import BotAccess, settings
from headgate.gitlab_settings.write import missing, project_of, write
from headgate.records import frozen_record
from headgate.report.terminal import WIDTH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headgate.doctor.examine import Checkout, Examined
    from headgate.gitlab.api import GitLab
    from headgate.gitlab_settings.setting import Setting
    from headgate.gitlab_settings.wanted import Layout
    from headgate.report.terminal import Terminal

BOT_VARIABLE = "HEADGATE_BOT_TOKEN"


def secret_in(variable: str, environ: Mapping[str, str], hint: str) -> str:
    """Return the token in a variable, or what a person types in a terminal. Raises ConfigError."""
    secret = environ.get(variable, "")
    if not secret and sys.stdin.isatty():
        secret = getpass.getpass(f"{variable} ({hint}): ").strip()
    if not secret:
        raise ConfigError(
            f"the variable {variable} is not set",
            hint=f"put {hint} there; --token-env NAME names another variable",
        )
    return secret


@frozen_record
class Order:
    """The settings to write, or only to show. ``may_make``: create a bot's token if none was given."""

    gitlab: GitLab
    layout: Layout
    checkout: Checkout
    given: str
    """The bot's token, if given, from the variable ``bot_variable``."""
    bot_variable: str
    may_make: bool = False
    dry_run: bool = False


@frozen_record
class Settled:
    """The names of the settings that are right, and how many are left."""

    done: frozenset[str]
    left: int


def write_settings(order: Order, terminal: Terminal) -> Settled:
    """Show the settings to make, write them unless they are only shown, and report the result.

    Raises GitLabError if GitLab does not answer, or accepts no token at all.
    """
    examined = _look(order)
    bot = _bot(order, examined)
    wanted = settings(order.layout, BotAccess(user=bot.user, secret=bot.secret, trigger=bot.trigger))
    open_ = missing(wanted, examined)
    terminal.line(
        f"\nTo set in GitLab, with {order.gitlab.token}:\n" if open_ else "\nGitLab has all settings.", "bold"
    )
    for setting in open_:
        _line(terminal, "would set" if order.dry_run else "to set", setting)
    if not open_ or order.dry_run:
        return Settled(done=frozenset(setting.name for setting in wanted if setting not in open_), left=len(open_))
    terminal.line("")
    reasons = _write(order, terminal, open_, examined)
    for remark in bot.remarks:
        _wrapped(terminal, "note", remark)
    after = _look(order)
    left = missing(wanted, after)
    for setting in left:
        _line(terminal, "left", setting)
        reason = reasons.get(setting, f"GitLab accepted it, and shows another value: check it there ({setting.who})")
        _wrapped(terminal, "", reason)
    terminal.line(f"{len(open_) - len(left)} set, {len(left)} left")
    return Settled(done=frozenset(setting.name for setting in wanted if setting not in left), left=len(left))


def _look(order: Order) -> Examined:
    layout = order.layout
    return examine(order.gitlab, layout.setup, layout.manifests, layout.intake, order.checkout)


def _bot(order: Order, examined: Examined) -> Bot:
    """Return the bot, from the given token, or from the one that GitLab shows because it is masked and not hidden."""
    ours = [project for project in (examined.manifests, examined.intake) if project is not None]
    known = [(project.variables or {}).get("HEADGATE_TOKEN") for project in ours]
    tokens = [project.tokens.get("HEADGATE_TOKEN") for project in ours]
    values = [str(at["value"]) for at, token in zip(known, tokens, strict=True) if at and token and token.status == _OK]
    return Bot(
        order.gitlab,
        order.layout,
        order.given or next(iter(values), ""),
        order.bot_variable,
        may_make=order.may_make and order.layout.setup != "token" and not any(known),
    )


_OK = 200


def _write(order: Order, terminal: Terminal, open_: Sequence[Setting], examined: Examined) -> dict[Setting, str]:
    """Write settings, missing projects first; return why the remaining ones are left."""

    def written(setting: Setting, remark: str) -> None:
        _line(terminal, "set", setting)
        if remark:
            _wrapped(terminal, "", remark)

    projects = [setting for setting in open_ if isinstance(setting, MissingProject)]
    refused = {refusal.setting: refusal.why for refusal in write(order.gitlab, projects, examined, written)}
    others = [setting for setting in open_ if setting not in projects]
    again = _look(order) if projects else examined
    needed = [setting for setting in others if not setting.is_so(project_of(setting, again))]
    return refused | {refusal.setting: refusal.why for refusal in write(order.gitlab, needed, again, written)}


def _line(terminal: Terminal, word: str, setting: Setting) -> None:
    _wrapped(terminal, word, f"{setting.project}: {setting.place}")


def _wrapped(terminal: Terminal, word: str, text: str) -> None:
    first, *more = textwrap.wrap(text, WIDTH - 14, break_on_hyphens=False, break_long_words=False)
    for line in (f"{word:<12}{first}", *(f"{'':<12}{line}" for line in more)):
        terminal.line(line)
