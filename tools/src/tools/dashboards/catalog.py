"""All dashboards, in the order in which an operator would open them."""

from tools.dashboards.crisis import CRISIS
from tools.dashboards.model import MODEL
from tools.dashboards.money import MONEY
from tools.dashboards.platform import PLATFORM

DASHBOARDS = (PLATFORM, CRISIS, MONEY, MODEL)
