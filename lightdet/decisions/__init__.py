"""From detections, or a picture's class, to OK or NG: one rule for everything that judges and for calibration.

With a detector a part is NG if at least one detection counts as a defect: its score reaches the threshold of its
class and it is large enough. Scores and boxes are compared as reported (`Detections.as_dicts`: four and two
decimals), so a decision can be checked by hand from a file of results. With a classifier it is NG if the probability
that it is bad reaches the threshold, again as reported (`Classification.as_dict`: four decimals).
"""

from lightdet.decisions.class_rule import ClassDecision, ClassRule, bad_probability
from lightdet.decisions.detection_rule import Decision, DecisionRule
from lightdet.decisions.rule_checks import LARGEST, Verdict

__all__ = ["LARGEST", "ClassDecision", "ClassRule", "Decision", "DecisionRule", "Verdict", "bad_probability"]
