"""The worst pictures and the reasons given for them."""

from __future__ import annotations

from evaluation_scenes import NAMES, annotation, detections

from lightdet.evaluation.worst import worst_false_alarms, worst_misses

BOX = (10, 10, 50, 50)


def misses(found, truth, **more):
    return worst_misses([detections(found)], [truth], NAMES, threshold=0.5, **more)


def alarms(found, truth):
    return worst_false_alarms([detections(found)], [truth], NAMES, threshold=0.5)


def test_why_a_defect_was_missed():
    truth = annotation([BOX], [0])
    assert misses([], truth)[0].reasons == ("crack: not seen",)
    assert misses([(*BOX, 0.2, 0)], truth)[0].reasons == ("crack: seen with 0.20, below the threshold",)
    assert misses([(*BOX, 0.005, 0)], truth)[0].reasons == ("crack: not seen",)
    assert misses([(*BOX, 0.9, 1)], truth)[0].reasons == ("crack: reported as dent (0.90)",)
    assert misses([(10, 10, 50, 26, 0.9, 0)], truth)[0].reasons == ("crack: boxed badly, overlap 0.40",)
    assert misses([(*BOX, 0.9, 0)], truth) == []
    assert misses([(*BOX, 0.9, 0)], annotation([], [])) == []


def test_why_an_alarm_is_false():
    truth = annotation([BOX], [0])
    assert alarms([(100, 100, 120, 120, 0.9, 1)], truth)[0].reasons == ("dent 0.90: nothing there",)
    assert alarms([(*BOX, 0.9, 1)], truth)[0].reasons == ("dent 0.90: is crack",)
    assert alarms([(*BOX, 0.9, 0), (11, 11, 50, 50, 0.6, 0)], truth)[0].reasons == (
        "crack 0.60: second box on one defect",
    )
    assert alarms([(10, 10, 50, 26, 0.9, 0)], truth)[0].reasons == ("crack 0.90: boxed badly, overlap 0.40",)
    assert alarms([(*BOX, 0.9, 1)], annotation([], []))[0].reasons == ("dent 0.90: picture without defects",)
    assert alarms([(*BOX, 0.4, 1)], annotation([], [])) == []


def test_worst_first_and_no_more_than_asked():
    one, two = annotation([BOX], [0]), annotation([BOX, (60, 60, 90, 90)], [0, 1])
    nothing = detections([])
    weak = detections([(*BOX, 0.4, 0)])
    found = worst_misses([weak, nothing, nothing], [one, two, one], NAMES, threshold=0.5)
    assert [finding.index for finding in found] == [1, 2, 0]
    assert len(worst_misses([nothing] * 5, [one] * 5, NAMES, threshold=0.5, limit=3)) == 3
    sure, unsure = detections([(*BOX, 0.95, 0)]), detections([(*BOX, 0.6, 0), (60, 60, 80, 80, 0.55, 1)])
    false = worst_false_alarms([unsure, sure], [annotation([], [])] * 2, NAMES, threshold=0.5)
    assert [finding.index for finding in false] == [1, 0]
    assert false[1].boxes.tolist() == [0, 1]


def test_crowd_regions_are_neither():
    truth = annotation([[0, 0, 100, 100]], [0], [True])
    assert misses([], truth) == [] and alarms([(*BOX, 0.9, 0)], truth) == []
