"""Errors of the storage.

StorageError
├── SchemaError           the database's schema is not the one this code needs
│   ├── SchemaTooNewError     a newer version has migrated it
│   └── SchemaForeignError    its tables were made by something else
├── PasswordError         a password that is refused
├── AuditError            the audit's chain is broken
├── ReviewError           a step of a review that cannot be taken
├── CopyFormatError       bytes that are not the binary COPY they should be
└── RegistryError         a change of the registry that contradicts what is there
    ├── AlreadyThereError     a code, plate, ident or licence that is taken
    ├── NotThereError         a code, plate, ident or licence that nobody has
    ├── NotAllowedError       a row that the caller sees but may not change
    └── FlawedError           records with all that is wrong with them (storage.registry.flaws)
"""


class StorageError(Exception):
    """Base of every error that this package raises itself; psycopg's pass through."""


class SchemaError(StorageError):
    """The database's schema is not the one this code needs."""


class SchemaTooNewError(SchemaError):
    """A newer version of hanhtrinh has migrated this database."""


class SchemaForeignError(SchemaError):
    """The database holds tables that hanhtrinh did not make."""


class PasswordError(StorageError):
    """A password that is refused; the message says what was expected."""


class AuditError(StorageError):
    """The audit's chain is broken; the message says where."""


class ReviewError(StorageError):
    """A step of a review that cannot be taken, or a file that is refused.

    code: forbidden, step_not_possible, other_person_needed, version_mismatch, file_refused,
    too_many_files, must_be_kept; or invalid_request, with the value at fault as `place`.
    """

    def __init__(self, code: str, detail: str, *, place: str = "") -> None:
        super().__init__(f"{place}: {detail}" if place else detail)
        self.code, self.detail, self.place = code, detail, place


class CopyFormatError(StorageError):
    """Bytes that are not the binary COPY they should be."""


class RegistryError(StorageError):
    """A change of the registry that contradicts what is there."""


class AlreadyThereError(RegistryError):
    """A code, plate, ident or licence that is taken.

    field, value: which one, where the database says it.
    """

    def __init__(self, said: str, *, field: str | None = None, value: str | None = None) -> None:
        super().__init__(said)
        self.field, self.value = field, value


class NotThereError(RegistryError):
    """A code, plate, ident or licence that nobody has."""


class NotAllowedError(RegistryError):
    """A row that the caller sees but may not change."""
