"""All groups of rules, in the order in which an operator would want to hear of them."""

from tools.alerting.answers import ANSWERS
from tools.alerting.crisis import CRISIS
from tools.alerting.flow import FLOW
from tools.alerting.objectives import OBJECTIVES_GROUP
from tools.alerting.upkeep import MONEY, UPKEEP

GROUPS = (CRISIS, ANSWERS, FLOW, MONEY, UPKEEP, OBJECTIVES_GROUP)
ALERTS = tuple(alert for group in GROUPS for alert in group.alerts)
RECORDED = tuple(dict.fromkeys(recording.name for group in GROUPS for recording in group.recordings))
"""The names of recorded series, for dashboards that show them."""
