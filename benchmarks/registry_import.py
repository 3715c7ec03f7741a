"""What importing a fleet's tables takes: processor time of the importing process, and elapsed.

    python -m benchmarks.registry_import [--vehicles 50000] [--json] [--quick]

Operators, vehicles, devices and assignments from CSV: new, the same again, every vehicle changed.
XLSX, where openpyxl is there to write it, is read, and by openpyxl too.
"""

import argparse
import asyncio
import csv
import io
import json
import tempfile
import time
from pathlib import Path
from zoneinfo import ZoneInfo

from hanhtrinh.embedded import DataFolder, EmbeddedPostgres
from storage.bulk.importing import TableImport
from storage.bulk.kinds import TABLES
from storage.bulk.problems import Problems
from storage.bulk.reading import read_table
from storage.database import connect
from storage.migrations import upgrade

OPERATORS = 50
VEHICLES = (
    "Biển số", "Mã đơn vị", "Kiểu xe", "Khối lượng toàn bộ (kg)", "Tự trọng", "Tải trọng (tấn)",
    "Số trục", "Số khung",
)  # fmt: skip


def of_csv(header, rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows([header, *rows])
    return out.getvalue().encode("utf-8-sig")


def vehicles(count, gross_kg):
    return [
        (f"29C-{n // 100:03d}.{n % 100:02d}", f"op{n % OPERATORS}", "xe tải", gross_kg, 6000, 9.5,
         3, f"RLH{n:08d}")
        for n in range(count)
    ]  # fmt: skip


def measured(work):
    cpu, began = time.process_time(), time.perf_counter()
    done = work()
    took = {"cpu_s": round(time.process_time() - cpu, 2)}
    return done, took | {"elapsed_s": round(time.perf_counter() - began, 1)}


async def imported(dsn, what, content):
    problems = Problems()
    async with await connect(dsn, name="benchmark") as conn, conn.transaction():
        table = read_table(content)
        zone = ZoneInfo("Asia/Ho_Chi_Minh")
        outcome = await TableImport(TABLES[what], table, what, zone, problems).run(
            conn, dry_run=False
        )
    assert not problems, list(problems)[:3]
    return outcome


def tables(dsn, count):
    imeis = [f"86000000{n:07d}" for n in range(count)]
    fleet = vehicles(count, 16000)
    given = [
        ("operators", ("code", "name"), [(f"op{n}", f"Đơn vị {n}") for n in range(OPERATORS)]),
        ("vehicles", VEHICLES, fleet),
        ("devices", ("imei", "codec"), [(imei, "teltonika") for imei in imeis]),
        ("assignments", ("imei", "plate"), [(i, v[0]) for i, v in zip(imeis, fleet, strict=True)]),
        ("vehicles", VEHICLES, fleet),
        ("vehicles", VEHICLES, vehicles(count, 17000)),
    ]  # fmt: skip
    for what, header, rows in given:
        content = of_csv(header, rows)
        outcome, took = measured(lambda w=what, c=content: asyncio.run(imported(dsn, w, c)))
        came = max(("added", "changed", "unchanged"), key=lambda name: getattr(outcome, name))
        yield {"what": f"{len(rows)} {what} {came}", **took}


def workbooks(count):
    try:
        import openpyxl  # noqa: PLC0415
    except ImportError:
        return
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (VEHICLES, *vehicles(count, 16000)):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    _, took = measured(lambda: read_table(out.getvalue()))
    yield {"what": f"{count} rows of XLSX read", **took}
    _, took = measured(
        lambda: [
            *openpyxl.load_workbook(out, read_only=True, data_only=True)
            .worksheets[0]
            .iter_rows(values_only=True)
        ]
    )
    yield {"what": f"{count} rows of XLSX read by openpyxl", **took}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vehicles", type=int, default=50_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    count = 500 if asked.quick else asked.vehicles
    folder = DataFolder.open(Path(tempfile.mkdtemp(prefix="hanhtrinh-bench-")))
    try:
        with EmbeddedPostgres(folder) as database:
            upgrade(database.dsn)
            found = [*tables(database.dsn, count), *workbooks(count)]
    finally:
        folder.remove()
    for one in found:
        took = f"{one['cpu_s']:7.2f} s processor {one['elapsed_s']:7.1f} s elapsed"
        print(json.dumps(one) if asked.json else f"{one['what']:40} {took}")


if __name__ == "__main__":
    main()
