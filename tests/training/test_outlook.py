"""What is said of a training's length: before it begins, while it runs, and when it found nothing."""

import math

from hypothesis import given
from hypothesis import strategies as st

from lightdet.training.outlook import ENOUGH_STEPS, Outlook, TimeLeft, too_early
from lightdet.training.reporting import nothing_learned

COUNTS = st.integers(1, 100_000)
SPEEDS = st.none() | st.floats(0.1, 10_000)


@given(pictures=COUNTS, batch=st.integers(1, 512), epochs=st.integers(1, 5000), speed=SPEEDS)
def test_too_few_steps_are_said_with_the_epochs_that_give_enough(
    pictures: int, batch: int, epochs: int, speed: float | None
) -> None:
    outlook = Outlook(pictures, batch, epochs, None, speed, ENOUGH_STEPS)
    lines = outlook.lines()
    steps = math.ceil(pictures / batch)
    assert f"{steps:,} step" in lines[0] and f"{steps * epochs:,} step" in lines[0]
    assert ("on this computer" in lines[0]) == (speed is not None)
    assert (len(lines) == 2) == (steps * epochs < ENOUGH_STEPS)
    if len(lines) == 2:
        wanted = int(lines[1].split("--epochs ")[1].split()[0])
        assert wanted * steps >= ENOUGH_STEPS > (wanted - 1) * steps
        assert len(Outlook(pictures, batch, wanted, None, speed, ENOUGH_STEPS).lines()) == 1, "advice that is followed"
    assert len(Outlook(pictures, batch, epochs, None, speed, None).lines()) == 1, "nothing is known of the start"


@given(minutes=st.floats(0.1, 600), speed=SPEEDS)
def test_minutes_are_told_in_steps_where_the_speed_is_known(minutes: float, speed: float | None) -> None:
    lines = Outlook(64, 16, None, minutes, speed, ENOUGH_STEPS).lines()
    assert bool(lines) == (speed is not None)
    if len(lines) == 2:
        wanted = int(lines[1].split("--minutes ")[1].rstrip(")"))
        assert wanted > minutes


@given(seconds=st.floats(0.1, 1000), epochs=st.integers(2, 200), begun=st.floats(0, 0.9), sooner=st.integers(0, 50))
def test_the_time_left_is_that_of_epochs_as_long_as_the_last_ones(
    seconds: float, epochs: int, begun: float, sooner: int
) -> None:
    """Also where a resumed training takes only the rest of its first epoch."""
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    first = min(sooner, epochs - 1)
    left.begins(first + begun)
    for epoch in range(first + 1, epochs + 1):
        now[0] += seconds * (1 - begun if epoch == first + 1 else 1)
        left.begins(epoch)  # each epoch says that it begins
        told = left.ends(epoch, epochs)
        if epoch == epochs:
            assert told is None
        else:
            assert told is not None and math.isclose(told, seconds * (epochs - epoch), rel_tol=1e-6)


@given(epochs=st.integers(1, 5000), steps=COUNTS, lr=st.floats(1e-9, 10))
def test_what_is_advised_after_nothing_was_learned_can_be_the_reason(epochs: int, steps: int, lr: float) -> None:
    told = nothing_learned(epochs, steps, lr)
    assert ("--epochs" in told) == (steps < ENOUGH_STEPS)
    assert ("train.lr" in told) == (steps >= ENOUGH_STEPS)
    if "--epochs" in told:
        assert int(told.split("--epochs ")[1].split(")")[0]) > epochs


def test_early_zeros_are_called_normal() -> None:
    assert too_early(3, 1200).startswith("mAP 0.000 is normal this early (step 3 of 1,200)")
