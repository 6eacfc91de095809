"""The files of a manifest repository, declared once: what is read, checked, documented and given as JSON Schema."""

from headgate.model.app import Allow, App, AppEnvironment, Config, Granted, Image, Template
from headgate.model.fields import Record
from headgate.model.pending import Failure, GroupRecord, ProposalRecord, Rejected, Rejection
from headgate.model.release import Freeze, Newest, Part, Pin, Release, ReleasedConfig, ReleasedDependency, ReleasedImage
from headgate.model.settings import (
    Commits,
    Dependencies,
    Environment,
    GitLab,
    Lock,
    Mirror,
    Output,
    Person,
    Registry,
    Review,
    Settings,
    SettingsLimits,
    Take,
    Window,
)
from headgate.model.validation import Validation, Waiver

__all__ = [
    "Allow",
    "App",
    "AppEnvironment",
    "Commits",
    "Config",
    "Dependencies",
    "Environment",
    "Failure",
    "Freeze",
    "GitLab",
    "Granted",
    "GroupRecord",
    "Image",
    "Lock",
    "Mirror",
    "Newest",
    "Output",
    "Part",
    "Person",
    "Pin",
    "ProposalRecord",
    "Record",
    "Registry",
    "Rejected",
    "Rejection",
    "Release",
    "ReleasedConfig",
    "ReleasedDependency",
    "ReleasedImage",
    "Review",
    "Settings",
    "SettingsLimits",
    "Take",
    "Template",
    "Validation",
    "Waiver",
    "Window",
]
