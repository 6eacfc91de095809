"""The files of a manifest repository, declared once for reading, validation, documentation and JSON Schema."""

from headgate.model.app import Allow, App, AppEnvironment, AppReview, Config, Granted, Image, TemplateSettings
from headgate.model.clusters import Cluster, FluxObjects, HealthSource
from headgate.model.fields import RiskFlag, StrictModel
from headgate.model.lock import Lock
from headgate.model.merges import UnapprovedMerge, UnapprovedMerges
from headgate.model.notification import Notification
from headgate.model.output import Artifact, Mirror, Output
from headgate.model.pending import FailureRecord, GroupRecord, ProposalRecord, Rejected, Rejection
from headgate.model.policies import PolicySettings
from headgate.model.promotion import AfterHealth
from headgate.model.release import (
    FreezeRecord,
    Newest,
    Part,
    PinRecord,
    Release,
    ReleasedConfig,
    ReleasedDependency,
    ReleasedImage,
)
from headgate.model.settings import (
    AcceptRule,
    CommitIdentity,
    Commits,
    Dependencies,
    Environment,
    GitLabSettings,
    Registry,
    Review,
    Settings,
    SettingsLimits,
    Window,
)
from headgate.model.validation import Validation, Waiver

__all__ = [
    "AcceptRule",
    "AfterHealth",
    "Allow",
    "App",
    "AppEnvironment",
    "AppReview",
    "Artifact",
    "Cluster",
    "CommitIdentity",
    "Commits",
    "Config",
    "Dependencies",
    "Environment",
    "FailureRecord",
    "FluxObjects",
    "FreezeRecord",
    "GitLabSettings",
    "Granted",
    "GroupRecord",
    "HealthSource",
    "Image",
    "Lock",
    "Mirror",
    "Newest",
    "Notification",
    "Output",
    "Part",
    "PinRecord",
    "PolicySettings",
    "ProposalRecord",
    "Registry",
    "Rejected",
    "Rejection",
    "Release",
    "ReleasedConfig",
    "ReleasedDependency",
    "ReleasedImage",
    "Review",
    "RiskFlag",
    "Settings",
    "SettingsLimits",
    "StrictModel",
    "TemplateSettings",
    "UnapprovedMerge",
    "UnapprovedMerges",
    "Validation",
    "Waiver",
    "Window",
]
