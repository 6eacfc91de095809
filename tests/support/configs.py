"""Files of configuration with one place changed, and what is said of them."""

from __future__ import annotations

import pytest

from headgate.config import load, load_template
from headgate.configuration import AppRecord
from headgate.errors import ConfigError, HeadgateError
from support.trees import HEADGATE, configuration, repository, tree_of

SHOP = "registry.example.com/acme/shop"
APP = f"""\
project: acme/shop
images:
  shop: {SHOP}
template: web
"""
MINIMAL = "{project: acme/x, template: web}"


def in_settings(old: str, new: str) -> str:
    """Return headgate.yaml with one place changed."""
    assert HEADGATE.count(old) == 1
    return HEADGATE.replace(old, new)


def in_app(old: str, new: str) -> str:
    assert APP.count(old) == 1
    return APP.replace(old, new)


def settings_error(text: str, **apps: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(repository(apps, settings=text))
    return str(caught.value)


def app_failure(text: str) -> HeadgateError:
    found = load(repository({"shop": text, "fine": MINIMAL}))
    assert list(found.apps) == ["fine"], "an app fails alone"
    (error,) = found.broken.values()
    return error


def app_error(text: str) -> str:
    error = app_failure(text)
    assert type(error) is ConfigError
    return str(error)


def template_error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_template(tree_of({"templates/web/template.yaml": text}), "templates/web")
    return str(caught.value)


def shop(text: str = APP, settings: str = HEADGATE) -> AppRecord:
    return configuration({"shop": text}, settings=settings).apps["shop"]
