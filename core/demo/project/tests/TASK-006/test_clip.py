from pocket.clip import clip


def test_short_texts_stay_as_they_are() -> None:
    assert clip("tea", 5) == "tea"


def test_long_texts_end_in_an_ellipsis_within_the_width() -> None:
    assert clip("marmalade", 5) == "marm…"
