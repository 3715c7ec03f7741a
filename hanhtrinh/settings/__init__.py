"""Settings: declared once, read from one TOML file and the environment, shown with their origin."""

from hanhtrinh.settings.errors import SettingsError
from hanhtrinh.settings.loading import Loaded, load
from hanhtrinh.settings.model import Settings
from hanhtrinh.settings.rows import Row, rows

__all__ = ["Loaded", "Row", "Settings", "SettingsError", "load", "rows"]
