"""A small feed as texts by file, and what becomes of it."""

from datetime import date

from hanhtrinh.gtfs_import.feed import read_feed
from hanhtrinh.gtfs_import.routes import RouteOptions, build_routes

TODAY = date(2026, 5, 1)
STOPS = {"A": (105.80, 21.00), "B": (105.82, 21.01), "C": (105.84, 21.00), "D": (105.82, 20.99)}


def small_feed(**changes):
    """One route, 4 stops; there by A B C, back by C D A. changes: text by name of the file."""
    stops = "".join(f"{stop},Stop {stop},{lat},{lon}\n" for stop, (lon, lat) in STOPS.items())
    files = {
        "agency": "agency_timezone\nAsia/Ho_Chi_Minh\n",
        "routes": "route_id,route_short_name,route_long_name,route_type\nR1,1,Ga - Chợ,3\n",
        "stops": "stop_id,stop_name,stop_lat,stop_lon\n" + stops,
        "calendar": "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,"
        "start_date,end_date\nWD,1,1,1,1,1,0,0,20260401,20261231\n",
        "trips": "route_id,service_id,trip_id,direction_id\nR1,WD,out,0\nR1,WD,back,1\n",
        "stop_times": calls(out="A 06:30 B 06:40 C 06:50", back="C 07:00 D 07:10 A 07:20"),
    }
    return {f"{name}.txt": text.encode() for name, text in (files | changes).items() if text}


def calls(**trips):
    """The text of stop_times.txt for trips like "A 06:30 B 06:40"."""
    lines = ["trip_id,arrival_time,departure_time,stop_id,stop_sequence"]
    for trip, said in trips.items():
        words = said.split()
        for seq, (stop, clock) in enumerate(zip(words[::2], words[1::2], strict=True), 1):
            time = f"{clock}:00" if clock.count(":") == 1 else clock
            lines.append(f"{trip},{time},{time},{stop},{seq}")
    return "\n".join(lines) + "\n"


def build(files, only=(), **options):
    """The routes of a feed, and what is said of it."""
    feed = read_feed(files, only)
    built = build_routes(feed, RouteOptions(TODAY, **options))
    return built, [f"{problem.effect} {problem}" for problem in feed.problems]
