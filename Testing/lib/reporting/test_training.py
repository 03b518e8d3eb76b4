from MedSegEffNetLib.reporting import training


def event(kind, second, **more):
    return {"event": kind, "time": f"2026-01-01T10:00:{second:02d}.000+00:00", **more}


RESUMED = [
    event("started", 0),
    event("epoch", 10, epoch=1.0, train_loss=3.0),
    event("epoch", 20, epoch=2.0, train_loss=2.0),
    event("started", 40),
    event("epoch", 45, epoch=2.0, train_loss=1.5),
    event("stopped", 50),
]


def test_the_pieces_of_a_resumed_training_are_joined():
    pieces = training.pieces_of(RESUMED)
    assert [piece.end for piece in pieces] == ["", "stopped"]
    assert [piece.seconds for piece in pieces] == [20, 10]
    epochs = training.epochs_of(RESUMED)[""]
    assert [(one["epoch"], one["train_loss"]) for one in epochs] == [(1, 3.0), (2, 1.5)], "the last one counts"


def test_several_networks_have_epochs_of_their_own():
    events = [event("epoch", 1, epoch=1.0, network="t1ce"), event("epoch", 2, epoch=1.0, network="flair")]
    assert list(training.epochs_of(events)) == ["t1ce", "flair"]


def test_the_state_is_told_in_words():
    assert training.state_of(RESUMED, running=True) == "still running"
    assert training.state_of(RESUMED, running=False) == "stopped"
    assert training.state_of(RESUMED[:3], running=False).startswith("broken off")
    assert training.state_of([], running=False).startswith("broken off")
