"""All dashboards, in the order in which an operator would open them."""

from tools.dashboards.crisis import CRISIS
from tools.dashboards.model import MODEL
from tools.dashboards.money import MONEY
from tools.dashboards.objectives import OBJECTIVES
from tools.dashboards.platform import PLATFORM
from tools.dashboards.processes import PROCESSES

DASHBOARDS = (PLATFORM, OBJECTIVES, CRISIS, MONEY, MODEL, PROCESSES)
