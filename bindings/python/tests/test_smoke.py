import libturboquant as tq


def test_version() -> None:
    assert tq.version() == tq.__version__
