"""Errors of the settings: one kind, whose message lists everything that is wrong at once."""


class SettingsError(Exception):
    """Settings that cannot be used: one line for each name or value that is wrong."""
