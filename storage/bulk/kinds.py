"""The tables that can be imported: their columns in both languages, and what names a row.

Belongs here: one table for each kind of record. docs/registry-import.md shows the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from storage.bulk.cells import (
    plain_name,
    read_choice,
    read_count,
    read_date,
    read_flag,
    read_hours,
    read_instant,
    read_last_day,
    read_line,
    read_number,
)
from storage.bulk.columns import DEGREES, FRACTION, KG, KMH, METRES, Column
from storage.registry.records import (
    BADGE_KINDS,
    AssignmentRecord,
    BadgeRecord,
    CalibrationRecord,
    DeviceRecord,
    DriverRecord,
    OperatorRecord,
    Record,
    StationRecord,
    VehicleRecord,
    VehicleRouteRecord,
)


def _choices(**names: tuple[str, ...]) -> dict[str, str]:
    """What each plain name means: a value by itself, and by what people call it."""
    return {plain_name(name): value for value, others in names.items() for name in (value, *others)}


VEHICLE_KIND: Final = _choices(
    rigid=("xe tải", "ô tô tải"),
    tractor_semi=("đầu kéo", "xe đầu kéo", "đầu kéo sơ mi rơ moóc"),
    rigid_trailer=("xe tải kéo rơ moóc",),
    bus=("xe khách", "xe buýt", "ô tô khách"),
    car=("xe con", "ô tô con"),
)
STATION_KIND: Final = _choices(static=("cố định", "cân tĩnh"), wim=("cân động", "tự động"))
BADGE_KIND: Final = _choices(**dict.fromkeys(BADGE_KINDS, ())) | _choices(
    fixed_route=("tuyến cố định",),
    feeder=("trung chuyển",),
    bus=("xe buýt",),
    contract=("hợp đồng", "xe hợp đồng"),
    tourist=("du lịch",),
    container=("công-ten-nơ",),
    tractor=("đầu kéo", "xe đầu kéo"),
    truck=("xe tải",),
)

_OPERATOR: Final = Column("operator", "Mã đơn vị", ("đơn vị", "doanh nghiệp", "mã doanh nghiệp"))
_PLATE_NAMES: Final = ("biển kiểm soát", "biển số xe", "BKS", "biển số đăng ký")
_VEHICLE: Final = Column("vehicle", "Biển số", ("plate", *_PLATE_NAMES))
_SPAN: Final = (
    Column("valid_from", "Từ ngày", ("ngày bắt đầu", "có hiệu lực từ", "from"), read_instant),
    Column("valid_to", "Kết thúc lúc", ("until",), read_instant),
    Column(
        "last_day", "Đến ngày", ("đến hết ngày", "ngày hết hạn", "có giá trị đến"), read_last_day,
        fills="valid_to",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableKind:
    """A kind of table. key: fields that name a row. is_changed: rows that stand may be changed."""

    record: type[Record]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    is_changed: bool = True


TABLES: Final[Mapping[str, TableKind]] = {
    "operators": TableKind(
        OperatorRecord,
        ("code",),
        (
            Column("code", "Mã đơn vị", ("mã", "mã doanh nghiệp")),
            Column("name", "Tên đơn vị", ("tên", "tên doanh nghiệp", "đơn vị")),
            Column("province", "Tỉnh, thành phố", ("tỉnh", "tỉnh thành", "địa phương")),
            Column("tax_code", "Mã số thuế", ("MST",)),
            Column("licence_no", "Số giấy phép kinh doanh", ("số giấy phép", "GPKD")),
        ),
    ),
    "vehicles": TableKind(
        VehicleRecord,
        ("plate",),
        (
            Column("plate", "Biển số", _PLATE_NAMES),
            _OPERATOR,
            Column("class", "Hạng tốc độ", ("vehicle_class",), fills="vehicle_class"),
            Column("kind", "Kiểu xe", ("loại xe",), read_choice(VEHICLE_KIND)),
            Column("speed_limit_kmh", "Tốc độ giới hạn", ("tốc độ cho phép",), read_number, KMH),
            Column(
                "gross_kg", "Khối lượng toàn bộ",
                ("khối lượng toàn bộ cho phép", "tổng trọng lượng", "trọng lượng toàn bộ"),
                read_number, KG,
            ),
            Column(
                "kerb_kg", "Khối lượng bản thân", ("tự trọng", "trọng lượng bản thân"),
                read_number, KG,
            ),
            Column(
                "cargo_kg", "Khối lượng hàng chuyên chở", ("tải trọng", "trọng tải"),
                read_number, KG,
            ),
            Column("axles", "Số trục", ("trục",), read_count),
            Column("vin", "Số khung", ("chassis number",)),
            *_SPAN,
        ),
    ),
    "devices": TableKind(
        DeviceRecord,
        ("ident",),
        (
            Column("ident", "IMEI", ("mã thiết bị", "số sê ri", "serial", "số máy")),
            _OPERATOR,
            Column("codec", "Giao thức", ("protocol",)),
            Column("note", "Ghi chú", ("loại thiết bị", "model")),
        ),
    ),
    "assignments": TableKind(
        AssignmentRecord,
        ("device",),
        (
            Column("device", "IMEI", ("ident", "thiết bị", "mã thiết bị", "serial")),
            _VEHICLE,
            *_SPAN,
        ),
        is_changed=False,
    ),
    "drivers": TableKind(
        DriverRecord,
        ("licence",),
        (
            Column("licence", "Số GPLX", ("GPLX", "giấy phép lái xe", "số giấy phép lái xe")),
            Column("name", "Họ và tên", ("họ tên", "tên", "lái xe")),
            _OPERATOR,
            Column("licence_class", "Hạng GPLX", ("hạng", "hạng bằng")),
            Column(
                "licence_until", "Có giá trị đến", ("ngày hết hạn", "hết hạn", "giá trị đến"),
                read_date,
            ),
        ),
    ),
    "stations": TableKind(
        StationRecord,
        ("code",),
        (
            Column("code", "Mã trạm", ("mã",)),
            Column("name", "Tên trạm", ("tên",)),
            Column("lon", "Kinh độ", ("longitude", "lng", "x"), read_number, DEGREES),
            Column("lat", "Vĩ độ", ("latitude", "y"), read_number, DEGREES),
            Column("province", "Tỉnh, thành phố", ("tỉnh", "tỉnh thành", "địa phương")),
            Column("kind", "Loại trạm", ("loại",), read_choice(STATION_KIND)),
            Column("tolerance", "Sai số", (), read_number, FRACTION),
            Column("approach", "Đường dẫn vào trạm", (), read_line),
            Column("corridor_m", "Bề rộng hành lang", (), read_number, METRES),
            Column("is_two_way", "Hai chiều", ("two way",), read_flag),
            Column(
                "hours", "Giờ hoạt động", ("giờ mở cửa", "opening hours"), read_hours,
                fills="weekly_hours",
            ),
        ),
    ),
    "badges": TableKind(
        BadgeRecord,
        ("number",),
        (
            Column("number", "Số phù hiệu", ("phù hiệu",)),
            Column("kind", "Loại phù hiệu", ("loại",), read_choice(BADGE_KIND)),
            _VEHICLE,
            Column("is_extra", "Tăng cường", (), read_flag),
            *_SPAN,
        ),
        is_changed=False,
    ),
    "vehicle_routes": TableKind(
        VehicleRouteRecord,
        ("vehicle", "route"),
        (_VEHICLE, Column("route", "Mã tuyến", ("tuyến", "số hiệu tuyến")), *_SPAN),
        is_changed=False,
    ),
    "calibrations": TableKind(
        CalibrationRecord,
        ("station", "certificate"),
        (
            Column("station", "Mã trạm", ("trạm",)),
            Column("certificate", "Số giấy chứng nhận", ("giấy kiểm định", "số tem")),
            *_SPAN,
        ),
        is_changed=False,
    ),
}  # fmt: skip
