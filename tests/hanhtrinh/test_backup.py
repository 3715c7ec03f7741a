import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from devices.batch import FixBatch
from hanhtrinh import backup
from hanhtrinh.errors import CommandError
from storage import fixes
from tests.hanhtrinh.command import hanhtrinh
from tests.storage.connected import connected, rows

pytestmark = pytest.mark.integration

MAY_2025_US = 1_746_100_800_000_000


def test_a_database_that_is_lost_is_got_back(postgres, migrated_template, tmp_path):
    archive = tmp_path / "nightly.dump"
    batch = FixBatch.blank(
        3, vehicle=[1, 1, 2], time=MAY_2025_US + np.array([0, 1, fixes.DAY_US]), lon=[1.5, 2, 3]
    )

    async def store(conn):
        await fixes.ensure_days(conn, batch.time)
        await fixes.insert_fixes(conn, batch)
        await conn.execute("INSERT INTO operators (code, name) VALUES ('op', 'Xe kh\u00e1ch')")

    async def read(conn):
        known = await rows(conn, "SELECT code, name FROM operators")
        hours = await rows(conn, "SELECT vehicle_id, fixes FROM fix_hours ORDER BY 1, hour")
        found = await fixes.stretch(conn, np.array([1, 2], np.int32), batch.time[:1].repeat(2))
        await conn.execute("SET ROLE hanhtrinh_api")
        return known, hours, found.lon.tolist(), await rows(conn, "SELECT * FROM visible_fixes")

    with postgres.new_database(migrated_template) as lost:
        dsn = postgres.dsn_of(lost)
        connected(dsn, store)
        before = connected(dsn, read)
        saved = hanhtrinh("backup", str(archive), settings={"HANHTRINH_DATABASE__DSN": dsn})
        assert saved.returncode == 0, saved.stderr
        assert {mode_of(one) for one in tmp_path.iterdir()} == {0o600}
        refused = hanhtrinh("restore", str(archive), settings={"HANHTRINH_DATABASE__DSN": dsn})
        assert refused.returncode == 1
        assert "expected an empty one" in refused.stderr
    with postgres.new_database() as new:
        settings = {"HANHTRINH_DATABASE__DSN": postgres.dsn_of(new)}
        restored = hanhtrinh("restore", str(archive), settings=settings)
        assert restored.returncode == 0, restored.stderr
        assert restored.data == saved.data
        assert restored.data["fixes"] == 3
        assert connected(postgres.dsn_of(new), read) == before


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_what_is_saved_is_its_owners_alone_whatever_the_umask(tmp_path, database, umask):
    there = tmp_path / "there"
    there.mkdir()
    there.chmod(0o755)
    archive = there / "of" / "may" / "nightly.dump"
    # Of before, or of a backup that was cut off.
    old = [there / "nightly.dump", there / "nightly.dump.json", there / "nightly.dump.part"]
    for file in old:
        file.write_text("old")
        file.chmod(0o644)
    before = os.umask(umask)
    try:
        backup.back_up(database, archive)
        backup.back_up(database, there / "nightly.dump")
    finally:
        os.umask(before)
    assert {mode_of(one) for one in (archive.parent, archive.parent.parent)} == {0o700}
    assert mode_of(there) == 0o755
    files = [*archive.parent.iterdir(), *(one for one in there.iterdir() if one.is_file())]
    assert {one.name for one in files} == {"nightly.dump", "nightly.dump.json"}
    assert len(files) == 4
    assert {mode_of(one) for one in files} == {0o600}


def test_where_nothing_can_be_written_is_said_before_anything_is_dumped(tmp_path, database):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CommandError, match=r"nightly\.dump\.part: File exists"):
        backup.back_up(database, tmp_path / "file" / "nightly.dump")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_restore_with_fewer_rows_than_were_saved_is_told(postgres, migrated_template, tmp_path):
    archive = tmp_path / "nightly.dump"
    listed = tmp_path / "nightly.dump.json"
    with postgres.new_database(migrated_template) as lost:
        settings = {"HANHTRINH_DATABASE__DSN": postgres.dsn_of(lost)}
        assert hanhtrinh("backup", str(archive), settings=settings).returncode == 0
    manifest = json.loads(listed.read_text())
    manifest["rows"]["operators"] += 1
    listed.write_text(json.dumps(manifest))
    with postgres.new_database() as new:
        settings = {"HANHTRINH_DATABASE__DSN": postgres.dsn_of(new)}
        said = hanhtrinh("restore", str(archive), settings=settings)
    assert said.returncode == 1
    assert "operators: expected 1 rows as saved, got 0" in said.stderr
