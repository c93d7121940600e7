"""Simulated devices, against any installation, through its public doors alone."""

from .demo import run_demo
from .errors import AlreadyRunning, KeyUnfit, PlatformRefused, PlatformUnreachable, StateUnreadable
from .fleet import Doors, Fleet, Tally
from .link import MqttDoor
from .model import Fault
from .plan import DEMO_ORGANIZATION
from .run import Load, run_load
from .state import State, alone, forget_state, load_state, save_state

__all__ = [
    "DEMO_ORGANIZATION",
    "AlreadyRunning",
    "Doors",
    "Fault",
    "Fleet",
    "KeyUnfit",
    "Load",
    "MqttDoor",
    "PlatformRefused",
    "PlatformUnreachable",
    "State",
    "StateUnreadable",
    "Tally",
    "alone",
    "forget_state",
    "load_state",
    "run_demo",
    "run_load",
    "save_state",
]
