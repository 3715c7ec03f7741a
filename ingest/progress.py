"""How far every vehicle has come, as arrays indexed by vehicle id.

A cache of the table `latest`, to be forgotten at any time.
"""

import numpy as np

from devices.batch import I32, I64, Bool
from geofence.registry import BEGINNING_US


class Progress:
    """Per vehicle, int64 microseconds, BEGINNING_US where there is nothing yet.

    stored_until: greatest time of any stored fix.
    judged_until: greatest time of a fix that the rules have taken in.
    needs_from: where replaying must begin to rebuild the state at judged_until.
    known: the three are what the database holds.
    resumed: the judge holds the vehicle's state at judged_until.
    """

    def __init__(self) -> None:
        self.stored_until = np.empty(0, np.int64)
        self.judged_until = np.empty(0, np.int64)
        self.needs_from = np.empty(0, np.int64)
        self.known = np.empty(0, np.bool_)
        self.resumed = np.empty(0, np.bool_)

    def make_room(self, vehicles: I32) -> None:
        """Grow so that every id fits; vehicles that are new are not known."""
        missing = int(vehicles.max(initial=-1)) + 1 - len(self.known)
        if missing <= 0:
            return
        missing = max(missing, len(self.known))  # doubling keeps the cost of growing linear
        nothing = np.full(missing, BEGINNING_US, np.int64)
        no = np.zeros(missing, np.bool_)
        self.stored_until = np.concatenate([self.stored_until, nothing])
        self.judged_until = np.concatenate([self.judged_until, nothing])
        self.needs_from = np.concatenate([self.needs_from, nothing])
        self.known = np.concatenate([self.known, no])
        self.resumed = np.concatenate([self.resumed, no])

    def learn(self, vehicles: I32, stored: I64, judged: I64, needs: I64) -> None:
        """Take over what the database holds of these vehicles; shapes (k,)."""
        self.stored_until[vehicles] = stored
        self.judged_until[vehicles] = judged
        self.needs_from[vehicles] = needs
        self.known[vehicles] = True

    def forget(self, vehicles: I32) -> None:
        """Ask the database again, and replay, before these vehicles are judged next."""
        self.known[vehicles] = False
        self.resumed[vehicles] = False

    def forget_states(self) -> None:
        """Replay every vehicle before it is judged next: the rules or the map have changed."""
        self.resumed[:] = False

    def unknown(self, vehicles: I32) -> I32:
        """Those of the vehicles of which the database must be asked."""
        known: Bool = self.known[vehicles]
        return vehicles[~known]
