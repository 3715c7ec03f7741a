"""Announced stops as arrays: in order, and numbered where a trip must visit them."""

from geofence.registry import Route, RouteStop, Zone
from geofence.stop_table import StopTable
from geofence.zone_table import ZoneTable

LINE = {"type": "LineString", "coordinates": [[106.0, 10.0], [106.1, 10.0]]}


def terminal(number, code, lon):
    shape = {"type": "Point", "coordinates": [lon, 10.0]}
    return Zone(number, code, "terminal", shape, radius_m=300.0)


def test_stops_are_in_order_and_those_in_a_terminal_need_not_be_visited():
    zones = [terminal(1, "A", 106.0), terminal(2, "B", 106.1), terminal(3, "C", 106.05)]
    stops = (
        RouteStop("inbound", 1, 106.02, 10.0),
        RouteStop("outbound", 4, 106.1, 10.0),
        RouteStop("outbound", 2, 106.05, 10.0),  # the terminal of another route
        RouteStop("outbound", 3, 106.07, 10.0, compulsory=False),
        RouteStop("outbound", 1, 106.0, 10.0),
        RouteStop("outbound", 5, 106.08, 10.0),
    )
    bare = Route(1, "none", 100.0, "A", "B", LINE, LINE)
    routes = [bare, Route(2, "AB", 100.0, "A", "B", LINE, LINE, stops=stops)]
    table = StopTable.build(routes, ZoneTable.build(zones, ()))
    assert table.start.tolist() == [0, 0, 0, 5, 6]
    assert table.lon.tolist() == [106.0, 106.05, 106.07, 106.1, 106.08, 106.02]
    assert table.number.tolist() == [-1, 0, -1, -1, 1, 0]
    assert [[stop.seq for stop in own] for own in table.compulsory] == [[], [], [2, 5], [1]]
    assert table.most == 2
